"""The one watch of a process: the stat logger and the middleware are made by vLLM, which knows of neither's monitor."""

from __future__ import annotations

import logging
import os
from functools import cache

from driftwatch.errors import ConfigError
from driftwatch.integrations.vllm.join import Join, Row
from driftwatch.live import Settings, Watch

VARIABLE = "DRIFTWATCH_CONFIG"
"""Names the ``watch.toml``; without it nothing is watched."""

log = logging.getLogger("driftwatch")


class Shared:
    """A watch that runs, and the join before its monitor."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.watch = Watch(settings, inside=True, news=lambda incident: log.warning("%s", incident.explain()))
        self.monitor = self.watch.monitor
        self.join = Join(self._tell)
        try:
            self.watch.start()
        except ConfigError as error:  # another process of this server has the port
            log.warning("driftwatch: %s; this process is watched without a page", error)
            self.watch.start(page=False)

    def _tell(self, row: Row) -> None:
        labels = {**self.settings.engine.labels, **(row.get("labels") or {})}
        self.monitor.request(**{**row, "labels": labels})


@cache
def shared() -> Shared | None:
    """The watch of this process, made and started by the first that asks; None where there is none to be had."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    try:
        return Shared(Settings.load(path))
    except Exception:  # a wrong configuration must not keep an engine from starting
        log.exception("driftwatch: %s=%s cannot be used; nothing is watched", VARIABLE, path)
        return None

"""From settings to the sources that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from driftwatch.live.gpus import Gpus
from driftwatch.live.host import Host
from driftwatch.live.logs import marker_log, request_log
from driftwatch.live.pages import Page
from driftwatch.live.prometheus import PrometheusServer
from driftwatch.live.settings import Settings
from driftwatch.live.source import Source
from driftwatch.readers.quarantine import Quarantine


def sources_of(
    settings: Settings, quarantine: Quarantine, offsets: Mapping[str, Any] | None = None
) -> Iterator[Source]:
    """Every source that the settings name, ready to be read.

    Parameters
    ----------
    settings
        Which.
    quarantine
        Where it is counted what cannot be used.
    offsets
        By name of a log, how far it has been read before.

    Raises
    ------
    MissingExtra
        If one needs a package that is not installed.
    DriftwatchError
        If GPUs are asked for and there is no driver.

    Examples
    --------
    >>> [source.name for source in sources_of(Settings.parse({"host": {}}), Quarantine())]
    ['host']
    """
    known = offsets or {}
    for log in settings.logs:
        yield request_log(log, settings.config, quarantine, known.get(log.path))
    if settings.markers:
        yield marker_log(settings.markers, settings.config, quarantine, known.get(settings.markers))
    for target in settings.targets:
        yield Page(target, settings.config, quarantine)
    for server in settings.servers:
        yield PrometheusServer(server, settings.config, quarantine)
    if settings.host is not None:
        yield Host(settings.host)
    if settings.gpu is not None:
        yield Gpus(settings.gpu)

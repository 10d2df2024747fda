"""From the engine to the outbox: transitions are kept until it has them on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftwatch.alerting import Alerts

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

_MOST = 10_000  # transitions that wait for a disk that cannot be written


class Post:
    """Hands transitions on to an outbox, if there is anybody to tell.

    Parameters
    ----------
    sinks
        Destinations beside those of the configuration, or an outbox that is ready.
    path
        The outbox's file, unless the configuration names one; None for its own place.
    alerts
        The section of the configuration.

    Raises
    ------
    ConfigError
        If a destination cannot be what the configuration says.

    Attributes
    ----------
    waiting
        Transitions that the outbox could not take yet.
    dropped
        Transitions that were let go because too many waited.
    """

    def __init__(self, sinks: Any, path: Path | None, alerts: Alerts) -> None:
        self.waiting: deque[Incident] = deque()
        self.dropped = 0
        self._given = hasattr(sinks, "put")
        self._outbox: Any = sinks if self._given else _made(sinks, path, alerts)

    def put(self, transitions: Iterable[Incident]) -> None:
        """Hand transitions on, those that waited first.

        Raises
        ------
        DriftwatchError
            If the outbox cannot take them now: they wait.
        """
        if self._outbox is None:
            return
        self.waiting.extend(transitions)
        while len(self.waiting) > _MOST:
            self.waiting.popleft()
            self.dropped += 1
        if self.waiting:
            self.open()
            self._outbox.put(list(self.waiting))
            self.waiting.clear()

    def open(self) -> None:
        """Go on delivering what an earlier process left; an outbox that was handed in ready is its owner's to start."""
        if self._outbox is not None and not self._given:
            self._outbox.start()

    def stats(self) -> dict[str, Any]:
        """How each destination does, as the outbox says it."""
        return dict(self._outbox.stats()) if self._outbox is not None else {}

    def close(self, timeout: float) -> None:
        """Let the outbox end; one that was handed in ready is its owner's to close."""
        if self._outbox is not None and not self._given:
            self._outbox.close(timeout)


def _made(sinks: Sequence[Any], path: Path | None, alerts: Alerts) -> Any:
    """An outbox for all who are to be told; what alerts need is not imported for those who have none."""
    if not sinks and not alerts.destinations:
        return None
    return import_module("driftwatch.sinks").configured(alerts, sinks, path=alerts.outbox or path)


Sinks = Sequence[Any]
"""Destinations: `driftwatch.sinks`."""

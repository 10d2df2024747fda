"""From the engine to the outbox: transitions are kept until it has them on disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from driftwatch.incidents import Incident

_MOST = 10_000  # transitions that wait for a disk that cannot be written


class Post:
    """Hands transitions on to an outbox, which is made when the first of them comes.

    Parameters
    ----------
    sinks
        Destinations, or an outbox that is ready.
    path
        The outbox's file; None for its own place.

    Attributes
    ----------
    waiting
        Transitions that the outbox could not take yet.
    dropped
        Transitions that were let go because too many waited.
    """

    def __init__(self, sinks: Any, path: Path | None) -> None:
        self.sinks, self.path = sinks, path
        self.waiting: deque[Incident] = deque()
        self.dropped = 0
        self._outbox: Any = sinks if hasattr(sinks, "put") else None

    def put(self, transitions: Iterable[Incident]) -> None:
        """Hand transitions on, those that waited first.

        Raises
        ------
        DriftwatchError
            If the outbox cannot take them now: they wait.
        """
        if not self.sinks:
            return
        self.waiting.extend(transitions)
        while len(self.waiting) > _MOST:
            self.waiting.popleft()
            self.dropped += 1
        if self.waiting:
            self._open().put(list(self.waiting))
            self.waiting.clear()

    def open(self) -> None:
        """Go on delivering what an earlier process left."""
        if self.sinks:
            self._open()

    def _open(self) -> Any:
        if self._outbox is None:
            sinks = import_module("driftwatch.sinks")  # what alerts need is not for those who have none
            self._outbox = sinks.Outbox(self.path, sinks=list(self.sinks))
            self._outbox.start()
        return self._outbox

    def stats(self) -> dict[str, Any]:
        """How each destination does, as the outbox says it."""
        return dict(self._outbox.stats()) if self._outbox is not None else {}

    def close(self, timeout: float) -> None:
        """Let the outbox end; one that was handed in ready is its owner's to close."""
        if self._outbox is not None and self._outbox is not self.sinks:
            self._outbox.close(timeout)


Sinks = Sequence[Any]
"""Destinations: `driftwatch.sinks`."""

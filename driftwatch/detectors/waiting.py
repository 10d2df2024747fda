"""Rows that may be learnt from once they are old enough."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftwatch.statistics.buckets import Floats, Ints


class Waiting:
    """A queue of rows by tick; what is added is copied once in a while, not every time.

    Parameters
    ----------
    shape
        Of the values of one row.

    Examples
    --------
    >>> queue = Waiting(1)
    >>> queue.add(np.array([3, 4, 5]), np.array([[0.3], [0.4], [0.5]]))
    >>> ripe, dropped = queue.take(5, skip=(4, 4))
    >>> ripe.tolist(), dropped.tolist(), queue.tick.tolist()
    ([[0.3]], [[0.4]], [5])
    """

    def __init__(self, *shape: int) -> None:
        self.ticks: Ints = np.empty(0, np.int64)
        self.values: Floats = np.empty((0, *shape))
        self.end = 0

    def parts(self) -> dict[str, Any]:
        """What is saved: all but the room for rows to come."""
        return {"ticks": self.tick, "values": self.value, "end": self.end}

    def __len__(self) -> int:
        return self.end

    @property
    def tick(self) -> Ints:
        """Ticks of the rows, shape (n,)."""
        return self.ticks[: self.end]

    @property
    def value(self) -> Floats:
        """The rows."""
        return self.values[: self.end]

    def add(self, tick: Ints, value: Floats) -> None:
        """Add rows."""
        start, self.end = self.end, self.end + len(tick)
        if self.end > len(self.ticks):
            more = max(self.end, 2 * start) - start
            self.ticks = np.concatenate([self.ticks[:start], np.empty(more, np.int64)])
            self.values = np.concatenate([self.values[:start], np.empty((more, *value.shape[1:]))])
        self.ticks[start : self.end], self.values[start : self.end] = tick, value

    def take(self, before: int, skip: tuple[int, int] | None) -> tuple[Floats, Floats]:
        """Take out the rows before a tick, and, of any age, those in ``skip`` (from, to): the ripe, and the others."""
        bad = np.zeros(self.end, np.bool_)
        if skip is not None:
            bad = (self.tick >= skip[0]) & (self.tick <= skip[1])
        ripe = ~bad & (self.tick < before)
        taken, dropped, rest = self.value[ripe], self.value[bad], ~bad & ~ripe
        self.ticks, self.values = self.tick[rest], self.value[rest]
        self.end = len(self.ticks)
        return taken, dropped

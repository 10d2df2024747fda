"""Rows that may be learnt from once they are old enough."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.state.compact import Singles
from driftwatch.statistics.buckets import Floats, Ints

_ROOM = 120  # rows to come for which there is room, at least and at most twice


class Waiting:
    """A queue of rows by tick, in memory that is taken once and used again: what grows by copies leaves holes.

    Values are kept to seven digits.

    Parameters
    ----------
    shape
        Of the values of one row.

    Examples
    --------
    >>> queue = Waiting(1)
    >>> queue.add(np.array([3, 4, 5]), np.array([[0.25], [0.5], [0.75]]))
    >>> ripe, dropped = queue.take(5, skip=(4, 4))
    >>> ripe.tolist(), dropped.tolist(), queue.tick.tolist()
    ([[0.25]], [[0.5]], [5])
    """

    def __init__(self, *shape: int) -> None:
        self.ticks: Ints = np.empty(0, np.int64)
        self.values: Singles = np.empty((0, *shape), np.float32)
        self.end = 0

    def parts(self) -> dict[str, Any]:
        """What is saved: all but the room for rows to come."""
        return {"ticks": self.tick.copy(), "values": self.values[: self.end].copy(), "end": self.end}

    def __len__(self) -> int:
        return self.end

    @property
    def tick(self) -> Ints:
        """Ticks of the rows, shape (n,)."""
        return self.ticks[: self.end]

    @property
    def value(self) -> Floats:
        """The rows."""
        return self.values[: self.end].astype(np.float64)

    def add(self, tick: Ints, value: Floats) -> None:
        """Add rows."""
        start, end = self.end, self.end + len(tick)
        if end > len(self.ticks):
            self._make_room(end + _ROOM)
        self.ticks[start:end], self.values[start:end] = tick, value
        self.end = end

    def _make_room(self, rows: int) -> None:
        ticks, values = np.empty(rows, np.int64), np.empty((rows, *self.values.shape[1:]), np.float32)
        ticks[: self.end], values[: self.end] = self.ticks[: self.end], self.values[: self.end]
        self.ticks, self.values = ticks, values

    def take(self, before: int, skip: tuple[int, int] | None) -> tuple[Floats, Floats]:
        """Take out the rows before a tick, and, of any age, those in ``skip`` (from, to): the ripe, and the others."""
        tick, value, bad = self.tick, self.value, np.zeros(self.end, np.bool_)
        if skip is not None:
            bad = (tick >= skip[0]) & (tick <= skip[1])
        ripe = ~bad & (tick < before)
        self._keep(~bad & ~ripe)
        return value[ripe], value[bad]

    def _keep(self, rest: NDArray[np.bool_]) -> None:
        ticks, values = self.tick[rest], self.values[: self.end][rest]
        self.end = len(ticks)
        if self.end + 2 * _ROOM < len(self.ticks):  # a warm-up was long
            self._make_room(self.end + _ROOM)
        self.ticks[: self.end], self.values[: self.end] = ticks, values

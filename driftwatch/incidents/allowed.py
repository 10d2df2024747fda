"""What users alone may have done to a signal of late."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from driftwatch.detectors.memory import KEPT
from driftwatch.state import saved
from driftwatch.state.compact import Singles, single
from driftwatch.statistics.buckets import Floats, Ints


@saved
@dataclass(slots=True)
class Allowed:
    """By how much users alone may have raised a signal, tick by tick, as far back as a change is dated.

    Examples
    --------
    >>> allowed = Allowed()
    >>> allowed.add(np.array([7, 8, 9]), np.array([0.0, 0.125, 0.25]))
    >>> allowed.mean(8, 9), allowed.mean(10, 12)
    (0.1875, 0.0)
    """

    tick: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    value: Singles = field(default_factory=lambda: np.empty(0, np.float32))

    def add(self, tick: Ints, value: Floats) -> None:
        """Take the next ticks; the oldest are forgotten."""
        self.tick = np.concatenate([self.tick, tick])[-2 * KEPT :]
        self.value = np.concatenate([self.value, single(value)])[-2 * KEPT :]

    def mean(self, first: int, last: int) -> float:
        """Mean over these ticks, both included; 0 where nothing is known."""
        rows = slice(*self.tick.searchsorted([first, last + 1]))
        return float(self.value[rows].mean(dtype=np.float64)) if rows.stop > rows.start else 0.0

"""How far healthy requests lie from the rest of their tick, and ticks from the others: where the slowest begin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from driftwatch.state import saved
from driftwatch.statistics.buckets import WIDTH, Floats, Ints, bucket_of, log_value
from driftwatch.statistics.robust import sums

HEALTHY = 0.95
"""The share of healthy requests that lie below the point."""
HEALTHY_TICKS = 0.99
"""The share of healthy ticks that lie below theirs."""
BURST = math.log(1.5)
"""A tick is slow only if its middle is half as long again as the workload explains."""

_STEP = 64  # buckets for which room is made at once


def apart(residual: Floats, middle: Floats, count: Floats) -> Floats:
    """How far each request lies from the rest of its tick.

    What all of a tick's requests share (a busy engine, a slower one) is no matter of the slowest: it moves the middle,
    which is judged by itself. The middle is shrunk to zero as if the tick had one more request, and the distance is
    divided by the standard deviation that this leaves of a request's own, so that it means the same however many
    requests a tick has; a request that is alone in its tick lies at its own residual.

    Parameters
    ----------
    residual
        Shape (n,): log values beyond what the workload explains.
    middle, count
        Shape (n,): location of the residuals of the request's tick, and how many those are.

    Examples
    --------
    >>> apart(np.array([1.5, 1.5]), np.array([1.5, 0.5]), np.array([1.0, 50.0])).round(2).tolist()
    [1.5, 1.02]
    """
    return np.asarray((residual * (count + 1.0) - middle * count) / np.sqrt(count * (count + 1.0) - 1.0))


def surely(middle: Floats, count: Floats, scale: float) -> Floats:
    """The near end of the 95% interval of each tick's middle, so that it means the same however few requests it has.

    Examples
    --------
    >>> surely(np.array([1.0, 1.0]), np.array([1.0, 100.0]), 0.4).round(2).tolist()
    [0.34, 0.93]
    """
    return np.asarray(middle - 1.645 * scale / np.sqrt(count))


@saved
@dataclass(slots=True)
class Tail:
    """Distances of one signal, counted by bucket: constant memory, and the order of learning leaves no trace.

    Parameters
    ----------
    counts
        Shape (n,): healthy requests (or ticks) by bucket of their distance, in steps of 2%; of the buckets that were
        met, and those between.
    point
        The distance (log units) that most of them do not exceed, as of the last `settle`.

    Examples
    --------
    >>> tail = Tail.nothing()
    >>> tail.learn(np.log(np.arange(1.0, 101.0)), np.ones(100))
    >>> tail.settle()
    >>> bool(95 < np.exp(tail.point) < 98)
    True
    """

    counts: Floats
    point: float
    low: int = 0

    @classmethod
    def nothing(cls) -> Tail:
        """Nothing learnt yet: no request is slow."""
        return cls(np.zeros(0), np.inf)

    @classmethod
    def of_arrays(cls, name: str, arrays: Mapping[str, Floats]) -> Tail:
        """The inverse of `arrays`."""
        counts = arrays[name].copy()
        point, *low = arrays[f"{name}_point"].tolist()
        return cls(counts, point, int(low[0]) if low else 0)  # older files have all buckets

    def arrays(self, name: str) -> dict[str, Floats]:
        """All of it as plain arrays, under a name."""
        return {name: self.counts, f"{name}_point": np.array([self.point, self.low])}

    def learn(self, distance: Floats, count: Floats) -> None:
        """Count the requests of another healthy stretch; takes effect at the next `settle`."""
        if len(distance):
            self.count(bucket_of(np.exp(distance)), count)

    def count(self, bucket: Ints, count: Floats | Ints) -> None:
        """The same for distances that are in buckets."""
        self._reach(int(bucket.min()) // _STEP * _STEP, int(bucket.max()) // _STEP * _STEP + _STEP)
        self.counts += sums(bucket - self.low, count, len(self.counts))

    def _reach(self, low: int, high: int) -> None:
        """Make room for buckets from ``low`` on, and below ``high``."""
        if len(self.counts):
            low, high = min(low, self.low), max(high, self.low + len(self.counts))
        if high - low > len(self.counts):
            counts = np.zeros(high - low)
            counts[self.low - low :][: len(self.counts)] = self.counts
            self.counts, self.low = counts, low

    def settle(self, healthy: float = HEALTHY) -> None:
        """Find the point again: the upper edge of the bucket that the next healthy one exceeds in 5% of cases.

        Parameters
        ----------
        healthy
            The share that is not to exceed it, where it is not 95%.

        References
        ----------
        Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, section 2: among n exchangeable ones,
        the next lies above the k-th with probability at most 1 - k / (n + 1).
        """
        reached = np.cumsum(self.counts)
        if len(reached) and reached[-1] > 0:
            rank = min(healthy * (reached[-1] + 1.0), reached[-1])
            self.point = float(log_value(self.low + np.searchsorted(reached, rank)) + WIDTH / 2)

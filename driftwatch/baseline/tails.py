"""How far healthy requests stray from what their workload explains, and where the slowest of them begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from driftwatch.statistics.buckets import BUCKETS, WIDTH, Floats, bucket_of, log_value
from driftwatch.statistics.robust import sums

HEALTHY = 0.95
"""The share of healthy requests that lie below the point."""


@dataclass(slots=True)
class Tail:
    """Residuals of one signal, counted by bucket: constant memory, and the order of learning leaves no trace.

    Parameters
    ----------
    counts
        Shape (2048,): healthy requests by bucket of their residual, in steps of 2%.
    point
        The residual (log units) that 95% of them do not exceed, as of the last `settle`.
    """

    counts: Floats
    point: float

    @classmethod
    def of(cls, residual: Floats, count: Floats) -> Tail:
        """Learn from a first healthy stretch.

        Examples
        --------
        >>> tail = Tail.of(np.log(np.arange(1.0, 101.0)), np.ones(100))
        >>> 95 < np.exp(tail.point) < 98
        True
        """
        tail = cls(np.zeros(BUCKETS), 0.0)
        tail.learn(residual, count)
        tail.settle()
        return tail

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Floats]) -> Tail:
        """The inverse of `arrays`."""
        return cls(arrays["residuals"].copy(), float(arrays["tail_point"][0]))

    def arrays(self) -> dict[str, Floats]:
        """All of it as plain arrays."""
        return {"residuals": self.counts, "tail_point": np.array([self.point])}

    def learn(self, residual: Floats, count: Floats) -> None:
        """Count the requests of another healthy stretch; takes effect at the next `settle`."""
        self.counts += sums(bucket_of(np.exp(residual)), count, BUCKETS)

    def settle(self) -> None:
        """Find the point again: the upper edge of the bucket that the next healthy request exceeds in 5% of cases.

        References
        ----------
        Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, section 2: among n exchangeable ones,
        the next lies above the k-th with probability at most 1 - k / (n + 1).
        """
        reached = np.cumsum(self.counts)
        rank = min(HEALTHY * (reached[-1] + 1.0), reached[-1])
        self.point = float(log_value(np.searchsorted(reached, rank)) + WIDTH / 2)

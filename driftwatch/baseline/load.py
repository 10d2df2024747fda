"""What more load alone may do, where the warm-up did not vary enough to learn it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from driftwatch.baseline.tails import HEALTHY
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats

WITH_LOAD = 0.5
"""By so much a share of slow requests, the logarithm of an inter-token latency, or the part of a prompt that the prefix
cache leaves to compute may rise with each log unit of load: what is prefilled holds up what decodes, each sequence that
decodes slows the others, and blocks are needed sooner for something else (simulated engines: 0.2 to 0.6)."""
SLOWER = ("itl", "latency")
"""Signals that load slows so: an engine that has slots left begins no later for it."""


@saved
@dataclass(slots=True)
class UsualLoad:
    """The load that requests met while all was well: what lies above it may be more than was learnt from.

    Parameters
    ----------
    known
        Shape (2,): requests learnt from, and the sum of the log loads that they met.
    level
        Their mean, as of the last `settle`.

    Examples
    --------
    >>> usual = UsualLoad()
    >>> usual.learn(np.array([3.0, 5.0]), np.array([30.0, 10.0]))
    >>> usual.settle()
    >>> usual.level
    3.5
    """

    known: Floats = field(default_factory=lambda: np.zeros(2))
    level: float = 0.0

    @classmethod
    def of_array(cls, known: Floats) -> UsualLoad:
        """What was learnt elsewhere."""
        usual = cls(known.copy())
        usual.settle()
        return usual

    def learn(self, load: Floats, requests: Floats) -> None:
        """Add requests up, with the load that each row of them met; takes effect at the next `settle`."""
        self.known = self.known + np.array([requests.sum(), (load * requests).sum()])

    def settle(self) -> None:
        """Find the mean again."""
        self.level = float(self.known[1] / max(self.known[0], 1.0))


def less_load(hits: Floats, total: Floats, more: Floats) -> Floats:
    """Slow requests less those that so much more load may have slowed; what is healthy stays.

    Parameters
    ----------
    hits, total
        Shape (n,): slow requests among all of a tick.
    more
        Shape (n,): by how much the load exceeds what is usual, in log units.

    Examples
    --------
    >>> less_load(np.array([0.0, 2.0, 6.0]), np.full(3, 20.0), np.full(3, 0.1)).round(9).tolist()
    [0.0, 1.0, 5.0]
    """
    healthy = np.minimum(hits, (1.0 - HEALTHY) * total)
    return np.asarray(np.maximum(hits - WITH_LOAD * more * total, healthy))


def slower(slope: float, more: Floats) -> Floats:
    """By how much so much more load may slow a signal beyond what was learnt of it, in log units.

    Parameters
    ----------
    slope
        What was learnt of the load's effect, in log units for each of load.
    more
        Shape (n,): by how much the load exceeds what is usual, in log units.

    Examples
    --------
    >>> slower(0.1, np.array([0.0, 0.5])).round(3).tolist()
    [0.0, 0.2]
    """
    return np.asarray(max(WITH_LOAD - slope, 0.0) * more)

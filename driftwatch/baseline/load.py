"""What more load alone may do, where the warm-up did not vary enough to learn it."""

from __future__ import annotations

import numpy as np

from driftwatch.baseline.tails import HEALTHY
from driftwatch.statistics.buckets import Floats

WITH_LOAD = 0.5
"""By so much a share of slow requests, the logarithm of an inter-token latency, or the part of a prompt that the prefix
cache leaves to compute may rise with each log unit of load: what is prefilled holds up what decodes, each sequence that
decodes slows the others, and blocks are needed sooner for something else (simulated engines: 0.2 to 0.6)."""
SLOWER = ("itl", "latency")
"""Signals that load slows so: an engine that has slots left begins no later for it."""


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


def slower(value: Floats, slope: float, more: Floats) -> Floats:
    """Excess of each tick, less what so much more load may have added to what was learnt of it.

    Parameters
    ----------
    value
        Shape (n,): log values beyond what the workload explains.
    slope
        What was learnt of the load's effect, in log units for each of load.
    more
        Shape (n,): by how much the load exceeds what is usual, in log units.

    Examples
    --------
    >>> slower(np.array([-0.1, 0.1, 0.3]), 0.1, np.full(3, 0.5)).round(3).tolist()
    [-0.1, 0.0, 0.1]
    """
    room = max(WITH_LOAD - slope, 0.0) * more
    return np.where(value > 0.0, np.maximum(value - room, 0.0), value)

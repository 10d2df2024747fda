"""The slowest of a signal: requests far behind the rest of their tick, and ticks that are slow for sure."""

from __future__ import annotations

import numpy as np

from driftwatch.baseline.judged import Observed
from driftwatch.baseline.load import less_load
from driftwatch.baseline.pending import counted
from driftwatch.baseline.tails import BURST, apart, surely
from driftwatch.baseline.workload import Measured, WorkloadModel, by_tick
from driftwatch.events.signals import BURSTS, BY_NAME, TAILS
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import Ticks


def of_slowest(
    signal: str,
    model: WorkloadModel,
    seen: Observed,
    at: Ints,
    residual: Floats,
    count: Floats,
    more: Floats,
    margin: float,
) -> tuple[dict[str, Observed], list[Ints]]:
    """Slow requests and slow ticks of a signal, and how far from the rest each lies, to be learnt from.

    Parameters
    ----------
    signal, model, seen
        The signal, what is learnt of it, and how its ticks were judged.
    at, residual, count
        Shape (n,): tick of each value, what the workload does not explain of it, and how many there are.
    more
        Shape (t,): load beyond the usual, of each judged tick.
    margin
        A request that lies less than this behind the rest is not slow.

    Returns
    -------
    The tracks by name, and distances as `driftwatch.baseline.pending.counted` gives them.
    """
    tick, value, total = seen.tick, seen.value, seen.total
    row = tick.searchsorted(at)
    distance = apart(residual, value[row], total[row])
    late = surely(value if seen.allowed is None else value - seen.allowed, total, model.scale)
    hits = sums(row, count * (distance > max(model.tail.point, margin)), len(tick))
    if "output" in BY_NAME[signal].given:
        hits = less_load(hits, total, more)
    slow, ones = (late > max(model.bursts.point, BURST)).astype(np.float64), np.ones(len(tick))
    tracks = {
        TAILS[signal]: Observed(tick, hits, total, hits / total),
        BURSTS[signal]: Observed(tick, slow, ones, slow),
    }
    return tracks, [counted(TAILS[signal], at, distance, count), counted(BURSTS[signal], tick, late, ones)]


def stray(signal: str, model: WorkloadModel, ticks: Ticks, design: Floats, values: Measured) -> None:
    """Learn from a warm-up how far requests lie from the rest of their tick, and ticks from the others."""
    residual, at = model.residual(design, values), ticks.tick[values.row]
    tick, middle, total = by_tick(signal, at, residual, values.count, int(at[0]), int(at[-1] - at[0]) + 1)
    row = tick.searchsorted(at)
    model.tail.learn(apart(residual, middle[row], total[row]), values.count)
    model.bursts.learn(surely(middle, total, model.scale), np.ones(len(middle)))

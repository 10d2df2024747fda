"""Answers → signals by tick, as the detectors take them, and sums by segment, to say who was hit."""

from __future__ import annotations

import numpy as np

from driftwatch.baseline.judged import Observed, SegmentSums
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import group_by


def share_of(tick: Ints, hits: Floats) -> Observed:
    """Count hits by tick; NaN is not counted.

    Parameters
    ----------
    tick
        Shape (n,): ascending.
    hits
        Shape (n,): 0 or 1.

    Examples
    --------
    >>> track = share_of(np.array([4, 4, 6]), np.array([1.0, 0.0, np.nan]))
    >>> track.tick.tolist(), track.value.tolist(), track.total.tolist()
    ([4], [1.0], [2.0])
    """
    at, total, count = _by_tick(tick, hits)
    return Observed(at, total, count, total / np.maximum(count, 1.0))


def mean_of(tick: Ints, values: Floats, raw: Floats | None = None) -> Observed:
    """Mean of each tick; NaN is not counted."""
    at, total, count = _by_tick(tick, values)
    mean = total / np.maximum(count, 1.0)
    shown = mean if raw is None else _by_tick(tick, np.where(np.isnan(values), np.nan, raw))[1] / np.maximum(count, 1.0)
    return Observed(at, mean, count, shown)


def segments_of(tick: Ints, segment: Ints, excess: Floats, raw: Floats) -> SegmentSums:
    """Sums by tick and segment of what lies above the usual; NaN is not counted."""
    known = np.isfinite(excess)
    tick, segment, excess, raw = tick[known], segment[known], excess[known], raw[known]
    first, group = group_by(tick, segment)
    count, total, squares, whole = (sums(group, x, len(first)) for x in (np.ones(len(tick)), excess, excess**2, raw))
    return SegmentSums(tick[first], segment[first], count, total, squares, whole)


def _by_tick(tick: Ints, values: Floats) -> tuple[Ints, Floats, Floats]:
    """Ticks that have values, their sums, and how many there are."""
    known = np.flatnonzero(np.isfinite(values))
    tick, values = tick[known], values[known]
    begins = np.flatnonzero(np.diff(tick, prepend=-1))
    if not len(begins):
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    count = np.diff(begins, append=len(tick)).astype(np.float64)
    return tick[begins], np.add.reduceat(values, begins), count

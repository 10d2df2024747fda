"""What a baseline hands on: a stream's ticks, less what its workload explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints


@saved
@dataclass(frozen=True, slots=True)
class Observed:
    """One signal of one stream by tick, as the detectors take it.

    Parameters
    ----------
    tick
        Shape (n,): ticks that have a value.
    value
        Shape (n,): a location in log units (beyond what the workload explains), or a count of hits for a share.
    total
        Shape (n,): requests behind it.
    raw
        Shape (n,): location of the log value itself; for a share, the share.
    level
        What the baseline expects of an average workload, which ``value`` is beyond.
    allowed
        Shape (n,): by how much users alone may have raised it, though what was learnt does not say so; None if by
        nothing.
    """

    tick: Ints
    value: Floats
    total: Floats
    raw: Floats
    level: float = 0.0
    allowed: Floats | None = None


@saved
@dataclass(frozen=True, slots=True)
class Each:
    """Numbers of single answers.

    Parameters
    ----------
    tick
        Shape (n,): ascending.
    values
        By signal, shape (n,); NaN where an answer has none.
    """

    tick: Ints
    values: Mapping[str, Floats]


@saved
@dataclass(frozen=True, slots=True)
class SegmentSums:
    """Residuals of one signal by tick and segment.

    Parameters
    ----------
    tick, segment
        Shape (n,): keys.
    count, total, squares
        Shape (n,): requests, sum and sum of squares of their (bounded) residuals in log units.
    raw
        Shape (n,): sum of the log values.
    """

    tick: Ints
    segment: Ints
    count: Floats
    total: Floats
    squares: Floats
    raw: Floats


@saved
@dataclass(frozen=True, slots=True)
class Judged:
    """Ticks of one stream, judged.

    Parameters
    ----------
    tracks
        By signal.
    segments
        By signal that is judged given the workload.
    requests
        Requests by tick, over all ticks judged.
    each
        Numbers that answers have each for itself; their tracks have the means of ticks.
    """

    tracks: Mapping[str, Observed]
    segments: Mapping[str, SegmentSums]
    requests: Floats
    each: Each | None = None


def beside(one: Judged | None, other: Judged | None) -> Judged | None:
    """What was measured of a stream, and what it said."""
    if one is None or other is None:
        return one or other
    return Judged({**one.tracks, **other.tracks}, {**one.segments, **other.segments}, one.requests, other.each)

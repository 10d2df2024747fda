"""Who was hit, from a stream's history: its segments compared before and after the onset."""

from __future__ import annotations

import math

import numpy as np

from driftwatch.attribution.scene import Scene
from driftwatch.attribution.segments import Cells, find_segments
from driftwatch.baseline import SegmentSums
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.life import Alarm
from driftwatch.incidents.models import Segment
from driftwatch.statistics.buckets import Floats, Ints

_NEARLY_ALL = 0.95


def segments_of(scene: Scene, lead: Alarm, first: int, last: int) -> tuple[Segment, ...]:
    """The parts of the traffic that the leading signal hit harder than the rest.

    Where one part is all that can be judged, though others have traffic too (a tenant that is new, say), it is named
    with a lift of 1: nothing is known of the rest.

    Parameters
    ----------
    scene
        What is known around the incident.
    lead
        Its leading alarm.
    first, last
        Ticks that are looked at.
    """
    signal = BY_NAME[lead.signal].tail_of or lead.signal  # the slowest are compared by how slow they are
    sums = scene.histories[lead.stream].segment_sums(signal, first, last)
    numbers = np.unique(sums.segment)
    if not len(numbers):
        return ()
    after = sums.tick >= lead.shift.onset
    cells = _cells(scene, sums, numbers, after)
    found = find_segments(cells, signal=signal) or _only(scene, lead.stream, signal, cells)
    return tuple(_in_units(segment, scene, sums, numbers, after) for segment in found)


def _cells(scene: Scene, sums: SegmentSums, numbers: Ints, after: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Cells:
    where = [scene.segments.where(int(n)) for n in numbers]
    position = np.searchsorted(numbers, sums.segment)

    def total(values: Floats, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
        return np.asarray(np.bincount(position[rows], weights=values[rows], minlength=len(numbers)), np.float64)

    return Cells(
        labels={label: [w.get(label) for w in where] for label in scene.segments.labels},
        n_before=total(sums.count, ~after),
        n_after=total(sums.count, after),
        sum_before=total(sums.total, ~after),
        sum_after=total(sums.total, after),
        squares_before=total(sums.squares, ~after),
        squares_after=total(sums.squares, after),
    )


def _only(scene: Scene, stream: str, signal: str, cells: Cells) -> tuple[Segment, ...]:
    """The one value of a label that holds nearly all judged requests, where the traffic has others."""
    traffic = [scene.segments.where(n) for n in scene.histories[stream].segment_numbers()]
    requests = max(float(cells.n_after.sum()), 1.0)
    for label, values in cells.labels.items():
        if len({w.get(label) for w in traffic}) < 2:
            continue
        for value in dict.fromkeys(v for v in values if v is not None):
            n = float(cells.n_after[[v == value for v in values]].sum())
            if n >= _NEARLY_ALL * requests:
                return (
                    Segment(
                        where={label: value},
                        share=n / requests,
                        lift=1.0,
                        compared=False,
                        signal=signal,
                        requests=int(n),
                    ),
                )
    return ()


def _in_units(
    segment: Segment,
    scene: Scene,
    sums: SegmentSums,
    numbers: Ints,
    after: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> Segment:
    """Before and after as geometric means in the signal's unit, before for the workload of after."""
    own = [n for n in numbers if segment.where.items() <= scene.segments.where(int(n)).items()]
    rows = np.isin(sums.segment, own)
    now, then = rows & after, rows & ~after
    n_now, n_then = (max(float(sums.count[r].sum()), 1.0) for r in (now, then))
    typical = float(sums.raw[now].sum()) / n_now
    moved = float(sums.total[now].sum()) / n_now - float(sums.total[then].sum()) / n_then
    return segment.model_copy(update={"before": math.exp(typical - moved), "after": math.exp(typical)})

"""Who was hit, from a stream's history: its segments compared before and after the onset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.scene import Scene
from driftwatch.attribution.segments import Cells, find_segments
from driftwatch.baseline import PARTS, SegmentSums, part_labels, parts_name
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.life import Alarm
from driftwatch.incidents.models import Segment
from driftwatch.statistics.buckets import Floats, Ints

_NEARLY_ALL = 0.95
_OF_PARTS = ("prefill_share",)  # what the cache had is what it measures: its parts would only say that again


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
    measured = _measured(scene, lead.stream, signal, first, last)
    if not len(measured.numbers):
        return ()
    after = measured.sums.tick >= lead.shift.onset
    cells = _cells(measured, after)
    found = find_segments(cells, signal=signal) or _only(scene, lead.stream, signal, cells)
    return tuple(_in_units(segment, measured, after) for segment in found)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of one signal, and the labels behind each of their numbers."""

    sums: SegmentSums
    numbers: Ints
    where: list[dict[str, str]]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for where in self.where for label in where))


def _measured(scene: Scene, stream: str, signal: str, first: int, last: int) -> _Sums:
    """By segment and part where that is known: a state of an older version, and texts, have segments only."""
    sums = scene.histories[stream].segment_sums(parts_name(signal), first, last)
    if len(sums.tick) and signal not in _OF_PARTS:
        numbers = np.unique(sums.segment)
        return _Sums(
            sums, numbers, [scene.segments.where(n // PARTS) | part_labels(n % PARTS) for n in numbers.tolist()]
        )
    sums = scene.histories[stream].segment_sums(signal, first, last)
    numbers = np.unique(sums.segment)
    return _Sums(sums, numbers, [scene.segments.where(n) for n in numbers.tolist()])


def _cells(measured: _Sums, after: NDArray[np.bool_]) -> Cells:
    sums, numbers = measured.sums, measured.numbers
    position = np.searchsorted(numbers, sums.segment)

    def total(values: Floats, rows: NDArray[np.bool_]) -> Floats:
        return np.asarray(np.bincount(position[rows], weights=values[rows], minlength=len(numbers)), np.float64)

    return Cells(
        labels={label: [w.get(label) for w in measured.where] for label in measured.labels},
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


def _in_units(segment: Segment, measured: _Sums, after: NDArray[np.bool_]) -> Segment:
    """Before and after as geometric means in the signal's unit, before for the workload of after."""
    own = [
        n for n, where in zip(measured.numbers, measured.where, strict=True) if segment.where.items() <= where.items()
    ]
    rows = np.isin(measured.sums.segment, own)
    before, typical = _typical(measured.sums, rows, after)
    found: dict[str, float | None] = {"before": before, "after": typical}
    if BY_NAME[segment.signal].shape == "duration" and segment.compared:
        others = _typical(measured.sums, ~rows, after)
        found |= {"added": typical - before, "rest": others[1] - others[0]}
    return segment.model_copy(update=found)


def _typical(sums: SegmentSums, rows: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, float]:
    now, then = rows & after, rows & ~after
    n_now, n_then = (max(float(sums.count[r].sum()), 1.0) for r in (now, then))
    typical = float(sums.raw[now].sum()) / n_now
    moved = float(sums.total[now].sum()) / n_now - float(sums.total[then].sum()) / n_then
    return math.exp(typical - moved), math.exp(typical)

"""What one stream did, kept for as long as an explanation may need it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline import Judged, Observed, SegmentSums
from driftwatch.baseline.parts import added, is_by_part
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks import Ticks
from driftwatch.ticks.tick import joined

NEAR_THE_BOUND = 2.0
"""Residuals by segment are bounded at 3 or more: a mean beyond this may be of some that were cut."""


@dataclass(slots=True)
class StreamHistory:
    """Judged signals, segments and flows of one stream by tick.

    Parameters
    ----------
    observed, segments
        Pieces by signal, in order of time.
    flows
        What began and ended, piece by piece; a tick may recur, for long requests are known late.
    """

    observed: dict[str, deque[Observed]] = field(default_factory=dict)
    segments: dict[str, deque[SegmentSums]] = field(default_factory=dict)
    flows: deque[Ticks] = field(default_factory=deque)

    def add(self, judged: Judged) -> None:
        """Keep judged ticks."""
        for name, seen in judged.tracks.items():
            if not len(seen.tick):
                continue
            self.observed.setdefault(name, deque()).append(seen)
        for name, parts in judged.segments.items():
            if not len(parts.tick):
                continue
            self.segments.setdefault(name, deque()).append(parts)

    def add_flow(self, ticks: Ticks) -> None:
        """Keep what began and what ended."""
        if len(ticks.flow_tick):
            self.flows.append(ticks.flows())

    def settle(self, since: int) -> None:
        """Put the pieces from a tick on together: one tick each, they would take many times the memory.

        What several signals have in common (their ticks, their requests) is kept once.
        """
        once: Once = {}
        for observed in self.observed.values():
            _join(observed, since, once)
        for name, segments in self.segments.items():
            _join(segments, since, once, added if is_by_part(name) else _as_it_is)
        late: list[Ticks] = []
        while self.flows and self.flows[-1].flow_known[0] >= since:
            late.insert(0, self.flows.pop())
        if late:
            self.flows.append(joined(late))

    def keep(self) -> dict[str, Any]:
        """All that is known: the pieces of a signal end to end, and how long each is."""
        flows = list(self.flows)
        return {
            "observed": {name: (_joined(p), [len(x.tick) for x in p]) for name, p in self.observed.items() if p},
            "segments": {name: (_joined(p), [len(x.tick) for x in p]) for name, p in self.segments.items() if p},
            "flows": (joined(flows), [len(piece.flow_tick) for piece in flows]),
        }

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        self.observed = {name: _taken_up(*known) for name, known in state["observed"].items()}
        self.segments = {name: _taken_up(*known) for name, known in state["segments"].items()}
        flows, lengths = state["flows"]
        ends = np.cumsum([0, *lengths]).tolist()
        self.flows = deque(flows.flow_rows(a, b) for a, b in pairwise(ends))

    def trim(self, before: int) -> None:
        """Forget what lies before this tick."""
        every: list[deque[Any]] = [*self.observed.values(), *self.segments.values()]
        for pieces in every:
            while pieces and (not len(pieces[0].tick) or pieces[0].tick[-1] < before):
                pieces.popleft()
        while self.flows and self.flows[0].flow_known[-1] < before:
            self.flows.popleft()

    def signal(self, name: str, first: int, last: int) -> tuple[Floats, Floats, Floats]:
        """One signal in each tick of ``[first, last]``: value, raw value, requests; NaN (and 0) where there is none."""
        value, raw, total = (np.full(last - first + 1, fill) for fill in (np.nan, np.nan, 0.0))
        for piece in self.observed.get(name, ()):
            rows = (piece.tick >= first) & (piece.tick <= last)
            at = piece.tick[rows] - first
            value[at], raw[at], total[at] = piece.value[rows], piece.raw[rows], piece.total[rows]
        return value, raw, total

    def segment_sums(self, name: str, first: int, last: int) -> SegmentSums:
        """One signal's sums by tick and segment in ``[first, last]``."""
        pieces = self.segments.get(name, ())
        columns = [[getattr(p, c)[(p.tick >= first) & (p.tick <= last)] for p in pieces] for c in _COLUMNS]
        joined = [np.concatenate(c) if c else np.empty(0) for c in columns]
        return SegmentSums(joined[0].astype(np.int64), joined[1].astype(np.int64), *joined[2:])

    def mean_within(self, name: str, segments: Collection[int], first: int, last: int) -> Floats:
        """One signal's mean excess over some segments in each tick of ``[first, last]``; NaN where there is none.

        Summed residuals are bounded, so that one request makes no part. Where most of a tick's are at the bound, the
        values themselves say how much, beside what is expected in other ticks: else it would have no ups and downs.
        """
        found, n = self.segment_sums(name, first, last), last - first + 1
        rows = np.isin(found.segment, list(segments))
        columns = (found.count, found.total, found.raw)
        count, total, raw = (sums(found.tick[rows] - first, column[rows], n) for column in columns)
        some = np.where(count > 0, np.maximum(count, 1e-9), np.nan)
        mean, value = total / some, raw / some
        cut, usual = np.abs(mean) >= NEAR_THE_BOUND, np.abs(mean) < NEAR_THE_BOUND
        if not (cut.any() and usual.any()):
            return np.asarray(mean)
        beyond = value - float(np.median((value - mean)[usual]))
        return np.where(cut & (np.sign(mean) * beyond > np.abs(mean)), beyond, mean)

    def segment_numbers(self) -> list[int]:
        """Segments that ever had traffic here."""
        return sorted({int(s) for piece in self.flows for s in np.unique(piece.flow_segment)})

    def flow(self, first: int, last: int, segments: list[int] | None = None) -> tuple[Floats, Floats, Floats]:
        """In each tick of ``[first, last]``: requests begun, tokens they brought, and tokens held at its end.

        Parameters
        ----------
        segments
            Only these; all if None.
        """
        n = last - first + 1
        begun, brought, change = np.zeros(n), np.zeros(n), np.zeros(n)
        held = 0.0
        for piece in self.flows:
            rows: Ints = np.flatnonzero(piece.flow_known <= last)
            if segments is not None:
                rows = rows[np.isin(piece.flow_segment[rows], segments)]
            net = (piece.started_tokens - piece.ended_tokens)[rows]
            inside = piece.flow_tick[rows] >= first
            held += float(net[~inside].sum())
            at = piece.flow_tick[rows[inside]] - first
            np.add.at(begun, at, piece.started[rows[inside]])
            np.add.at(brought, at, piece.started_tokens[rows[inside]])
            np.add.at(change, at, net[inside])
        return begun, brought, np.maximum(held + np.cumsum(change), 0.0)


_COLUMNS = ("tick", "segment", "count", "total", "squares", "raw")
Piece = TypeVar("Piece", Observed, SegmentSums)
Once = dict[tuple[str, bytes], NDArray[Any]]
"""Columns by their content."""


def _joined(pieces: Collection[Piece]) -> Piece:
    """Pieces that follow one another as one; what is not by tick is that of the first."""
    first = next(iter(pieces))
    columns: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in pieces]) for name in _arrays(first)}
    return replace(first, **columns)


def _as_it_is(piece: Piece) -> Piece:
    return piece


def _join(pieces: deque[Piece], since: int, once: Once, summed: Callable[[Piece], Piece] = _as_it_is) -> None:
    late: list[Piece] = []
    while pieces and pieces[-1].tick[0] >= since:
        late.insert(0, pieces.pop())
    if late:
        whole = summed(_joined(late))
        columns: dict[str, Any] = {name: _kept(getattr(whole, name), once) for name in _arrays(whole)}
        pieces.append(replace(whole, **columns))


def _kept(column: NDArray[Any], once: Once) -> NDArray[Any]:
    return once.setdefault((column.dtype.char, column.tobytes()), column)


def _taken_up(whole: Piece, lengths: Sequence[int]) -> deque[Piece]:
    """Pieces of these lengths, from all of them end to end."""
    names, ends = _arrays(whole), np.cumsum([0, *lengths]).tolist()

    def piece(start: int, end: int) -> Piece:
        columns: dict[str, Any] = {name: getattr(whole, name)[start:end] for name in names}
        return replace(whole, **columns)

    return deque(piece(start, end) for start, end in pairwise(ends))


def _arrays(piece: Observed | SegmentSums) -> list[str]:
    return [f.name for f in fields(piece) if isinstance(getattr(piece, f.name), np.ndarray)]

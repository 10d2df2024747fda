"""What one stream did, kept for as long as an explanation may need it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from driftwatch.attribution.pieces import Once, Piece, Pieces, forget, read, restored, saved, settle
from driftwatch.baseline import Judged, Observed, SegmentSums
from driftwatch.baseline.parts import added, is_by_part
from driftwatch.baseline.pending import NEVER
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks import Ticks

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

    observed: dict[str, Pieces[Observed]] = field(default_factory=dict)
    segments: dict[str, Pieces[SegmentSums]] = field(default_factory=dict)
    flows: Pieces[Ticks] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        """Keep judged ticks."""
        for name, seen in judged.tracks.items():
            if len(seen.tick):
                self.observed.setdefault(name, []).append(seen)
        for name, parts in judged.segments.items():
            if len(parts.tick):
                self.segments.setdefault(name, []).append(parts)

    def add_flow(self, ticks: Ticks) -> None:
        """Keep what began and what ended."""
        if len(ticks.flow_tick):
            self.flows.append(ticks.flows())

    def settle(self, since: int) -> None:
        """Put the pieces from a tick on together: one tick each, they would take many times the memory."""
        once: Once = {}
        for observed in self.observed.values():
            settle(observed, since, once, _as_it_is)
        for name, segments in self.segments.items():
            settle(segments, since, once, added if is_by_part(name) else _as_it_is)
        settle(self.flows, since, once, _as_it_is)

    def keep(self) -> dict[str, Any]:
        """All that is known: the pieces of a signal end to end, and how long each is."""
        return {
            "observed": {name: saved(pieces) for name, pieces in self.observed.items() if pieces},
            "segments": {name: saved(pieces) for name, pieces in self.segments.items() if pieces},
            "flows": saved(self.flows) if self.flows else None,
        }

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        self.observed = {name: restored(*known) for name, known in state["observed"].items()}
        self.segments = {name: restored(*known) for name, known in state["segments"].items()}
        self.flows = restored(*state["flows"]) if state["flows"] else []

    def trim(self, before: int) -> None:
        """Forget what lies before this tick."""
        every: list[Pieces[Any]] = [*self.observed.values(), *self.segments.values(), self.flows]
        for pieces in every:
            forget(pieces, before)

    def signal(self, name: str, first: int, last: int) -> tuple[Floats, Floats, Floats]:
        """One signal in each tick of ``[first, last]``: value, raw value, requests; NaN (and 0) where there is none."""
        value, raw, total = (np.full(last - first + 1, fill) for fill in (np.nan, np.nan, 0.0))
        for piece in read(self.observed.get(name, ()), first, last):
            rows = (piece.tick >= first) & (piece.tick <= last)
            at = piece.tick[rows] - first
            value[at], raw[at], total[at] = piece.value[rows], piece.raw[rows], piece.total[rows]
        return value, raw, total

    def segment_sums(self, name: str, first: int, last: int) -> SegmentSums:
        """One signal's sums by tick and segment in ``[first, last]``."""
        pieces = list(read(self.segments.get(name, ()), first, last))
        columns = [[getattr(p, c)[(p.tick >= first) & (p.tick <= last)] for p in pieces] for c in _KEYS + _SUMS]
        whole = [np.concatenate(c) if c else np.empty(0) for c in columns]
        tick, segment = (column.astype(np.int64) for column in whole[: len(_KEYS)])
        return SegmentSums(tick, segment, *(column.astype(np.float64) for column in whole[len(_KEYS) :]))

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
        return sorted({int(s) for piece in read(self.flows, 0, NEVER) for s in np.unique(piece.flow_segment)})

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
        for piece in read(self.flows, 0, last):
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


_KEYS, _SUMS = ("tick", "segment"), ("count", "total", "squares", "raw")


def _as_it_is(piece: Piece) -> Piece:
    return piece

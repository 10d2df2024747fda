"""What was judged and is not learnt yet: it may turn out to belong to an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.features import Workload
from driftwatch.events.signals import BURSTS, TAILS
from driftwatch.state import saved
from driftwatch.state.compact import compressed, expanded, single
from driftwatch.statistics.buckets import Floats, Ints, bucket_of
from driftwatch.ticks.tick import Ticks, empty, joined

NEVER = 2**60
"""A tick beyond all others."""
SLOWEST = (*TAILS.values(), *BURSTS.values())
"""Signals that count the slowest, in the order of their numbers."""
_KEPT = ("tick", "segment", "outcomes", "row", "code", "count")  # of ticks: what is learnt from


@saved
@dataclass(frozen=True, slots=True)
class Pending:
    """Judged rows that may be learnt from once they are old enough; numbers are good to seven digits.

    Parameters
    ----------
    workload, ticks
        The rows; of ticks only what is learnt from.
    apart
        Shape (4, m): number of a signal in `SLOWEST`, tick, bucket of the distance, and how many lie there.
    asked
        Shape (4, n): ticks, and what users asked of the prefix cache in each (`driftwatch.baseline.reuse.Asked`).
    """

    workload: Workload
    ticks: Ticks
    apart: Ints = field(default_factory=lambda: np.empty((4, 0), np.int64))
    asked: Floats = field(default_factory=lambda: np.empty((4, 0)))

    @classmethod
    def of(cls, workload: Workload, ticks: Ticks, apart: Ints, asked: Floats) -> Pending:
        """Keep what is needed of judged rows, rounded as it is when it is shelved."""
        rounded = replace(workload, logs=_rounded(workload.logs), load=_rounded(workload.load))
        columns: dict[str, Any] = {name: getattr(ticks, name) for name in _KEPT}
        kept = replace(empty(), **columns)
        return cls(rounded, kept, apart, np.vstack([asked[:1], _rounded(asked[1:])]))

    @property
    def first(self) -> int:
        """Its first tick."""
        return int(self.asked[0, 0])

    def between(self, first: int, last: int) -> Pending:
        """The part in these ticks, both included."""
        known = self.asked[0]
        if len(known) and first <= known[0] and known[-1] <= last:
            return self
        apart = self.apart[:, (self.apart[1] >= first) & (self.apart[1] <= last)]
        asked = self.asked[:, slice(*self.asked[0].searchsorted([first, last + 1]))]
        return Pending(self.workload.between(first, last), self.ticks.between(first, last), apart, asked)


@dataclass(frozen=True, slots=True)
class Shelved:
    """The same, compressed until it is old enough.

    Parameters
    ----------
    first
        Its first tick.
    tables
        Of rows, buckets, distances and ticks: how many, and as `driftwatch.state.compact.compressed` gives them.
    """

    first: int
    tables: tuple[tuple[int, str, bytes], ...]

    @classmethod
    def of(cls, pending: Pending) -> Shelved:
        """Put it away."""
        rows, ticks, asked = pending.workload, pending.ticks, pending.asked
        whole = (rows.tick, ticks.segment, rows.requests.astype(np.int64))
        tables: tuple[list[NDArray[Any]], ...] = (
            [*whole, *ticks.outcomes.T, *rows.cells.T, single(rows.load), *single(rows.logs).T],
            [ticks.row, ticks.code, ticks.count],
            [*pending.apart],
            [asked[0].astype(np.int64), *single(asked[1:])],
        )
        return cls(pending.first, tuple((len(table[0]), *compressed(table)) for table in tables))

    @property
    def pending(self) -> Pending:
        """Take it out again."""
        rows, buckets, apart, asked = (expanded(kinds, n, data) for n, kinds, data in self.tables)
        tick, segment, requests = rows[:3]
        outcomes, cells, logs = (np.stack(rows[k : k + 3], axis=1) for k in (3, 6, 10))
        load, logs, requests = (x.astype(np.float64) for x in (rows[9], logs, requests))
        row, code, count = buckets
        ticks = replace(empty(), tick=tick, segment=segment, outcomes=outcomes, row=row, code=code, count=count)
        return Pending(
            Workload(tick, logs, cells, load, requests), ticks, np.stack(apart), np.stack(asked).astype(np.float64)
        )


class Queue:
    """Pieces in order of time, the older ones shelved.

    Attributes
    ----------
    shelf, newest
        Those that are put away, and those that came since.
    """

    def __init__(self, pieces: Sequence[Pending] = ()) -> None:
        self.shelf: list[Shelved] = [Shelved.of(piece) for piece in pieces]
        self.newest: list[Pending] = []

    def __len__(self) -> int:
        return len(self.shelf) + len(self.newest)

    def add(self, piece: Pending) -> None:
        """Add what was judged."""
        self.newest.append(piece)

    def every(self) -> list[Pending]:
        """All that waits."""
        return [*(shelved.pending for shelved in self.shelf), *self.newest]

    def take(self, before: int) -> list[Pending]:
        """Take out what is older than a tick, and shelve the rest."""
        ripe = [piece for piece in self.shelf if piece.first < before]
        rest = self.shelf[len(ripe) :]
        found = [piece.pending for piece in ripe] + [piece for piece in self.newest if piece.first < before]
        cut = [piece.between(before, NEVER) for piece in found if piece.asked[0, -1] >= before]
        new = [piece for piece in self.newest if piece.first >= before]
        self.shelf = [*map(Shelved.of, cut), *rest, *(Shelved.of(one_of(some)) for some in [new] if some)]
        self.newest = []
        return [piece.between(-NEVER, before - 1) for piece in found]


def one_of(parts: Sequence[Pending]) -> Pending:
    """Rows that follow one another as one, so that the cuts of batches leave no trace."""
    if len(parts) == 1:
        return parts[0]
    rows = [p.workload for p in parts]
    names = ("tick", "logs", "cells", "load", "requests")
    workload = Workload(*(np.concatenate([getattr(row, name) for row in rows]) for name in names))
    apart, asked = (np.concatenate([getattr(p, name) for p in parts], axis=1) for name in ("apart", "asked"))
    return Pending(workload, joined([p.ticks for p in parts]), apart, asked)


def counted(name: str, tick: Ints, distance: Floats, count: Floats) -> Ints:
    """Distances of one signal as `Pending` keeps them: by bucket."""
    number = np.full(len(tick), SLOWEST.index(name))
    return np.stack([number, tick, bucket_of(np.exp(distance)), count.astype(np.int64)])


def outside(skip: tuple[int, int] | None, before: int) -> list[tuple[int, int]]:
    """Spans of ticks before this one that are not in ``skip``, both ends included."""
    if skip is None:
        return [(-NEVER, before - 1)]
    return [(-NEVER, min(skip[0], before) - 1), (skip[1] + 1, before - 1)]


def _rounded(values: Floats) -> Floats:
    return single(values).astype(np.float64)

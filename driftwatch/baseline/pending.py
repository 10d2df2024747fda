"""What was judged and is not learnt yet: it may turn out to belong to an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from driftwatch.baseline.features import Workload
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.ticks.tick import Ticks, joined

NEVER = 2**60
"""A tick beyond all others."""


@saved
@dataclass(frozen=True, slots=True)
class Pending:
    """Judged rows that may be learnt from once they are old enough.

    Parameters
    ----------
    workload, ticks
        The rows.
    apart
        By signal that counts the slowest: tick, distance, and how many lie there.
    asked
        Shape (4, n): ticks, and what users asked of the prefix cache in each (`driftwatch.baseline.reuse.Asked`).
    """

    workload: Workload
    ticks: Ticks
    apart: Mapping[str, tuple[Ints, Floats, Floats]] = field(default_factory=dict)
    asked: Floats = field(default_factory=lambda: np.empty((4, 0)))

    def between(self, first: int, last: int) -> Pending:
        """The part in these ticks, both included."""
        known = self.asked[0]
        if len(known) and first <= known[0] and known[-1] <= last:
            return self
        apart = {}
        for signal, columns in self.apart.items():
            start, end = columns[0].searchsorted([first, last + 1])
            apart[signal] = (columns[0][start:end], columns[1][start:end], columns[2][start:end])
        asked = self.asked[:, slice(*self.asked[0].searchsorted([first, last + 1]))]
        return Pending(self.workload.between(first, last), self.ticks.between(first, last), apart, asked)


def one_of(parts: Sequence[Pending]) -> Pending:
    """Rows that follow one another as one, without their distances, so that the cuts of batches leave no trace."""
    parts = [p for p in parts if len(p.ticks)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    rows = [p.workload for p in parts]
    names = ("tick", "logs", "cells", "load", "requests")
    workload = Workload(*(np.concatenate([getattr(row, name) for row in rows]) for name in names))
    return Pending(workload, joined([p.ticks for p in parts]))


def outside(skip: tuple[int, int] | None, before: int) -> list[tuple[int, int]]:
    """Spans of ticks before this one that are not in ``skip``, both ends included."""
    if skip is None:
        return [(-NEVER, before - 1)]
    return [(-NEVER, min(skip[0], before) - 1), (skip[1] + 1, before - 1)]

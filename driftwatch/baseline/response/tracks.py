"""Answers → signals by tick, as the detectors take them, and sums by segment, to say who was hit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.judged import Observed, SegmentSums
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.ticks.tick import in_order


@dataclass(frozen=True, slots=True)
class Rows:
    """Answers by tick, and by tick and segment: grouped once for all signals.

    Parameters
    ----------
    tick, segment
        Shape (n,): ascending ticks, and the segment of each answer.
    begins
        The first row of each tick.
    order, start
        The rows by tick and segment, and where among them each group begins.

    Examples
    --------
    >>> rows = Rows.of(np.array([4, 4, 6]), np.array([1, 0, 0]))
    >>> share = rows.shares({"loop_share": np.array([1.0, 0.0, np.nan])})["loop_share"]
    >>> share.tick.tolist(), share.value.tolist(), share.total.tolist()
    ([4], [1.0], [2.0])
    """

    tick: Ints
    segment: Ints
    begins: NDArray[np.intp]
    order: Ints
    start: Ints

    @classmethod
    def of(cls, tick: Ints, segment: Ints) -> Rows:
        """Group them."""
        return cls(tick, segment, np.flatnonzero(np.diff(tick, prepend=tick[:1] - 1)), *in_order(tick, segment))

    def shares(self, hits: Mapping[str, Floats]) -> dict[str, Observed]:
        """Count hits (0 or 1) by tick; NaN is not counted, and a signal that has no answer is left out."""
        return {name: Observed(at, hit, n, hit / n) for name, at, hit, n in self._by_tick(hits)}

    def means(self, values: Mapping[str, Floats], raw: Mapping[str, Floats] | None = None) -> dict[str, Observed]:
        """Mean of each tick, likewise; ``raw`` has what is shown instead, by signal."""
        shown = {name: total / n for name, _, total, n in self._by_tick(raw or {})}
        found = self._by_tick(values)
        return {name: Observed(at, total / n, n, shown.get(name, total / n)) for name, at, total, n in found}

    def segments(self, values: Mapping[str, Floats]) -> dict[str, SegmentSums]:
        """Sums by tick and segment; NaN is not counted."""
        if not len(self.tick) or not values:
            return {}
        known, filled = _known(values)
        at = self.order[self.start]
        count, total, squares = (_sums(x[self.order], self.start) for x in (known, filled, filled**2))
        tick, segment = self.tick[at], self.segment[at]
        found = {}
        for k, name in enumerate(values):
            some = slice(None) if count[:, k].all() else count[:, k] > 0
            n, sums, square = count[some, k], total[some, k], squares[some, k]
            if n.any():
                found[name] = SegmentSums(tick[some], segment[some], n, sums, square, sums)
        return found

    def _by_tick(self, values: Mapping[str, Floats]) -> list[tuple[str, Ints, Floats, Floats]]:
        """Of each signal its ticks, their sums, and how many answers they have."""
        if not len(self.tick) or not values:
            return []
        known, filled = _known(values)
        count, total = _sums(known, self.begins), _sums(filled, self.begins)
        tick = self.tick[self.begins]
        found = []
        for k, name in enumerate(values):
            some = slice(None) if count[:, k].all() else count[:, k] > 0
            if count[:, k].any():
                found.append((name, tick[some], total[some, k], count[some, k]))
        return found


def _known(values: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Signals side by side: which answers have one (1 or 0), and the values, 0 where there is none."""
    columns = np.stack(list(values.values()), axis=1)
    known = np.isfinite(columns)
    return known.astype(np.float64), np.where(known, columns, 0.0)


def _sums(columns: Floats, begins: NDArray[np.intp] | Ints) -> Floats:
    return np.asarray(np.add.reduceat(columns, begins, axis=0))

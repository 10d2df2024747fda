"""What detectors share: the newest rows, the evidence at each, and when it began, in constant memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.detectors.protocol import Recent, Shift
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.evidence import accumulate, change_time

KEPT = 1440
"""Ticks kept for the estimate of the change time (two hours of 5 s ticks)."""
HEAD_START = 24.0
"""R begins as if so many healthy ticks had been watched: what is broken from the start is found sooner."""
_LATELY = 24  # rows that are looked at first
_SPARE = KEPT // 4  # rows to fill before the oldest are let go


class Memory:
    """The newest rows of several series, and their evidence both ways.

    Parameters
    ----------
    series
        How many.
    weights
        Shape (k,): of the bets.
    """

    def __init__(self, series: int, weights: Floats) -> None:
        self.weights = weights
        self.r = np.full((2 * series, len(weights)), HEAD_START)
        self.since = np.zeros(series, np.int64)
        self.watched = np.zeros(series, np.int64)
        one, both = (series,), (series, 2)
        self.store = np.empty(
            KEPT + _SPARE,
            np.dtype(
                [
                    ("tick", np.int64),
                    ("value", np.float64, one),
                    ("total", np.float64, one),
                    ("watched", np.int32, one),
                    ("strength", np.float64, both),
                    ("mark", np.int16, both),
                ]
            ),
        )
        self.end = 0

    def parts(self) -> dict[str, Any]:
        """What is saved: all but the room for rows to come."""
        return vars(self) | {"store": self.rows.copy()}

    @property
    def rows(self) -> NDArray[np.void]:
        """The rows that are kept, oldest first."""
        return self.store[: self.end]

    def bet(self, factors: Floats, seen: NDArray[np.bool_] | None) -> Floats:
        """Take factors of shape (n, s, 2, k); returns the strength of the evidence both ways, shape (n, s, 2)."""
        n, s, sides, bets = factors.shape
        both = None if seen is None else np.repeat(seen, sides, axis=1)
        strength, self.r = accumulate(factors.reshape(n, s * sides, bets), self.r, self.weights, both)
        return strength.reshape(n, s, sides)

    def append(self, tick: Ints, value: Floats, total: Floats, strength: Floats, mark: Ints | None = None) -> None:
        """Keep rows, with a mark of the detector's own; where a series was not judged its strength is 0."""
        watched = self.watched + (strength[:, :, 0] > 0.0).cumsum(axis=0)
        self.watched = watched[-1]
        new = self._room(len(tick))
        new["tick"], new["value"], new["total"], new["strength"], new["watched"] = tick, value, total, strength, watched
        new["mark"] = 0 if mark is None else mark

    def _room(self, n: int) -> NDArray[np.void]:
        """The next n rows; the oldest give way when there is no room, and the newest ones always stay.

        They move within the same memory where they can: what grows by a new copy leaves holes.
        """
        if self.end + n > len(self.store):
            kept = self.store[max(self.end - KEPT, 0) : self.end]
            self.end = len(kept)
            if self.end + n > len(self.store):
                self.store = np.empty(KEPT + max(n, _SPARE), self.store.dtype)
            self.store[: self.end] = kept
        self.end += n
        return self.store[self.end - n : self.end]

    def log_e(self, strength: Floats) -> Floats:
        """Natural logarithm of R from the strengths both ways (last axis); -inf where nothing was judged."""
        mean = 0.5 * (strength[..., 0] + strength[..., 1])
        return np.log(mean, out=np.full(mean.shape, -np.inf), where=mean > 0.0)

    def restart(self, series: int) -> None:
        """Evidence starts again; the rows stay."""
        self.r[2 * series : 2 * series + 2], self.watched[series] = HEAD_START, 0
        if self.end:
            self.since[series] = int(self.rows["tick"][-1]) + 1

    def judged(self, series: int, last: int) -> NDArray[np.void]:
        """Rows in which this series was judged since its evidence began, as seen at ``last``: at most KEPT ticks."""
        rows = self.rows[: np.searchsorted(self.rows["tick"], last, side="right")][-KEPT:]
        rows = rows[np.searchsorted(rows["tick"], self.since[series]) :]
        return rows[rows["strength"][:, series, 0] > 0]

    def between(self, series: int, first: int, last: int) -> tuple[Floats, Floats]:
        """Values and totals of these ticks: the newest as seen at ``last``, however they were cut."""
        start, end = np.searchsorted(self.rows["tick"], [first, last + 1])
        rows = self.rows[max(int(start), int(end) - KEPT) : end]
        value = rows["value"][:, series]
        seen = ~np.isnan(value)
        return value[seen], rows["total"][:, series][seen]

    def evidence(self, last: int) -> Floats:
        """Natural logarithm of the e-values as seen at ``last``, shape (s,)."""
        return np.array([self._strength(k, last)[1] for k in range(len(self.since))])

    def _strength(self, series: int, last: int) -> tuple[float, float]:
        """Log R, and the log e-value, at the last row judged until ``last``."""
        end = int(np.searchsorted(self.rows["tick"], last, side="right"))
        for n in (_LATELY, KEPT):
            rows = self.rows[max(end - n, 0) : end]
            judged = np.flatnonzero((rows["strength"][:, series, 0] > 0.0) & (rows["tick"] >= self.since[series]))
            if len(judged):
                row = rows[judged[-1]]
                log_e = float(self.log_e(row["strength"][series]))
                return log_e, log_e - math.log(self.weights.sum() * (row["watched"][series] + HEAD_START))
        return -math.inf, -math.inf

    def change(self, series: int, last: int, log_factors: Floats) -> tuple[int, int, int] | None:
        """Onset and the ends of its interval, as seen at ``last``.

        Parameters
        ----------
        log_factors
            Shape (m, 2, k): of what `judged` returned.
        """
        rows = self.judged(series, last)
        if not len(rows):
            return None
        side = int(np.argmax(rows["strength"][-1, series]))
        from_the_start = rows["watched"][0, series] == 1
        when = change_time(log_factors[:, side], self.weights, before=HEAD_START if from_the_start else 0.0)
        tick = rows["tick"]
        return int(tick[when.middle]), int(tick[when.low]), int(tick[when.high])

    def again(self, series: int, shift: Shift, recent: Recent, last: int) -> Shift:
        """A change with its move measured anew, and with the evidence until ``last``."""
        log_e, evidence = self._strength(series, last)
        count = int(self.between(series, shift.onset, last)[1].sum())
        return replace(shift, size=recent.size, error=recent.error, log_e=log_e, count=count, evidence=evidence)

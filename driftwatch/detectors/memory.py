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
_SPARE = KEPT // 24  # rows to fill before the oldest are let go
_UP, _DOWN = 1, 2  # which way the evidence points; 0 where nothing was judged


class Memory:
    """The newest rows of several series, and their evidence.

    A thousand streams have a thousand of these, so rows are as small as they can be: values are those that a detector
    rounded (`driftwatch.state.compact.single`), evidence is read back to seven digits, and what can be counted from
    the rest (how long was watched at a row) is not kept.

    Parameters
    ----------
    series
        How many.
    weights
        Shape (k,): of the bets.
    kept
        Rows that are kept at least.
    marked
        Whether rows have a mark of the detector's own.
    """

    def __init__(self, series: int, weights: Floats, *, kept: int = KEPT, marked: bool = False) -> None:
        self.weights, self.kept = weights, kept
        self.r = np.full((2 * series, len(weights)), HEAD_START)
        self.since = np.zeros(series, np.int64)
        self.watched = np.zeros(series, np.int64)
        columns = [("value", np.float32), ("total", np.float32), ("log_e", np.float32), ("side", np.int8)]
        columns += [("mark", np.int16)] if marked else []
        row = np.dtype([("tick", np.int64), *((name, kind, (series,)) for name, kind in columns)])
        self.store = np.empty(kept + _SPARE, row)
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

    def append(self, tick: Ints, value: Floats, total: Floats, strength: Floats, mark: Ints | None = None) -> Floats:
        """Keep rows, with a mark of the detector's own; where a series was not judged its strength is 0.

        Returns
        -------
        Shape (n, s): natural logarithm of R; -inf where nothing was judged.
        """
        up, down = strength[:, :, 0], strength[:, :, 1]
        judged = up > 0.0
        log_e = np.log(0.5 * (up + down), out=np.full(judged.shape, -np.inf), where=judged)
        self.watched = self.watched + judged.sum(axis=0)
        new = self._room(len(tick))
        new["tick"], new["value"], new["total"], new["log_e"] = tick, value, total, log_e
        new["side"] = np.where(judged, np.where(down > up, _DOWN, _UP), 0)
        if mark is not None:
            new["mark"] = mark
        return log_e

    def _room(self, n: int) -> NDArray[np.void]:
        """The next n rows; the oldest give way when there is no room, and the newest ones always stay.

        They move within the same memory where they can: what grows by a new copy leaves holes.
        """
        if self.end + n > len(self.store):
            newest = self.store[max(self.end - self.kept, 0) : self.end]
            self.end = len(newest)
            if self.end + n > len(self.store):
                self.store = np.empty(self.kept + max(n, _SPARE), self.store.dtype)
            self.store[: self.end] = newest
        self.end += n
        return self.store[self.end - n : self.end]

    def restart(self, series: int) -> None:
        """Evidence starts again; the rows stay."""
        self.r[2 * series : 2 * series + 2], self.watched[series] = HEAD_START, 0
        if self.end:
            self.since[series] = int(self.rows["tick"][-1]) + 1

    def judged(self, series: int, last: int) -> NDArray[np.void]:
        """Rows in which this series was judged since its evidence began, as seen at ``last``: the newest ``kept``."""
        rows = self.rows[: np.searchsorted(self.rows["tick"], last, side="right")][-self.kept :]
        rows = rows[np.searchsorted(rows["tick"], self.since[series]) :]
        return rows[rows["side"][:, series] > 0]

    def between(self, series: int, first: int, last: int) -> tuple[Floats, Floats]:
        """Values and totals of these ticks: the newest as seen at ``last``, however they were cut."""
        start, end = np.searchsorted(self.rows["tick"], [first, last + 1])
        rows = self.rows[max(int(start), int(end) - self.kept) : end]
        value = rows["value"][:, series].astype(np.float64)
        seen = ~np.isnan(value)
        return value[seen], rows["total"][:, series][seen].astype(np.float64)

    def evidence(self, last: int) -> Floats:
        """Natural logarithm of the e-values as seen at ``last``, shape (s,)."""
        return np.array([self._strength(k, last)[1] for k in range(len(self.since))])

    def _strength(self, series: int, last: int) -> tuple[float, float]:
        """Log R, and the log e-value, at the last row judged until ``last``."""
        end = int(np.searchsorted(self.rows["tick"], last, side="right"))
        for n in (_LATELY, self.kept):
            start = max(end - n, 0)
            rows = self.rows[start:end]
            judged = np.flatnonzero((rows["side"][:, series] > 0) & (rows["tick"] >= self.since[series]))
            if len(judged):
                row = start + int(judged[-1])
                log_e = float(self.rows["log_e"][row, series])
                return log_e, log_e - math.log(self.weights.sum() * (self._watched(series, row) + HEAD_START))
        return -math.inf, -math.inf

    def _watched(self, series: int, row: int) -> int:
        """How many rows had been judged with this one, since the evidence began."""
        return int(self.watched[series] - np.count_nonzero(self.rows["side"][row + 1 :, series]))

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
        tick = rows["tick"]
        from_the_start = self._watched(series, int(np.searchsorted(self.rows["tick"], tick[0]))) == 1
        side = int(rows["side"][-1, series] == _DOWN)
        when = change_time(log_factors[:, side], self.weights, before=HEAD_START if from_the_start else 0.0)
        return int(tick[when.middle]), int(tick[when.low]), int(tick[when.high])

    def again(self, series: int, shift: Shift, recent: Recent, last: int) -> Shift:
        """A change with its move measured anew, and with the evidence until ``last``."""
        log_e, evidence = self._strength(series, last)
        count = int(self.between(series, shift.onset, last)[1].sum())
        return replace(shift, size=recent.size, error=recent.error, log_e=log_e, count=count, evidence=evidence)

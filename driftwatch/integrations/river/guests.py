"""Any drift detector of river as one of ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from driftwatch.detectors import Moves, Recent, Shift
from driftwatch.detectors.memory import KEPT, Memory
from driftwatch.detectors.waiting import Waiting
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.whitening import long_run_variance, winsorised

if TYPE_CHECKING:
    from river.base import BinaryDriftDetector, DriftDetector


class RiverDetector:
    """Detectors of river as one of ours: a detector for each series, fed value by value.

    A detector of river says that there is a drift, or that there is none; it has no evidence to show. So R is ``arl``
    where it says so and 1 elsewhere, and what ``arl`` claims about its false alarms is taken for granted: nobody has
    checked it. A margin is unknown to it as well: ask `Shift.exceeds`. Every value costs a call from Python.

    Parameters
    ----------
    make
        Makes a new detector: a class, or a function at the top of a module if this one is to be pickled.
    arl
        Mean number of ticks between two false alarms of each, as claimed.
    series
        How many.
    share
        Whether the values are counts among the totals: then it is fed with their ratio.
    capacity
        Values of a series to learn from, at most; the oldest are forgotten.

    Examples
    --------
    >>> from river.drift import ADWIN
    >>> rng = np.random.default_rng(0)
    >>> detector = RiverDetector(ADWIN, arl=10_000)
    >>> ones = np.ones((200, 1))
    >>> _ = detector.update(np.arange(200), rng.normal(0, 1, (200, 1)), ones)
    >>> detector.learn(200)
    >>> log_e = detector.update(np.arange(200, 300), rng.normal(3, 1, (100, 1)), ones[:100])
    >>> at = int(np.argmax(log_e[:, 0])) + 200
    >>> at, detector.describe(0, at).onset
    (223, 200)
    """

    def __init__(
        self,
        make: Callable[[], DriftDetector | BinaryDriftDetector],
        *,
        arl: float,
        series: int = 1,
        share: bool = False,
        capacity: int = 2_000,
    ) -> None:
        self.make, self.arl, self.series, self.share, self.capacity = make, arl, series, share, capacity
        self.memory = Memory(series, np.ones(1), marked=True)
        self.guests = [make() for _ in range(series)]
        self.learnt: list[Floats] = [np.empty(0)] * series
        self.waiting = Waiting(series)

    def known(self, series: int) -> int:
        """How many ticks were learnt from."""
        return len(self.learnt[series])

    def ready(self, series: int) -> bool:
        """Whether anything has been learnt."""
        return len(self.learnt[series]) > 0

    def effective(self, series: int) -> float:
        """How many ticks were learnt from: river takes them as independent."""
        return float(len(self.learnt[series]))

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        """Take rows of values (not finite: nothing was observed); returns log R of each."""
        if not len(tick):
            return np.empty((0, self.series))
        x = self._fed(value, total)
        self.waiting.add(tick, x)
        since = np.zeros(x.shape, np.int64)
        seen = ~np.isnan(x) & [self.ready(k) for k in range(self.series)]
        for k, guest in enumerate(self.guests):
            since[seen[:, k], k] = [_changed(guest, each) for each in x[seen[:, k], k].tolist()]
        strength = np.where(seen, np.where(since > 0, self.arl, 1.0), 0.0)
        both = np.stack([strength, strength], axis=2)
        return self.memory.append(tick, x, total, both, since)

    def _fed(self, value: Floats, total: Floats) -> Floats:
        x = value / np.where(total > 0, total, np.nan) if self.share else value
        return np.where(np.isfinite(x), x, np.nan)

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take what was observed before this tick as healthy; the ticks in ``skip`` are never."""
        new, _ = self.waiting.take(before, skip)
        for k in range(self.series):
            some = new[~np.isnan(new[:, k]), k]
            if self.ready(k):
                self.learnt[k] = np.concatenate([self.learnt[k], some])[-self.capacity :]
            elif len(some):
                self.restore(k, some)

    def restore(self, series: int, learnt: Floats) -> None:
        """Take over what another one learnt: a new detector is fed with it."""
        self.learnt[series] = learnt[-self.capacity :]
        guest = self.guests[series] = self.make()
        for value in self.learnt[series].tolist():
            guest.update(value)

    def evidence(self, tick: int) -> Floats:
        """Natural logarithm of the e-values as seen at this tick; -inf while learning."""
        return self.memory.evidence(tick)

    def describe(self, series: int, tick: int) -> Shift | None:
        """Size and time of the newest drift as seen at this tick.

        The onset is where the detector's window begins if it has one (``width``, as ADWIN, whose window is made of
        whole buckets and so begins too early), else where it found the drift. The interval is from there to where it
        found it: river says no more, so nobody knows what it holds.
        """
        rows = self.memory.judged(series, tick)
        since = rows["mark"][:, series].astype(np.int64)
        if not since.any():
            return None
        at = int(np.flatnonzero(since)[-1])
        onset, found = int(rows["tick"][max(at + 1 - int(since[at]), 0)]), int(rows["tick"][at])
        level = float(self.learnt[series].mean())
        return self.again(series, Shift(onset, onset, found, math.nan, math.nan, level, math.nan, 0, math.nan), tick)

    def again(self, series: int, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        return self.memory.again(series, shift, self.recent(series, shift.onset, tick), tick)

    def recent(self, series: int, first: int, last: int) -> Recent:
        """Difference between the mean of these ticks and of what was learnt, and its standard error."""
        value, learnt = self.memory.between(series, first, last)[0], self.learnt[series]
        if not len(value) or not len(learnt):
            return Recent()
        known = long_run_variance(winsorised(learnt - learnt.mean()))
        variance = max(known, long_run_variance(winsorised(value - value.mean())))
        return Recent(float(value.mean() - learnt.mean()), math.sqrt(variance / len(value) + known / len(learnt)))

    def moves(self, series: int, first: int, last: int) -> Moves:
        """The move of each of these ticks."""
        value, learnt = self.memory.between(series, first, last)[0], self.learnt[series]
        return Moves(value - learnt.mean(), np.full(len(value), learnt.var())) if len(learnt) else Moves(value, value)

    def restart(self, series: int) -> None:
        """Forget the evidence: a new detector is fed with what was learnt."""
        self.memory.restart(series)
        self.restore(series, self.learnt[series])


def _changed(guest: DriftDetector | BinaryDriftDetector, value: float) -> int:
    """Feed one value; returns how many of the newest have changed as far as the detector tells, 0 without a drift."""
    guest.update(value)  # type: ignore[arg-type]  # a binary detector takes 0.0 and 1.0 just as well
    return min(max(getattr(guest, "width", 1), 1), KEPT) if guest.drift_detected else 0

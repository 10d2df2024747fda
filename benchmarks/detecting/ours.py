"""The only file here that knows our detectors: runs of them, as columns of one object, until each has alarmed.

For now a stand-in plays their part: a mixture of Gaussian bets on values standardised by what was learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from driftwatch.incidents.watch import EPOCH
from driftwatch.statistics.buckets import Floats, Ints

CHUNK = 10 * EPOCH
GUARD = 30 * EPOCH  # ticks that must have passed before they are learnt from, as in the engine while in doubt


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of each run.

    Parameters
    ----------
    first
        Shape (runs, run lengths): tick of the first alarm at each promised run length; -1 without one.
    begin
        Shape (runs,): the first tick that was judged.
    onset, low, high
        Shape (runs, run lengths): the estimated change time at the first alarm and its 90% interval; -1 without one.
    """

    first: Ints
    begin: Ints
    onset: Ints
    low: Ints
    high: Ints


def watch(
    value: Floats,
    total: Floats,
    learnt: int,
    margin: float,
    arls: Sequence[float],
    *,
    share: bool = False,
    onsets: bool = False,
    seed: int = 0,
) -> Watched:
    """Run our detector over each column.

    Parameters
    ----------
    value, total
        Shape (ticks, runs).
    learnt
        Ticks at the beginning that are learnt from; 0 where the baseline (mean 0, standard deviation 1) is known.
    margin
        A move by less than this is not a change.
    arls
        Promised run lengths.
    share
        Values are hits among ``total`` requests.
    onsets
        Ask for the change time at each first alarm too.
    seed
        Of the ties between ranks; each run has its own.
    """
    ticks, runs = value.shape
    tick = np.arange(ticks)
    detector = fresh(runs, margin, share=share, seed=seed)
    if learnt:
        detector.update(tick[:learnt], value[:learnt], total[:learnt])
        detector.learn(learnt)
    else:
        detector.know()
    thresholds = np.array([detector.threshold(arl) for arl in arls])
    begin = np.full(runs, ticks)
    first, onset, low, high = (np.full((runs, len(arls)), -1) for _ in range(4))
    for start, stop in chunks(learnt, ticks):
        log_e = detector.update(tick[start:stop], value[start:stop], total[start:stop])
        judged = log_e > -np.inf
        begin = np.where(judged.any(0), np.minimum(begin, start + judged.argmax(0)), begin)
        reached = log_e[:, :, None] >= thresholds
        new = (first < 0) & reached.any(0)
        first = np.where(new, start + reached.argmax(0), first)
        for run, k in zip(*np.nonzero(new), strict=True) if onsets else ():
            shift = detector.describe(int(run), int(first[run, k]))
            onset[run, k], low[run, k], high[run, k] = shift.onset, shift.onset_low, shift.onset_high
        if (first >= 0).all():
            break
        detector.learn(stop - GUARD)
    return Watched(first, begin, onset, low, high)


def chunks(start: int, end: int) -> list[tuple[int, int]]:
    """Cuts at multiples of an epoch."""
    inner = range((start // EPOCH + 1) * EPOCH, end, CHUNK)
    edges = [start, *inner, end]
    return list(pairwise(edges))


def fresh(runs: int, margin: float, *, share: bool = False, seed: int = 0) -> Any:
    """A detector with one column a run."""
    return _StandIn(margin, seed + np.arange(runs), share)


_BETS = np.array([0.25, 0.5, 1.0, 2.0])
_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class _Shift:
    onset: int
    onset_low: int
    onset_high: int


class _StandIn:
    def __init__(self, margin: float, seeds: Ints, share: bool) -> None:
        runs = len(seeds)
        self.margin, self.share = margin, share
        self.mean, self.sd = np.zeros(runs), np.ones(runs)
        self.log_r = np.full((2, len(_BETS), runs), -np.inf)
        self.waiting: list[tuple[Floats, Floats]] = []
        self.kept = np.empty((0, runs))
        self.end, self.ready = 0, False

    def know(self) -> None:
        self.ready = True

    def threshold(self, arl: float) -> float:
        return float(np.log(arl))

    def learn(self, before: int) -> None:
        if self.ready:
            return
        value, total = (np.concatenate(part) for part in zip(*self.waiting, strict=True))
        if self.share:
            self.mean = (value.sum(0) + 0.5) / (total.sum(0) + 1.0)
            self.sd = np.sqrt(self.mean * (1.0 - self.mean))
        else:
            self.mean, self.sd = value.mean(0), value.std(0)
        self.ready, self.waiting = True, []

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        self.end = int(tick[-1]) + 1
        if not self.ready:
            self.waiting.append((value, total))
            return np.full(value.shape, -np.inf)
        moved = value / total - self.mean if self.share else value - self.mean
        worth = np.sqrt(total) / self.sd if self.share else 1.0 / self.sd
        z = np.stack([moved - self.margin, -moved - self.margin]) * worth
        self.kept = np.concatenate([self.kept, z[0]])[-_KEPT:]
        factors = _BETS[:, None, None] * z[:, None] - 0.5 * _BETS[:, None, None] ** 2
        sums = factors.cumsum(2)
        terms = np.concatenate([np.logaddexp(self.log_r, 0.0)[:, :, None], -sums[:, :, :-1]], axis=2)
        log_r = np.logaddexp.accumulate(terms, axis=2) + sums
        self.log_r = log_r[:, :, -1]
        return np.asarray(np.logaddexp.reduce(log_r, axis=(0, 1)) - np.log(2 * len(_BETS)))

    def describe(self, column: int, tick: int) -> _Shift:
        begin = self.end - len(self.kept)
        z = self.kept[: tick + 1 - begin, column]
        both = np.concatenate([np.outer(sign * z, _BETS) - 0.5 * _BETS**2 for sign in (1, -1)], axis=1)
        weight = np.logaddexp.reduce(both[::-1].cumsum(0)[::-1], axis=1)
        mass = np.exp(weight - weight.max()).cumsum()
        place = np.searchsorted(mass / mass[-1], [0.5, 0.05, 0.95]) + begin
        return _Shift(*(int(p) for p in place))

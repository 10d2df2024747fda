"""Detectors of others, fed value by value; what they learn, they learn from the same first ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from changepoint_online import Focus, Gaussian
from river.drift import ADWIN, KSWIN, PageHinkley

from driftwatch.statistics.buckets import Floats, Ints

Scores = Callable[[list[float], int, float], Iterator[float]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A detector of others.

    Parameters
    ----------
    name
        As people read it.
    scores
        From values, how many of them are learnt from, and a level: a score for each value after those; it alarms where
        the score reaches the level.
    bounds
        Between which levels the wanted one lies.
    cost_us
        About what one value costs: decides how many runs it gets.
    restarts
        Whether its scores depend on the level, because it starts again at each alarm.
    """

    name: str
    scores: Scores
    bounds: tuple[float, float]
    cost_us: float
    restarts: bool = False

    def first(self, value: Floats, learnt: int, level: float) -> Ints:
        """First alarm of each column, shape (ticks, runs); -1 without one."""
        return np.array([self._first(run, learnt, level) for run in standardised(value, learnt).T.tolist()])

    def _first(self, run: list[float], learnt: int, level: float) -> int:
        found = (learnt + k for k, score in enumerate(self.scores(run, learnt, level)) if score >= level)
        return next(found, -1)

    def affordable(self, ticks: int, seconds: float, most: int) -> int:
        """Runs of so many ticks that it can do in so many seconds."""
        return int(np.clip(seconds * 1e6 / (ticks * self.cost_us), 2, most))

    def level(self, value: Floats, learnt: int, arl: float) -> float:
        """The level at which it alarms once in ``arl`` ticks on these healthy runs."""
        if self.restarts:
            return bisected(self.bounds, lambda level: self.first(value, learnt, level), learnt, len(value), arl)
        runs = standardised(value, learnt).T.tolist()
        path = np.maximum.accumulate([list(self.scores(run, learnt, math.inf)) for run in runs], axis=1)

        def first(level: float) -> Ints:
            reached = path >= level
            return np.where(reached.any(1), learnt + reached.argmax(1), -1)

        return bisected(self.bounds, first, learnt, len(value), arl)


def standardised(value: Floats, learnt: int) -> Floats:
    """By the mean and the standard deviation of the first ticks."""
    first = value[:learnt]
    return np.asarray((value - first.mean(0)) / np.maximum(first.std(0), 1e-9))


def rate(first: Ints, begin: int, end: int) -> float:
    """Alarms a tick."""
    return float((first >= 0).sum() / (np.where(first < 0, end, first + 1) - begin).sum())


def bisected(
    bounds: tuple[float, float], first: Callable[[float], Ints], begin: int, end: int, arl: float, rounds: int = 10
) -> float:
    """The lowest level found at which alarms are not more frequent than wanted."""
    low, high = bounds
    for _ in range(rounds):
        middle = float(np.sqrt((low + 1.0) * (high + 1.0))) - 1.0
        frequent = rate(first(middle), begin, end) > 1.0 / arl
        low, high = (middle, high) if frequent else (low, middle)
    return high


def adwin(run: list[float], learnt: int, level: float) -> Iterator[float]:
    """The level is the negative logarithm of delta; it looks after every value, not after every 32nd."""
    detector = ADWIN(delta=math.exp(-level), clock=1)
    for k, value in enumerate(run):
        detector.update(value)
        if k >= learnt:
            yield math.inf if detector.drift_detected else -math.inf


def page_hinkley(run: list[float], learnt: int, level: float) -> Iterator[float]:
    """Its delta is half of the smallest shift asked for here; the level is its threshold."""
    detector = PageHinkley(delta=0.125, threshold=level)
    for k, value in enumerate(run):
        detector.update(value)
        if k >= learnt:
            yield math.inf if detector.drift_detected else -math.inf


def kswin(run: list[float], learnt: int, level: float) -> Iterator[float]:
    """The level is the negative logarithm of alpha; it looks back no further than 100 values."""
    detector = KSWIN(alpha=0.0, seed=1)
    begin = max(learnt - detector.window_size, 0)
    for k, value in enumerate(run[begin:], begin):
        detector.update(value)
        if k >= learnt:
            full = k - begin + 1 >= detector.window_size
            yield -math.log(max(detector.p_value, 1e-300)) if full else -math.inf


def focus(run: list[float], learnt: int, level: float) -> Iterator[float]:
    """Unknown mean before and after the change; the level is its threshold."""
    detector = Focus(Gaussian())
    for k, value in enumerate(run):
        detector.update(value)
        if k >= learnt:
            yield detector.statistic()


PEERS = (
    Peer("ADWIN", adwin, (0.0, 100.0), 0.9, restarts=True),
    Peer("PageHinkley", page_hinkley, (2.0, 1_000.0), 0.8, restarts=True),
    Peer("FOCuS", focus, (2.0, 200.0), 16.0),
    Peer("KSWIN", kswin, (2.0, 100.0), 230.0),
)

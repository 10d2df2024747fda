"""The detectors that watch, run on healthy ticks with a change added: after how many ticks they alarm."""

from __future__ import annotations

import copy
import math

import numpy as np

from driftwatch.config import Config
from driftwatch.detectors import Detector, LocationDetector, ProportionDetector
from driftwatch.events.signals import Signal
from driftwatch.incidents import log_threshold
from driftwatch.incidents.lasting import lasts, least_ticks
from driftwatch.incidents.panel import margins_of
from driftwatch.price.noise import Drawn, Noise
from driftwatch.statistics.buckets import Floats, Ints

HORIZON = 720
"""Ticks after which a run that has not alarmed is given up (an hour of 5 s ticks)."""
_BEFORE = 48  # healthy ticks that are watched before the change
_CHUNK = 48  # ticks between two looks at who has alarmed
_SEED = 20_031  # the same noise for every signal and change, so that what differs is the change


class Trial:
    """One signal of a stream, tried several times.

    Parameters
    ----------
    signal
        The signal.
    noise
        Its healthy ticks.
    config
        Settings: the margin and the budget.
    runs
        How many times; each is a column of the detector.
    """

    def __init__(self, signal: Signal, noise: Noise, config: Config, runs: int) -> None:
        self.signal, self.noise = signal, noise
        self.threshold, self.margin = log_threshold(config), margins_of(config)[signal.name]
        self.least = max(1, round(least_ticks(config) * noise.presence))
        watched = math.ceil(HORIZON * noise.presence)
        self.drawn = noise.draw(_BEFORE + watched, runs, np.random.default_rng(_SEED))
        self.detector = _learnt(signal, self.margin, self.drawn, config.learning.max_ticks)
        self._update(self.detector, self.drawn.value, 0, _BEFORE)

    @property
    def worth(self) -> float:
        """How many independent ticks one that was learnt from is worth."""
        each = [self.detector.effective(run) / len(learnt) for run, learnt in enumerate(self.drawn.learnt)]
        return float(np.median(each))

    def within_margin(self, change: float) -> bool:
        """Whether a change is too small to alarm."""
        return (change if self.signal.difference else float(np.log1p(change))) <= self.margin + 1e-9

    def possible(self, change: float) -> bool:
        """Whether there is room for a change: a share does not rise beyond 1."""
        return self.signal.shape != "share" or self.drawn.share + change <= 1.0

    def median_delay(self, change: float) -> float:
        """Ticks from the change to the alarm, the last included: the median; inf beyond the horizon."""
        value = self.drawn.moved(self.signal, change, _BEFORE, np.random.default_rng(_SEED + 1))
        detector, alarmed = copy.deepcopy(self.detector), np.full(self.detector.series, np.inf)
        for first in range(_BEFORE, len(value), _CHUNK):
            log_e = self._update(detector, value, first, first + _CHUNK)
            for run in np.flatnonzero(np.isinf(alarmed)):
                alarmed[run] = self._first(detector, int(run), np.flatnonzero(log_e[:, run] >= self.threshold) + first)
            if np.isfinite(alarmed).mean() > 0.5:
                break
        return (float(np.sort(alarmed)[len(alarmed) // 2]) - _BEFORE + 1.0) / self.noise.presence

    def _update(self, detector: Detector, value: Floats, first: int, end: int) -> Floats:
        rows = np.arange(first, min(end, len(value)))
        return detector.update(rows, value[rows], self.drawn.total[rows])

    def _first(self, detector: Detector, run: int, hot: Ints) -> float:
        """The first tick with enough evidence of a move beyond the margin that lasts, as in `StreamWatch.alarms`."""
        return next((float(t) for t in hot if self._opens(detector, run, int(t))), np.inf)

    def _opens(self, detector: Detector, run: int, tick: int) -> bool:
        shift = detector.describe(run, tick)
        if shift is None or not shift.exceeds(self.margin):
            return False
        return lasts(detector, run, shift, tick, self.least)


def _learnt(signal: Signal, margin: float, drawn: Drawn, capacity: int) -> Detector:
    runs = drawn.value.shape[1]
    margins, seeds = np.full(runs, margin), np.arange(runs) << 20
    detector: Detector = (
        ProportionDetector(margin=margins, capacity=capacity)
        if signal.shape == "share"
        else LocationDetector(margin=margins, seeds=seeds, capacity=capacity)
    )
    for run, learnt in enumerate(drawn.learnt):
        detector.restore(run, learnt)
    return detector

"""A location that moves: latency residuals, lengths, rates.

Each observation is whitened by what its own past predicts, ranked against the learnt reference, and bet on.
"""

from __future__ import annotations

import math

import numpy as np

from driftwatch.detectors.protocol import Evidence, Memory, Shift
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.normal import normal_quantile, uniform_of
from driftwatch.statistics.robust import midmean
from driftwatch.statistics.whitening import (
    SPANS,
    effective_share,
    filter_of,
    filtered,
    fit_persistence,
    long_run_variance,
)

_SHIFTS = np.array([0.25, 0.5, 1.0, 2.0])  # bets on a move of this many standard deviations
_HALF_SQUARES = 0.5 * _SHIFTS**2
_OFTEN = np.array([0.5, 0.6])  # bets that this share of the ticks falls where only a few, or a tenth, should
_TENTH, _FEWEST = 0.1, 0.005
_ABOVE = np.array([True, False])  # the two sides from which a value is seen
_BETS = len(_SHIFTS) + len(_OFTEN)
_REFIT = 1.25  # the persistence is fitted anew when there is this much more to learn from


class LocationDetector:
    """Mixture Shiryaev-Roberts e-detector for a location, two-sided, with an indifference margin.

    Assumes that the whitened observations of a healthy stream are exchangeable but for a weak dependence, for which
    their evidence is discounted: each counts as the share of an independent one that it is worth. The p-value of a rank
    against a finite reference is enlarged by the reference's own uncertainty, because the same reference is used many
    times.

    Parameters
    ----------
    margin
        A move by less than this is not a change (same unit as the observations).
    seed
        Breaks ties between ranks.
    capacity
        Observations to learn from, at most; the oldest are forgotten.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 2-3; Vovk, Gammerman & Shafer (2022), Algorithmic Learning in
    a Random World, chapter 8 (betting on conformal p-values).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = LocationDetector(margin=0.1, seed=1)
    >>> ones = np.ones(200)
    >>> _ = detector.update(np.arange(200), rng.normal(0, 1, 200), ones)
    >>> detector.learn(200)
    >>> evidence = detector.update(np.arange(200, 260), rng.normal(3, 1, 60), ones[:60])
    >>> bool(evidence.log_e[-1] > 15), detector.describe(259).onset
    (True, 200)
    """

    def __init__(self, *, margin: float, seed: int, capacity: int = 17_280) -> None:
        self.margin, self.seed, self.capacity = margin, seed, capacity
        self.memory = Memory(_BETS)
        self.waiting_tick: Ints = np.empty(0, np.int64)
        self.waiting: Floats = np.empty(0)
        self.learnt: Floats = np.empty(0)
        self.level = 0.0
        self.weights: Floats = filter_of(np.zeros(len(SPANS)))
        self.near: Floats = np.zeros(2)
        self.reference: Floats = np.empty(0)
        self.variance = 0.0
        self.worth = 1.0
        self.fitted = self.unfitted = 0

    @property
    def ready(self) -> bool:
        """Whether there is a reference to rank against."""
        return len(self.reference) > 0

    def update(self, tick: Ints, value: Floats, total: Floats) -> Evidence:
        """Take observations (``total`` requests stand behind each value)."""
        if self.ready:
            factors = self._log_factors(tick, value)
            log_e = self.memory.append(tick, value, total, factors)
        else:
            factors = np.zeros((len(tick), 2, _BETS))
            log_e = self.memory.append(tick, value, total, factors)
            self.memory.restart()
            log_e = np.full(len(tick), -np.inf)
        self.waiting_tick = np.concatenate([self.waiting_tick, tick])
        self.waiting = np.concatenate([self.waiting, value])
        return Evidence(tick, log_e)

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take the waiting observations before this tick as healthy, but for those in ``skip``."""
        ripe = self.waiting_tick < before
        taken = ripe.copy()
        if skip is not None:
            taken &= ~((self.waiting_tick >= skip[0]) & (self.waiting_tick <= skip[1]))
        new = self.waiting[taken]
        self.waiting_tick, self.waiting = self.waiting_tick[~ripe], self.waiting[~ripe]
        if len(new):
            self._absorb(new)

    def _absorb(self, new: Floats) -> None:
        before, self.learnt = self.learnt, np.concatenate([self.learnt, new])[-self.capacity :]
        self.unfitted += len(new)
        if self.unfitted >= self.fitted * (_REFIT - 1.0):
            self._fit()
        else:
            whitened = self._whitened(new, before)[max(SPANS[-1] - len(before), 0) :]
            self.reference = np.sort(np.concatenate([self.reference, whitened]), kind="stable")  # merges two runs

    def _fit(self) -> None:
        self.fitted, self.unfitted = len(self.learnt), 0
        self.level = float(midmean(np.zeros(self.fitted, np.int64), self.learnt, np.ones(self.fitted), 1)[0])
        self.weights = filter_of(fit_persistence(self.learnt - self.level))
        self.near = self.margin * float(self.weights.sum()) * np.array([-1.0, 1.0])  # of the margin, from each side
        self.variance = long_run_variance(_winsorised(self.learnt - self.level))
        known = self._whitened(self.learnt, np.empty(0))[SPANS[-1] :]
        self.worth = effective_share(_winsorised(known))
        self.reference = np.sort(known)

    def _whitened(self, values: Floats, history: Floats) -> Floats:
        """What the past does not predict, without the last digits: they depend on the cut, and would decide ties."""
        return filtered(values - self.level, history[-SPANS[-1] :] - self.level, self.weights).round(9)

    def _log_factors(self, tick: Ints, value: Floats) -> Floats:
        near = (self._whitened(value, self.memory.value)[:, None] + self.near).round(9)
        p = self._exceedance(near, uniform_of(self.seed, tick)[:, None])
        return self.worth * self._bets(p)  # a power below 1 of an e-value is one too (Jensen)

    def _exceedance(self, whitened: Floats, tie: Floats) -> Floats:
        """P-value of each observation among the reference, shape (n, 2): seen from above, and from below."""
        n = len(self.reference)
        left, right = self.reference.searchsorted(whitened), self.reference.searchsorted(whitened, "right")
        beyond = np.where(_ABOVE, n - right, left)
        rank = beyond + tie * (right - left + 1)
        p: Floats = np.minimum((rank + np.sqrt(beyond + 1.0)) / (n + 1), 1.0 - 1e-9)
        return p

    def _bets(self, p: Floats) -> Floats:
        """Log of e-values of p, one more axis: each has mean at most 1 if p is uniform or larger."""
        z = normal_quantile(1.0 - p)[..., None]
        shifts = _SHIFTS * z - _HALF_SQUARES
        few = min(max(2.0 / (len(self.reference) + 1), _FEWEST), 0.5)  # the smallest p that this reference can show
        rare = np.array([few, _TENTH])
        won, lost = np.log([_OFTEN / rare, (1 - _OFTEN) / (1 - rare)])
        return np.concatenate([shifts, np.where(p[..., None] <= rare, won, lost)], axis=-1)

    def restore(self, learnt: Floats) -> None:
        """Take over what another one learnt."""
        self.learnt, self.fitted, self.unfitted = np.empty(0), 0, 0
        self._absorb(learnt)

    def evidence(self, tick: int) -> float:
        """Natural logarithm of the e-value as seen at this tick; -inf while learning."""
        return self.memory.evidence(tick)

    def describe(self, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick."""
        change = self.memory.change(tick)
        if change is None or not self.ready:
            return None
        return self.again(Shift(*change, math.nan, math.nan, self.level, math.nan, 0), tick)

    def again(self, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        return self.memory.again(shift, *self.recent(shift.onset, tick), tick)

    def recent(self, first: int, last: int) -> tuple[float, float]:
        """Mean move over these ticks, and its standard error."""
        value = self.memory.value[self.memory.between(first, last)] - self.level
        n = len(value)
        if n == 0:
            return math.nan, math.nan
        size = float(midmean(np.zeros(n, np.int64), value, np.ones(n), 1)[0])
        variance = max(self.variance, long_run_variance(_winsorised(value - size)))  # trouble is noisier than health
        return size, math.sqrt(variance / n + self.variance / max(len(self.learnt), 1))

    def restart(self) -> None:
        """Forget the evidence, keep what was learnt."""
        self.memory.restart()


def _winsorised(values: Floats) -> Floats:
    if not len(values):
        return values
    bound = 4.0 * float(np.median(np.abs(values))) / 0.6745 + 1e-12
    return np.clip(values, -bound, bound)

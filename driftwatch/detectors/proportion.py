"""A share that moves: finish reasons, errors, requests unlike any that were learnt from."""

from __future__ import annotations

import math

import numpy as np

from driftwatch.detectors.protocol import Evidence, Memory, Shift
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.whitening import long_run_variance

_UP = np.array([0.05, 0.15, 0.4, 0.8])  # bets on a share this far on the way from the null to 1
_DOWN = np.array([0.8, 0.5, 0.2, 0.05])  # bets on a share of this fraction of the null
_ROOM = 1e-3  # a null this close to 0 or 1 cannot be left on that side
_REFIT = 1.25  # the overdispersion is fitted anew when there is this much more to learn from
_CAP = 6.0  # no single tick may give more evidence: one burst is not a change


class ProportionDetector:
    """Mixture Shiryaev-Roberts e-detector for a share of requests, two-sided, with an indifference margin.

    The null is "within the margin of the learnt share", taken at the near end of that share's 95% interval; likelihood
    ratios are tempered by the overdispersion that the healthy ticks showed, for requests in one tick share its fate.

    Parameters
    ----------
    margin
        A move by less than this is not a change (a difference of shares).
    capacity
        Ticks to learn from, at most.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 4 (bounded observations); McCullagh & Nelder (1989),
    Generalized Linear Models, section 4.5 (overdispersion).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = ProportionDetector(margin=0.01)
    >>> n = np.full(200, 20.0)
    >>> _ = detector.update(np.arange(200), rng.binomial(20, 0.02, 200) * 1.0, n)
    >>> detector.learn(200)
    >>> evidence = detector.update(np.arange(200, 230), rng.binomial(20, 0.3, 30) * 1.0, n[:30])
    >>> bool(evidence.log_e[-1] > 15), round(detector.describe(229).size, 1)
    (True, 0.3)
    """

    def __init__(self, *, margin: float, capacity: int = 17_280) -> None:
        self.margin, self.capacity = margin, capacity
        self.memory = Memory(len(_UP))
        self.waiting_tick: Ints = np.empty(0, np.int64)
        self.waiting: Floats = np.empty((0, 2))
        self.learnt: Floats = np.empty((0, 2))
        self.share = 0.0
        self.dispersion = 1.0
        self.error = 0.0
        self.hit = self.miss = np.zeros((2, len(_UP)))
        self.fitted = self.unfitted = 0

    @property
    def ready(self) -> bool:
        """Whether a share has been learnt."""
        return len(self.learnt) > 0

    def update(self, tick: Ints, value: Floats, total: Floats) -> Evidence:
        """Take counts: ``value`` of ``total`` requests in each tick."""
        self.waiting_tick = np.concatenate([self.waiting_tick, tick])
        self.waiting = np.concatenate([self.waiting, np.stack([value, total], axis=1)])
        if self.ready:
            return Evidence(tick, self.memory.append(tick, value, total, self._log_factors(value, total)))
        self.memory.append(tick, value, total, np.zeros((len(tick), 2, len(_UP))))
        self.memory.restart()
        return Evidence(tick, np.full(len(tick), -np.inf))

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take the waiting counts before this tick as healthy, but for those in ``skip``."""
        ripe = self.waiting_tick < before
        taken = ripe.copy()
        if skip is not None:
            taken &= ~((self.waiting_tick >= skip[0]) & (self.waiting_tick <= skip[1]))
        self.learnt = np.concatenate([self.learnt, self.waiting[taken]])[-self.capacity :]
        self.unfitted += int(taken.sum())
        self.waiting_tick, self.waiting = self.waiting_tick[~ripe], self.waiting[~ripe]
        if len(self.learnt):
            self._fit()

    def _fit(self) -> None:
        hits, total = self.learnt[:, 0], self.learnt[:, 1]
        self.share = float((hits.sum() + 0.5) / (total.sum() + 1.0))
        if self.unfitted >= self.fitted * (_REFIT - 1.0):
            self.fitted, self.unfitted = len(hits), 0
            sd = np.sqrt(np.maximum(total, 1.0) * self.share * (1.0 - self.share))
            self.dispersion = max(1.0, long_run_variance((hits - total * self.share) / sd))
        self.error = math.sqrt(self.dispersion * self.share * (1.0 - self.share) / (total.sum() + 1.0))
        room = self.margin + 1.96 * self.error
        high, low = self.share + room, self.share - room
        # where the margin leaves no room for a move, nothing is bet
        up = _log_ratios(high, high + (1.0 - high) * _UP) if high < 1.0 - _ROOM else np.zeros((2, len(_UP)))
        down = _log_ratios(low, low * _DOWN) if low > _ROOM else np.zeros((2, len(_DOWN)))
        self.hit, self.miss = np.stack([up, down], axis=1)

    def _log_factors(self, value: Floats, total: Floats) -> Floats:
        hits, misses = value[:, None, None], (total - value)[:, None, None]
        return np.minimum((hits * self.hit + misses * self.miss) / self.dispersion, _CAP)

    def restore(self, learnt: Floats) -> None:
        """Take over what another one learnt."""
        self.learnt, self.fitted = learnt[-self.capacity :], 0
        self._fit()

    def evidence(self, tick: int) -> float:
        """Natural logarithm of the e-value as seen at this tick; -inf while learning."""
        return self.memory.evidence(tick)

    def describe(self, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick."""
        change = self.memory.change(tick)
        if change is None or not self.ready:
            return None
        return self.again(Shift(*change, math.nan, math.nan, self.share, math.nan, 0), tick)

    def again(self, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        return self.memory.again(shift, *self.recent(shift.onset, tick), tick)

    def recent(self, first: int, last: int) -> tuple[float, float]:
        """Difference between the share in these ticks and the learnt one, and its standard error."""
        rows = self.memory.between(first, last)
        total = float(self.memory.total[rows].sum())
        if total <= 0:
            return math.nan, math.nan
        share = float(self.memory.value[rows].sum()) / total
        smooth = (share * total + 0.5) / (total + 1.0)
        return share - self.share, math.sqrt(self.dispersion * smooth * (1.0 - smooth) / total + self.error**2)

    def restart(self) -> None:
        """Forget the evidence, keep what was learnt."""
        self.memory.restart()


def _log_ratios(null: float, alternatives: Floats) -> Floats:
    """Log likelihood ratios of one hit and of one miss, shape (2, k)."""
    return np.log([alternatives / null, (1.0 - alternatives) / (1.0 - null)])

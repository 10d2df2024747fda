"""A share that moves: finish reasons, errors, requests unlike any that were learnt from."""

from __future__ import annotations

import math

import numpy as np

from driftwatch.detectors.learnt import Learnt
from driftwatch.detectors.memory import KEPT, Memory
from driftwatch.detectors.protocol import Moves, Recent, Shift
from driftwatch.detectors.waiting import Waiting
from driftwatch.state.compact import single
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.whitening import dispersion_limit, long_run_variance

_UP = np.array([0.05, 0.15, 0.4, 0.8])  # bets on a share this far on the way from the null to 1
_DOWN = np.array([0.8, 0.5, 0.2, 0.05])  # bets on a share of this fraction of the null
_ROOM = 1e-3  # a null this close to 0 or 1 cannot be left on that side
_REFIT = 1.25  # the overdispersion is fitted anew when there is this much more to learn from
_LOST = 30.0  # no single tick may take more evidence away
_ERRORS = 1.0  # standard errors of the learnt share by which the null is widened
_CAP = 6.0  # no single tick may give more evidence: one burst is not a change


class ProportionDetector:
    """Mixture Shiryaev-Roberts e-detector for shares of requests, two-sided, with an indifference margin.

    The null is "within the margin of the learnt share", and of one standard error of it; likelihood
    ratios are tempered by the overdispersion that the healthy ticks showed, or could not rule out, for requests in one
    tick share its fate.

    Parameters
    ----------
    margin
        Shape (s,): a move by less than this is not a change (a difference of shares).
    capacity
        Ticks of a series to learn from, at most; the oldest are forgotten.
    kept
        Rows that are kept for the time of a change.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 4 (bounded observations); McCullagh & Nelder (1989),
    Generalized Linear Models, section 4.5 (overdispersion).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = ProportionDetector(margin=np.array([0.01]))
    >>> n = np.full((200, 1), 20.0)
    >>> _ = detector.update(np.arange(200), rng.binomial(20, 0.02, (200, 1)) * 1.0, n)
    >>> detector.learn(200)
    >>> log_e = detector.update(np.arange(200, 230), rng.binomial(20, 0.3, (30, 1)) * 1.0, n[:30])
    >>> bool(log_e[-1, 0] > 15), round(detector.describe(0, 229).size, 1)
    (True, 0.3)
    """

    def __init__(self, *, margin: Floats, capacity: int = 17_280, kept: int = KEPT) -> None:
        self.margin, self.capacity, self.series = margin, capacity, len(margin)
        self.memory = Memory(self.series, np.full(len(_UP), 1.0 / len(_UP)), kept=kept)
        self.waiting = Waiting(self.series, 2)
        self.healthy = [Learnt(capacity, 2) for _ in range(self.series)]
        self.share, self.error = np.zeros(self.series), np.zeros(self.series)
        self.dispersion = np.ones(self.series)
        self.hit, self.miss = np.zeros((2, self.series, 2, len(_UP)))
        self.fitted, self.unfitted = np.zeros((2, self.series), np.int64)

    @property
    def learnt(self) -> list[Floats]:
        """By series, what was learnt from: hits and totals."""
        return [healthy.values for healthy in self.healthy]

    def known(self, series: int) -> int:
        """How many ticks were learnt from."""
        return len(self.healthy[series])

    def ready(self, series: int) -> bool:
        """Whether a share has been learnt."""
        return self.known(series) > 0

    def effective(self, series: int) -> float:
        """How many independent ticks were learnt from."""
        return float(self.known(series) / self.dispersion[series])

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        """Take counts: ``value`` of ``total`` requests in each tick; returns log R of each."""
        if not len(tick):
            return np.empty((0, self.series))
        value, total = (single(x).astype(np.float64) for x in (value, total))
        self.waiting.add(tick, np.stack([value, total], axis=2))
        seen = ~np.isnan(value) & (total > 0) & [self.ready(k) for k in range(self.series)]
        log_factors = self._log_factors(np.where(seen, value, 0.0), np.where(seen, total, 0.0))
        strength = np.where(seen[..., None], self.memory.bet(np.exp(log_factors), seen), 0.0)
        return self.memory.append(tick, np.where(total > 0, value, np.nan), total, strength)

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take the counts before this tick as healthy; those in ``skip`` are never."""
        new, _ = self.waiting.take(before, skip)
        for k in range(self.series):
            some = new[new[:, k, 1] > 0, k]
            if len(some):
                self.healthy[k].add(some)
                self.unfitted[k] += len(some)
                self._fit(k)

    def _fit(self, k: int) -> None:
        hits, requests = self.healthy[k].sums
        share = self.share[k] = (hits + 0.5) / (requests + 1.0)
        if self.unfitted[k] >= self.fitted[k] * (_REFIT - 1.0):
            self.fitted[k], self.unfitted[k] = self.known(k), 0
            each, total = self.healthy[k].values.T
            sd = np.sqrt(np.maximum(total, 1.0) * share * (1.0 - share))
            scores = (each - total * share) / sd
            self.dispersion[k] = max(1.0, long_run_variance(scores), dispersion_limit(scores))
        self.error[k] = math.sqrt(self.dispersion[k] * share * (1.0 - share) / (requests + 1.0))
        room = self.margin[k] + _ERRORS * self.error[k]
        self.hit[k], self.miss[k] = _log_ratios(share - room, share + room)

    def _log_factors(self, value: Floats, total: Floats) -> Floats:
        return _tempered(
            value[..., None, None], total[..., None, None], self.hit, self.miss, self.dispersion[:, None, None]
        )

    def restore(self, series: int, learnt: Floats) -> None:
        """Take over what another one learnt."""
        self.healthy[series].values, self.fitted[series] = single(learnt), 0
        self._fit(series)

    def evidence(self, tick: int) -> Floats:
        """Natural logarithm of the e-values as seen at this tick; -inf while learning."""
        return self.memory.evidence(tick)

    def describe(self, series: int, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick."""
        rows = self.memory.judged(series, tick)
        if not len(rows):
            return None
        # when it moved away from what was learnt, not when it left the margin
        share, dispersion = float(self.share[series]), self.dispersion[series]
        value, total = (rows[name][:, series, None, None].astype(np.float64) for name in ("value", "total"))
        log_factors = _tempered(value, total, *_log_ratios(share, share), dispersion)
        change = self.memory.change(series, tick, log_factors)
        if change is None:
            return None
        return self.again(series, Shift(*change, math.nan, math.nan, share, math.nan, 0, math.nan), tick)

    def again(self, series: int, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        return self.memory.again(series, shift, self.recent(series, shift.onset, tick), tick)

    def recent(self, series: int, first: int, last: int) -> Recent:
        """Difference between the share in these ticks and the learnt one, and its standard error."""
        hits, totals = (float(x.sum()) for x in self.memory.between(series, first, last))
        if totals <= 0:
            return Recent()
        share = hits / totals
        smooth = (hits + 0.5) / (totals + 1.0)
        variance = self.dispersion[series] * smooth * (1.0 - smooth) / totals + self.error[series] ** 2
        return Recent(share - float(self.share[series]), math.sqrt(variance))

    def moves(self, series: int, first: int, last: int) -> Moves:
        """The move of each of these ticks: a difference of shares."""
        hits, totals = self.memory.between(series, first, last)
        share = hits / totals
        return Moves(share - self.share[series], share * (1.0 - share) / np.maximum(totals - 1.0, 1.0))

    def restart(self, series: int) -> None:
        """Forget the evidence, keep what was learnt."""
        self.memory.restart(series)


def _tempered(value: Floats, total: Floats, hit: Floats, miss: Floats, dispersion: Floats) -> Floats:
    """Log factors of counts, both ways, in the last two axes."""
    return np.clip((value * hit + (total - value) * miss) / dispersion, -_LOST, _CAP)


def _log_ratios(low: float, high: float) -> tuple[Floats, Floats]:
    """Log likelihood ratios of a hit and of a miss for a share above ``high`` and for one below ``low``, (2, k) each.

    Where there is no room for a move, the bets on it are lost at once.
    """
    nowhere = np.full((2, len(_UP)), -_LOST * 1e6)
    up = _of_one(high, high + (1.0 - high) * _UP) if high < 1.0 - _ROOM else nowhere
    down = _of_one(low, low * _DOWN) if low > _ROOM else nowhere
    hit, miss = np.stack([up, down], axis=1)
    return hit, miss


def _of_one(null: float, alternatives: Floats) -> Floats:
    """Log likelihood ratios of one hit and of one miss, shape (2, k)."""
    return np.log([alternatives / null, (1.0 - alternatives) / (1.0 - null)])

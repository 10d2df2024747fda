"""A location that moves, of numbers that each answer has for itself: evidence by the answer, time by the tick.

Requests that share an engine share its moods, so that a tick's requests are one piece of evidence. Answers do not:
given their prompts each is one of its own.
"""

from __future__ import annotations

import math

import numpy as np

from driftwatch.detectors.location import LocationDetector, observed_first
from driftwatch.detectors.protocol import Moves, Recent
from driftwatch.state.compact import single
from driftwatch.statistics.bets import BETS, cell_of, reach_of, table
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.normal import normal_tail
from driftwatch.statistics.robust import sums

_ORDINAL = 2**40  # tells the answers of one tick apart
_MOST = 20.0  # log factor of one tick


class AnswerDetector(LocationDetector):
    """Mixture Shiryaev-Roberts e-detector for numbers of single answers, two-sided, with an indifference margin.

    Each answer is ranked among all answers of the past and bet on, as `LocationDetector` does with ticks; the factors
    of a tick's answers are multiplied, and R takes one step a tick. So the mean run length is still counted in ticks,
    while a tick of many answers tells as much as they do.

    Parameters
    ----------
    margin, seeds, capacity
        As for `LocationDetector`; the capacity is in answers.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 2 (a product of conditional e-values is one).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = AnswerDetector(margin=np.array([0.1]), seeds=np.array([1]))
    >>> tick, one = np.repeat(np.arange(100), 4), np.ones((400, 1))
    >>> _ = detector.update(tick, rng.normal(0, 1, (400, 1)), one)
    >>> detector.learn(100)
    >>> log_e = detector.update(tick[:48] + 100, rng.normal(1, 1, (48, 1)), one[:48])
    >>> log_e.shape, bool(log_e[-1, 0] > 12)
    ((12, 1), True)
    """

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        """Take rows of answers, whole ticks; returns log R of each tick.

        Parameters
        ----------
        tick
            Shape (n,): ascending, a tick as often as it has answers.
        value
            Shape (n, s): NaN where an answer has no such number.
        total
            Shape (n, s): not used, for each answer is one.
        """
        value = single(value).astype(np.float64)
        self.waiting.add(tick, value)
        if not len(tick):
            return np.empty((0, self.series))
        begins = np.flatnonzero(np.diff(tick, prepend=tick[0] - 1))
        ordinal = np.arange(len(tick)) - np.repeat(begins, np.diff(begins, append=len(tick)))
        seen = ~np.isnan(value) & (self.fitted > 0)
        factors = self._in_place(tick + ordinal * _ORDINAL, value, seen)
        each = np.exp(np.minimum(np.add.reduceat(np.log(factors), begins, axis=0), _MOST))
        some = np.logical_or.reduceat(seen, begins, axis=0)
        strength = np.where(some[..., None], self.memory.bet(each, some), 0.0)
        count = np.add.reduceat((~np.isnan(value)).astype(np.float64), begins, axis=0)
        mean = np.add.reduceat(np.nan_to_num(value), begins, axis=0) / np.maximum(count, 1.0)
        return self.memory.append(tick[begins], np.where(count > 0, mean, np.nan), count, strength)

    def _in_place(self, position: Ints, value: Floats, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
        """Factors of all rows, shape (n, s, 2, 8); 1 where nothing was seen."""
        factors = np.ones((*value.shape, 2, BETS))
        if seen.all():
            return self._factors(position[:, None], value, None)
        if seen.any():
            order, kept = observed_first(seen)
            at = order, np.arange(self.series)
            factors[at] = np.where(kept[..., None, None], self._factors(position[order], value[at], kept), 1.0)
        return factors

    def dating(self, series: int, value: Floats, tick: int) -> Floats:
        """Log factors of the means of ticks, shape (n, 2, 8): each is as far out as so many answers make it."""
        if not self.ready(series) or not len(value):
            return np.zeros((len(value), 2, BETS))
        count = self.memory.judged(series, tick)["total"][:, series].astype(np.float64)
        z = (value - self.level[series]) * np.sqrt(count / max(self.scatter[series], 1e-12))
        up = np.clip(normal_tail(z), 1e-9, 1.0 - 1e-9)
        cells = cell_of(np.stack([up, 1.0 - up], axis=-1)[:, None], reach_of(np.array([self.known(series)])))
        return np.asarray(self.power[series] * table()[cells[:, 0]])

    def recent(self, series: int, first: int, last: int) -> Recent:
        """Mean move over the answers of these ticks."""
        return self._move(series, *self.memory.between(series, first, last))

    def lately(self, series: int, last: int, answers: int) -> Recent:
        """The same over the newest so many answers: those of the ticks that have them."""
        mean, count = self.memory.between(series, 0, last)
        enough = int(np.count_nonzero(np.cumsum(count[::-1]) < answers)) + 1
        return self._move(series, mean[-enough:], count[-enough:])

    def _move(self, series: int, mean: Floats, count: Floats) -> Recent:
        n = float(count.sum())
        if n == 0:
            return Recent()
        size = float((mean * count).sum() / n - self.level[series])
        ticks = sums(np.zeros(len(mean), np.int64), count**2 * (mean - self.level[series] - size) ** 2, 1)[0] / n**2
        own = float(self.variance[series])
        return Recent(size, math.sqrt(max(float(ticks), own / n) + own / max(self.known(series), 1)))

    def moves(self, series: int, first: int, last: int) -> Moves:
        """The move of each of these ticks: of the mean of its answers."""
        mean, count = self.memory.between(series, first, last)
        return Moves(mean - self.level[series], self.scatter[series] / np.maximum(count, 1.0))

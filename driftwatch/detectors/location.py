"""A location that moves: latency residuals, lengths, rates.

Each value is whitened by what its own past predicts, ranked among all that came before it, and bet on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from driftwatch.detectors.learnt import Learnt
from driftwatch.detectors.memory import KEPT, Memory
from driftwatch.detectors.protocol import Moves, Recent, Shift
from driftwatch.detectors.waiting import Waiting
from driftwatch.state.compact import single
from driftwatch.statistics.bets import BETS, cell_of, reach_of, table, weights
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.normal import uniform_of
from driftwatch.statistics.ranks import LAG, Past, allowance, lag_of
from driftwatch.statistics.robust import deviation, midmean
from driftwatch.statistics.whitening import LONGEST, Whitening, long_run_variance, winsorised

_REFIT = 1.25  # the persistence is fitted anew when there is this much more to learn from
_FEWEST = LAG + 20  # values without which nothing is judged
_SLAB = 512  # rows that are judged in one go: what they need fits into a processor's cache
_BOUND = 3.0  # standard deviations beyond which a value is not believed to be followed by another such
_FINEST = 1e-6  # a series that never moved has bins this wide


class LocationDetector:
    """Mixture Shiryaev-Roberts e-detector for locations, two-sided, with an indifference margin.

    Values are ranked among all of the past, what was learnt and what came since, but for the newest ones. Of an
    exchangeable stream such ranks are uniform, whatever its distribution is and however little was learnt; what leaving
    out the newest costs is allowed for by variances, and measured (benchmarks/results/detection.md). Of a stream with a
    memory the whitened values are ranked, and the evidence is discounted for the dependence that they still show. What
    an incident brought is counted out again (`learn` with ``skip``).

    Parameters
    ----------
    margin
        Shape (s,): a move by less than this is not a change (same unit as the values).
    seeds
        Shape (s,): break ties between ranks.
    capacity
        Values of a series to learn from, at most; the oldest are forgotten.
    kept
        Rows that are kept for the time of a change.
    anchored
        Compare with what was learnt alone, not with what came since: then a slow creep is seen, and what was learnt is
        taken at the near end of its 95% interval.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 2-3; Vovk, Gammerman & Shafer (2022), Algorithmic Learning in
    a Random World, chapter 8 (betting on conformal p-values).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = LocationDetector(margin=np.array([0.1]), seeds=np.array([1]))
    >>> ones = np.ones((200, 1))
    >>> _ = detector.update(np.arange(200), rng.normal(0, 1, (200, 1)), ones)
    >>> detector.learn(200)
    >>> log_e = detector.update(np.arange(200, 260), rng.normal(3, 1, (60, 1)), ones[:60])
    >>> bool(log_e[-1, 0] > 15), detector.describe(0, 259).onset
    (True, 200)
    """

    def __init__(
        self,
        *,
        margin: Floats,
        seeds: Ints,
        capacity: int = 17_280,
        kept: int = KEPT,
        anchored: bool = False,
    ) -> None:
        self.anchored = anchored
        self.margin, self.seeds, self.capacity = margin, seeds.astype(np.uint64), capacity
        self.series = len(margin)
        self.memory = Memory(self.series, weights(), kept=kept)
        self.healthy = [Learnt(capacity) for _ in range(self.series)]
        self.waiting = Waiting(self.series)
        self.whitening = [Whitening.none()] * self.series
        self.taps = np.stack([w.taps for w in self.whitening], axis=1)
        self.near = margin * self.taps.sum(axis=0)
        self.newest = np.zeros((LONGEST, self.series))
        self.past = Past(self.series)
        self.reach: Ints = np.zeros(self.series, np.int64)
        self.power = np.zeros(self.series)
        self.level = np.zeros(self.series)
        self.scatter = np.zeros(self.series)
        self.variance = np.zeros(self.series)
        self.fitted = np.zeros(self.series, np.int64)
        self.unfitted = np.zeros(self.series, np.int64)

    @property
    def learnt(self) -> list[Floats]:
        """By series, what was learnt from."""
        return [healthy.values for healthy in self.healthy]

    def known(self, series: int) -> int:
        """How many values were learnt from."""
        return len(self.healthy[series])

    def ready(self, series: int) -> bool:
        """Whether there is a past to rank against."""
        return bool(self.fitted[series])

    def effective(self, series: int) -> float:
        """How many independent ticks were learnt from."""
        return self.whitening[series].effective * self.known(series)

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        """Take rows of values (NaN: nothing was observed); returns log R of each."""
        value = single(value).astype(np.float64)
        self.waiting.add(tick, value)
        if not len(tick):
            return np.empty((0, self.series))
        slabs = [slice(k, k + _SLAB) for k in range(0, len(tick), _SLAB)]
        judged = [self._judge(tick[slab], value[slab]) for slab in slabs]
        strength = judged[0] if len(slabs) == 1 else np.concatenate(judged)
        return self.memory.append(tick, value, total, strength)

    def _judge(self, tick: Ints, value: Floats) -> Floats:
        seen = ~np.isnan(value) & (self.fitted > 0)
        if seen.all():
            return self._strength(tick[:, None], value, None)
        strength = np.zeros((*value.shape, 2))
        if seen.any():
            order, kept = observed_first(seen)
            at = order, np.arange(self.series)
            strength[at] = self._strength(tick[order], value[at], kept)
            strength[~seen] = 0.0
        return strength

    def _strength(self, tick: Ints, x: Floats, seen: NDArray[np.bool_] | None) -> Floats:
        """Evidence both ways; what was not seen comes last in its series."""
        return self.memory.bet(self._factors(tick, x, seen), seen)

    def _factors(self, position: Ints, x: Floats, seen: NDArray[np.bool_] | None) -> Floats:
        """Factors of the bets on values, shape (n, s, 2, 8); positions tell rows apart, to break ties."""
        white, tie = self._whitened(x, seen), uniform_of(self.seeds, position)
        p = self.past.compare(white, self.near, tie) if self.anchored else self.past.rank(white, self.near, tie, seen)
        return np.exp(self.power[:, None, None] * table().take(cell_of(p, self.reach), axis=0))

    def _whitened(self, x: Floats, seen: NDArray[np.bool_] | None) -> Floats:
        n = len(x)
        padded = np.concatenate([self.newest, x if seen is None else np.where(seen, x, 0.0)])
        if n == 1:
            white = (padded[::-1] * self.taps).sum(axis=0, keepdims=True)  # the same sum, in the same order
        else:
            white = padded[LONGEST:] * self.taps[0]
            for lag in range(1, LONGEST + 1):
                white += padded[LONGEST - lag : LONGEST - lag + n] * self.taps[lag]
        if seen is None:
            self.newest = padded[n:]
        else:
            last = seen.sum(axis=0) + np.arange(LONGEST)[:, None]
            self.newest = np.take_along_axis(padded, last, axis=0)
        return np.asarray(white)

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take what was observed before this tick as healthy; the ticks in ``skip`` are never."""
        new, out = self.waiting.take(before, skip)
        for k in range(self.series):
            self._absorb(k, new[:, k], out[:, k])

    def _absorb(self, k: int, new: Floats, out: Floats) -> None:
        new, removed = new[~np.isnan(new)], not np.isnan(out).all()
        self.healthy[k].add(new)
        self.unfitted[k] += len(new)
        if len(new) and self.known(k) >= _FEWEST and self.unfitted[k] >= self.fitted[k] * (_REFIT - 1.0):
            self._fit(k)
        elif removed and self.fitted[k]:
            self._recount(k)

    def _fit(self, k: int) -> None:
        learnt = self.healthy[k].values
        if not self.fitted[k]:
            self.newest[:, k] = learnt[-LONGEST:]
        self.fitted[k], self.unfitted[k] = len(learnt), 0
        self.level[k] = midmean(np.zeros(len(learnt), np.int64), learnt, np.ones(len(learnt)), 1)[0]
        bounded = winsorised(learnt - self.level[k])
        self.scatter[k], self.variance[k] = bounded.var(), long_run_variance(bounded)
        fit = self.whitening[k] = Whitening.fit(bounded)
        self.taps[:, k] = fit.taps
        error = 1.96 * math.sqrt(self.variance[k] / len(learnt)) if self.anchored else 0.0
        self.near[k] = (self.margin[k] + error) * fit.taps.sum()
        self.power[k] = fit.worth * (1.0 if self.anchored else allowance(len(learnt)))
        self._recount(k)

    def _recount(self, k: int) -> None:
        """Count the past anew: what was learnt, and what waits."""
        waiting = self.waiting.value[:0, k] if self.anchored else self.waiting.value[:, k]
        values = np.concatenate([self.healthy[k].values, waiting[~np.isnan(waiting)]])
        white = np.convolve(values, self.taps[:, k], "valid")
        centre = float(np.median(white))
        self.past.scale(k, centre, max(deviation(white), _FINEST))
        self.past.count(k, white, lag=0 if self.anchored else lag_of(self.known(k)))
        self.reach[k] = reach_of(self.past.total[k : k + 1])[0]

    def restore(self, series: int, learnt: Floats) -> None:
        """Take over what another one learnt."""
        self.healthy[series].values, self.fitted[series] = single(learnt), 0
        if len(learnt) >= _FEWEST:
            self._fit(series)

    def evidence(self, tick: int) -> Floats:
        """Natural logarithm of the e-values as seen at this tick; -inf while learning."""
        return self.memory.evidence(tick)

    def describe(self, series: int, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick."""
        rows = self.memory.judged(series, tick)
        value = rows["value"][:, series].astype(np.float64)
        change = self.memory.change(series, tick, self.dating(series, value, tick))
        if change is None:
            return None
        level = float(self.level[series])
        return self.again(series, Shift(*change, math.nan, math.nan, level, math.nan, 0, math.nan), tick)

    def dating(self, series: int, value: Floats, tick: int) -> Floats:
        """Log factors of values for dating a change as seen at a tick, shape (n, 2, 8).

        As for its detection, but for two things. What came before a value is bounded by what is healthy: else each end
        of a pause in the change would look like its beginning. And there is no margin: it began when it left what was
        learnt.
        """
        k = series
        if not self.ready(k) or not len(value):
            return np.zeros((len(value), 2, BETS))
        waiting = self.waiting.value[self.waiting.tick <= tick - int(self.past.lag[k]), k]
        learnt = self.healthy[k].values
        healthy = np.concatenate([learnt, waiting[~np.isnan(waiting)]])
        known = np.sort(np.convolve(healthy, self.taps[:, k], "valid"))
        room = _BOUND * deviation(learnt)
        bounded = np.clip(value, self.level[k] - room, self.level[k] + room)
        before = np.concatenate([np.full(LONGEST, self.level[k]), bounded[:-1]])
        white = value * self.taps[0, k] + np.convolve(before, self.taps[1:, k], "valid")
        below = 0.5 * (known.searchsorted(white) + known.searchsorted(white, "right"))
        up = (len(known) - below + 0.5) / (len(known) + 1)
        cells = cell_of(np.stack([up, 1.0 - up], axis=-1)[:, None], reach_of(np.array([len(known)])))
        return np.asarray(self.power[k] * table()[cells[:, 0]])

    def again(self, series: int, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        return self.memory.again(series, shift, self.recent(series, shift.onset, tick), tick)

    def recent(self, series: int, first: int, last: int) -> Recent:
        """Mean move over these ticks."""
        value = self.memory.between(series, first, last)[0] - self.level[series]
        n = len(value)
        if n == 0:
            return Recent()
        size = float(midmean(np.zeros(n, np.int64), value, np.ones(n), 1)[0])
        known = float(self.variance[series])
        variance = max(known, long_run_variance(winsorised(value - size)))  # trouble is noisier than health
        return Recent(size, math.sqrt(variance / n + known / max(self.known(series), 1)))

    def moves(self, series: int, first: int, last: int) -> Moves:
        """The move of each of these ticks."""
        size = self.memory.between(series, first, last)[0] - self.level[series]
        return Moves(size, np.full(len(size), self.scatter[series]))

    def restart(self, series: int) -> None:
        """Forget the evidence, keep what was learnt."""
        self.memory.restart(series)


def observed_first(seen: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Order of the rows of each series that brings what was seen first, and what is seen after that."""
    order = np.argsort(~seen, axis=0, kind="stable")
    return order, np.take_along_axis(seen, order, axis=0)

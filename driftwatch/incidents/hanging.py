"""Requests that hang: they began, and have not ended long after the learnt latency explains."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.ticks import Ticks

_AGES = 4080  # longer requests count as this long, in ticks
_STEP = 120  # room is made for so many at once
_RARE = 0.001  # the share of requests that may take longer than the longest usual one
_SLACK = 6  # ticks that are waited on top of twice the longest usual duration
_FEWEST = 100  # requests before anything is judged
_LEAST_SHARE = 0.01  # of requests that are never heard of again, even where all were
_STEPS = 3.0  # one tick counts for at most this part of the evidence that is needed
_ROUNDING = 1e-9  # so many capped steps make the threshold exactly: the last digit must not decide
_WELL = math.log(20.0)


@saved
@dataclass(slots=True)
class Hanging:
    """One stream: how many of the requests that began in a tick are overdue.

    A request is overdue when it was told of at its start and has not ended after twice the longest usual duration (that
    of all but one in a thousand) and 30 s of 5 s ticks. A small share of ends is always lost: the share of overdue
    requests is tested against the learnt one (its upper confidence limit, at least 1%) by a CUSUM of binomial
    likelihood ratios, whose alternative lies a quarter of the way to "all hang". Its mean run length between false
    alarms is at least ``A = exp(threshold)`` [1]_ where requests are lost independently; since they are not quite, one
    tick counts for at most a third of what is needed. The way back is the same test the other way round, at 20 to 1.

    Parameters
    ----------
    threshold
        ln A, where A is the run length in ticks between two false alarms.

    References
    ----------
    .. [1] Lorden (1971), "Procedures for reacting to a change in distribution", Annals of Math. Statistics 42.
    """

    threshold: float
    ages: Ints = field(default_factory=lambda: np.zeros(_STEP, np.int64))
    limit: int | None = None
    first: int = 0
    begun: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    overdue: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    healthy: tuple[int, int] = (0, 0)
    share: float = _LEAST_SHARE
    evidence: float = 0.0
    well: float = 0.0
    well_since: int = 0
    suspect: int | None = None
    lost: int | None = None
    count: int = 0
    of: int = 0
    late: int = 0
    opened_with: tuple[int, int] = (0, 0)

    def update(self, ticks: Ticks, last: int, *, judge: bool) -> int | None:
        """Take what became known until tick ``last``; returns the tick at which too many were overdue."""
        ended = ticks.started - ticks.announced
        age = ticks.flow_known - ticks.flow_tick
        self._count(np.clip(age, 0, _AGES - 1), np.maximum(ended, 0))
        self._note(ticks, ended, age, last)
        if self.limit is None:
            return None
        return self._judge(last - self.limit, judge)

    def _count(self, age: Ints, ended: Ints) -> None:
        """Count how long requests took, as far as any did."""
        longest = int(age.max(initial=0, where=ended > 0))
        if longest >= len(self.ages):
            self.ages = np.append(self.ages, np.zeros(longest // _STEP * _STEP + _STEP - len(self.ages), np.int64))
        some = ended > 0
        np.add.at(self.ages, age[some], ended[some])

    def _note(self, ticks: Ticks, ended: Ints, age: Ints, last: int) -> None:
        """Add to what began in each tick, and to what of it is not known to have ended in time."""
        if last - self.first - len(self.begun) > _AGES:  # the first ticks, or those after a long pause
            self.first, self.begun, self.overdue = (last // _AGES - 1) * _AGES, self.begun[:0], self.overdue[:0]
        room = np.zeros(max(last + 1 - self.first - len(self.begun), 0), np.int64)
        self.begun, self.overdue = np.append(self.begun, room), np.append(self.overdue, room)
        known = (ticks.flow_tick >= self.first) & (ticks.flow_tick <= last)
        in_time = known & (age <= (self.limit or _AGES))
        at = ticks.flow_tick[in_time] - self.first
        np.add.at(self.begun, at, ticks.started[in_time])
        np.add.at(self.overdue, at, ticks.announced[in_time])
        if self.lost is not None:
            late = ~in_time & (ticks.flow_tick >= self.lost) & (ticks.announced < 0)
            self.late -= int(ticks.announced[late].sum())

    def _judge(self, until: int, judge: bool) -> int | None:
        n = max(until + 1 - self.first, 0)
        first, begun, overdue = self.first, self.begun[:n], np.clip(self.overdue[:n], 0, self.begun[:n])
        self.first, self.begun, self.overdue = self.first + n, self.begun[n:], self.overdue[n:]
        if self.lost is not None:
            self._heal(first, begun, overdue)
            return None
        path = self._path(begun, overdue) if judge else np.zeros(len(begun))
        beyond = np.flatnonzero(path >= self.threshold - _ROUNDING)
        n = int(beyond[0]) + 1 if len(beyond) else n
        self._take(first, path[:n], begun[:n], overdue[:n])
        if not len(beyond):
            return None
        self.lost, self.opened_with = self.suspect, (self.count, self.of)
        self._heal(first + n, begun[n:], overdue[n:])
        assert self.limit is not None
        return first + n - 1 + self.limit

    def _take(self, first: int, path: Floats, begun: Ints, overdue: Ints) -> None:
        """Ticks in which nothing is certain: those without evidence are healthy, the others are suspect."""
        if not len(path):
            return
        calm = path < _WELL
        self.healthy = (self.healthy[0] + int(overdue[calm].sum()), self.healthy[1] + int(begun[calm].sum()))
        self.evidence = float(path[-1])
        nothing = np.flatnonzero(path <= 0)
        after = int(nothing[-1]) + 1 if len(nothing) else 0
        if len(nothing):
            self.suspect, self.count, self.of = None, 0, 0
        hung = np.flatnonzero(overdue[after:])
        if self.suspect is None and len(hung):
            self.suspect = first + after + int(hung[0])
        self.count, self.of = self.count + int(overdue[after:].sum()), self.of + int(begun[after:].sum())

    def _path(self, begun: Ints, overdue: Ints) -> Floats:
        path = self.evidence + np.cumsum(np.minimum(self._ratio(begun, overdue), self.threshold / _STEPS))
        return np.asarray(path - np.minimum(np.minimum.accumulate(path), 0.0)) if len(path) else path

    def _ratio(self, begun: Ints, overdue: Ints) -> Floats:
        """Log likelihood ratio of each tick: a quarter of the way to all hanging, against the learnt share."""
        other = (1.0 + 3.0 * self.share) / 4.0
        hung, fine = math.log(other / self.share), math.log((1.0 - other) / (1.0 - self.share))
        return overdue * hung + (begun - overdue) * fine

    def _heal(self, first: int, begun: Ints, overdue: Ints) -> None:
        self.count, self.of = self.count + int(overdue.sum()), self.of + int(begun.sum())
        path = self.well - np.cumsum(self._ratio(begun, overdue))
        lows = np.minimum(np.minimum.accumulate(path), 0.0) if len(path) else path
        bad = np.flatnonzero(path - lows <= 0)
        if len(bad):
            self.well_since = first + int(bad[-1]) + 1
        self.well = float(path[-1] - lows[-1]) if len(path) else self.well

    @property
    def usual(self) -> int:
        """The longest usual duration, in ticks."""
        return 0 if self.limit is None else (self.limit - _SLACK) // 2

    def pass_over(self) -> None:
        """Let go of requests in flight: whether they end will not be known."""
        self.begun, self.overdue = np.zeros_like(self.begun), np.zeros_like(self.overdue)

    def learn(self) -> None:
        """Set the limit and the share from the healthy requests seen so far."""
        n = int(self.ages.sum())
        if self.lost is None and n >= _FEWEST:
            above = n - np.cumsum(self.ages)
            self.limit = 2 * int(np.argmax(above <= _RARE * n)) + _SLACK
            hung, of = self.healthy
            self.share = min(0.5, max(_LEAST_SHARE, (hung + 1 + 2 * math.sqrt(hung + 1)) / (of + _FEWEST)))

    def back(self) -> int | None:
        """The tick from which on requests end again, once that is clear."""
        return self.well_since if self.lost is not None and self.well >= _WELL else None

    def resume(self) -> None:
        """Watch again."""
        self.lost = self.suspect = None
        self.evidence = self.well = 0.0
        self.count = self.of = self.late = 0

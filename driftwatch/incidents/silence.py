"""Traffic that vanishes: a stream is silent for longer than its own history explains."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from driftwatch.state import saved
from driftwatch.state.compact import Singles
from driftwatch.statistics.buckets import Floats, Ints

Few = NDArray[np.int32]
WINDOWS = (24, 288, 2880)
"""Trailing ticks over which the share of busy ticks is taken; the lowest counts."""
_KEPT = 4096  # healthy silences that the tail is learnt from
_TAIL = 16  # fewest silences that a tail is learnt from
_HABIT = 8  # silences that ended by themselves, after which the next such is no news
_LONGER = 1.5
_STRAY = 3  # busy ticks below which a return may be a stray request


@saved
@dataclass(slots=True)
class Silence:
    """One stream: which ticks had requests, and whether the silence since the last one is too long.

    The silence is measured by its own local rate: ``x = length * h``, where ``h = -ln P(an empty tick)`` is the
    smallest over the last 24, 288 and 2,880 healthy ticks before the silence began, with ``P`` at most
    ``(empty + 1) / (n + 1)``. Where ticks are empty or busy independently, ``P(x > c) <= exp(-c)`` about, so with
    ``c = ln A`` a false alarm comes once in ``A`` ticks, as with all other tests. Where silences of this stream were
    longer than that (stalls, batch jobs, clients that come together), the tail of the healthy ones is extrapolated as
    an exponential beyond its k largest, for k = 16, 32, 64, ..., each scale enlarged by its standard error, and the
    largest bound counts (peaks over threshold [1]_, with the shape held at 0). Silences that opened an incident are
    not healthy; once eight of them ended by themselves they are a habit (nights, batch jobs), and only one that is
    half as long again as all of these counts.

    Assumptions: the rate falls no faster than the windows follow it, and the tail of silences is no heavier than
    exponential beyond those that were seen. Requests are not counted, only busy ticks: a burst does not make the
    silence after it suspicious.

    Parameters
    ----------
    threshold
        ln A, where A is the run length in ticks between two false alarms.

    References
    ----------
    .. [1] Davison & Smith (1990), "Models for exceedances over high thresholds", J. R. Statist. Soc. B 52.

    Examples
    --------
    >>> watched = Silence(threshold=18.2)
    >>> watched.update(np.full(600, 100), 0, judge=True)
    >>> watched.learn()
    >>> watched.update(np.zeros(24), 600, judge=True)
    605
    >>> watched.lost
    600
    """

    threshold: float
    counts: Few = field(default_factory=lambda: np.empty(0, np.int32))
    last: int | None = None
    hazard: float = 0.0
    runs: Singles = field(default_factory=lambda: np.empty(0, np.float32))
    lengths: Few = field(default_factory=lambda: np.empty(0, np.int32))
    run_at: Few = field(default_factory=lambda: np.empty(0, np.int32))
    watched: int = 0
    bound: float = field(init=False)
    lost: int | None = None
    since: Few = field(default_factory=lambda: np.empty(0, np.int32))
    ready: bool = False
    next: int = 0
    hot_first: int = 0
    hot: Floats = field(default_factory=lambda: np.empty(0))
    outlived: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bound = self.threshold

    def update(self, requests: Ints | Floats, first: int, *, judge: bool) -> int | None:
        """Take the ticks from ``first`` on.

        Parameters
        ----------
        requests
            Shape (n,): completed requests of each tick.
        judge
            False while the stream is being learnt.

        Returns
        -------
        The tick at which the silence became too long, if it did; `lost` is then its first tick.
        """
        done: Few = np.asarray(requests, np.int32)
        if self.last is None:  # it begins with its first request
            begin = int(np.argmax(done > 0)) if done.any() else len(done)
            done, first = done[begin:], first + begin
        skipped, self.next = first > self.next, first + len(done)
        if self.lost is not None:
            self.since = np.concatenate([self.since[:0] if skipped else self.since, done])[-WINDOWS[-1] :]
            return None
        tick = np.arange(first, first + len(done))
        at = np.flatnonzero(done > 0)
        lasts = np.concatenate([[first - 1 if self.last is None else self.last], tick[at]])
        hazards = np.concatenate([[self.hazard], _hazards(np.concatenate([self.counts, done]), at + len(self.counts))])
        which = np.searchsorted(at, np.arange(len(tick)), side="right")
        self.hot_first, self.hot = first, (tick - lasts[which]) * hazards[which]
        beyond = np.flatnonzero(self.hot >= self.bound) if judge and self.ready else at[:0]
        end = int(beyond[0]) if len(beyond) else len(tick)
        self._take(done[:end], tick[at[at < end]], lasts, hazards, judge)
        if not len(beyond):
            return None
        assert self.last is not None
        self.lost, self.since = self.last + 1, done[end + 1 :]
        self.counts = self.counts[: int(np.flatnonzero(self.counts).max(initial=-1)) + 1]  # the silence is not healthy
        return int(tick[end])

    def _take(self, done: Few, busy: Ints, lasts: Ints, hazards: Floats, judge: bool) -> None:
        """Ticks that are healthy: silences that ended among them show how long one may be."""
        n = len(busy)
        length = busy - lasts[:n] - 1
        x = length * hazards[:n]
        ended = np.flatnonzero(x > 0)
        place = self.watched + busy[ended] - (self.next - len(done))
        self._keep(x[ended] if judge else np.minimum(x[ended], self.threshold), length[ended], place)
        self.watched += len(done)
        self.counts = np.concatenate([self.counts, done])[-WINDOWS[-1] :]
        if n:
            self.last, self.hazard = int(busy[-1]), float(hazards[n])

    def _keep(self, x: Floats, length: Ints, place: Ints) -> None:
        self.runs = np.append(self.runs, x.astype(np.float32))[-_KEPT:]
        self.lengths = np.append(self.lengths, length.astype(np.int32))[-_KEPT:]
        self.run_at = np.append(self.run_at, place.astype(np.int32))[-_KEPT:]

    def pass_over(self, tick: int) -> None:
        """Go on at a later tick: nobody listened until then, so that the silence says nothing."""
        if self.last is not None and self.lost is None:
            self.last += max(tick - self.next, 0)
            self.next = tick

    def learn(self) -> None:
        """Set the bound from the healthy silences seen so far."""
        self.ready = self.watched >= 2 * WINDOWS[0]
        habit = _LONGER * max(self.outlived) if len(self.outlived) == _HABIT else 0.0
        self.bound = max(self.threshold, habit, *self._tails())

    def _tails(self) -> list[float]:
        """Where the tail beyond the k largest healthy silences reaches the threshold, for several k."""
        m, ordered = len(self.runs), np.sort(self.runs)[::-1].astype(np.float64)
        seen = self.watched - int(self.run_at[0]) + 1 if m else 1
        tails = [_TAIL << j for j in range(16) if _TAIL << j <= m // 2]
        return [_extrapolated(ordered, k, math.log(k / seen) + self.threshold) for k in tails]

    def doubtful(self, tick: int, least: float) -> bool:
        """Whether the silence at a tick of the last update is worth so much already, in nats."""
        at = tick - self.hot_first
        return self.lost is not None or bool(0 <= at < len(self.hot) and self.hot[at] >= least)

    def back(self, quiet: int) -> int | None:
        """The tick at which traffic came back, once that is more than a stray request: after the last long silence."""
        share = max(-math.expm1(-self.hazard), 1e-6)
        window = min(max(quiet, math.ceil(4.0 / share)), WINDOWS[-1])
        busy = np.flatnonzero(self.since[-window:])
        if len(busy) < max(_STRAY, 0.5 * share * window):
            return None
        every = np.flatnonzero(self.since)
        long = np.flatnonzero(np.diff(every) * self.hazard >= self.bound)
        return self.next - len(self.since) + int(every[long[-1] + 1 if len(long) else 0])

    def resume(self, tick: int) -> None:
        """Traffic is back since this tick: watch again."""
        assert self.lost is not None
        self.outlived = [*self.outlived, self.hazard * (tick - self.lost)][-_HABIT:]
        self.counts = np.concatenate([self.counts, self.since[len(self.since) - (self.next - tick) :]])[-WINDOWS[-1] :]
        newest = int(np.flatnonzero(self.counts)[-1])
        self.last = self.next - len(self.counts) + newest
        self.hazard = float(_hazards(self.counts, np.array([newest]))[0])
        self.lost, self.since = None, self.since[:0]

    def busy(self, first: int, last: int) -> bool:
        """Whether any request completed in these ticks, as far as they are remembered."""
        end = self.next if self.lost is None else self.lost
        return _any(self.counts, end, first, last) or _any(self.since, self.next, first, last)

    @property
    def rate(self) -> float:
        """Requests per tick before the silence."""
        recent = self.counts[-WINDOWS[1] :]
        return float(recent.mean()) if len(recent) else 0.0

    @property
    def longest(self) -> int:
        """The longest healthy silence, in ticks."""
        return int(self.lengths.max(initial=0))

    def evidence(self, length: int) -> float:
        """Nats that speak against a healthy silence of so many ticks: the threshold where the bound is reached."""
        return self.hazard * length * self.threshold / self.bound


def _any(counts: Few, end: int, first: int, last: int) -> bool:
    """Whether any of the counts, of the ticks before ``end``, is of ``[first, last]`` and not zero."""
    base = end - len(counts)
    return bool(counts[max(first - base, 0) : max(last + 1 - base, 0)].any())


def _hazards(counts: Few, at: Ints) -> Floats:
    """``-ln P(empty)`` at each of these positions, from the windows that end there."""
    busy = np.concatenate([[0], np.cumsum(counts > 0)])
    found = np.full(len(at), np.inf)
    for window in WINDOWS:
        low = np.maximum(at + 1 - window, 0)
        n = at + 1 - low
        seen = busy[at + 1] - busy[low]
        if window == WINDOWS[0]:
            seen = np.minimum(seen + np.sqrt(seen), n)  # one or two busy ticks say too little to believe them lower
        empty = n - seen
        found = np.minimum(found, np.log((n + 1) / (empty + 1)))
    return found


def _extrapolated(ordered: Floats, k: int, wanted: float) -> float:
    """Where the tail beyond the k largest has fallen by so many nats."""
    start = float(ordered[k])
    scale = (float(ordered[:k].mean()) - start) * (1.0 + 1.0 / math.sqrt(k))
    return start + scale * max(wanted, 0.0)

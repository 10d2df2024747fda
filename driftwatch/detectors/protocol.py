"""What every detector does, and the memory that all of them share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.evidence import accumulate, change_time, mixture

KEPT = 1440
"""Observations kept for the estimate of the change time (two hours of 5 s ticks)."""
_SPARE = KEPT // 4  # rows to fill before the oldest are let go


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence for a change, by tick.

    Parameters
    ----------
    tick
        Shape (n,): ticks that had something to judge.
    log_e
        Shape (n,): natural logarithm of the two-sided e-value; -inf while learning.
    """

    tick: Ints
    log_e: Floats


@dataclass(frozen=True, slots=True)
class Shift:
    """How much moved, and since when, as seen at one tick.

    Parameters
    ----------
    onset, onset_low, onset_high
        Ticks: the first changed one (half of the weight lies before it), and the ends of its 90% interval.
    size, error
        The move and its standard error: in log units for a location, a difference for a share.
    reference
        Typical value while healthy (0 for a residual).
    log_e
        Natural logarithm of the detector's statistic R, which has mean n after n ticks without a change.
    count
        Requests since the onset.
    watched
        Ticks that R was gathered over: R / watched is an e-value for "nothing changed at all".
    """

    onset: int
    onset_low: int
    onset_high: int
    size: float
    error: float
    reference: float
    log_e: float
    count: int
    watched: int = 1

    @property
    def evidence(self) -> float:
        """Natural logarithm of the e-value."""
        return self.log_e - math.log(self.watched)

    def exceeds(self, margin: float, confidence: float = 1.28) -> bool:
        """Whether the move is larger than the margin even at the near end of its interval."""
        return abs(self.size) - confidence * self.error > margin


class Detector(Protocol):
    """A sequential two-sided test of one signal of one stream.

    Observations come in order, one for each tick that had something to judge. ``update`` may be called with any cut of
    them; ``learn`` and ``restart`` are called between, at ticks that do not depend on the cut.
    """

    learnt: Floats
    """What was learnt from; `restore` takes it back."""

    @property
    def ready(self) -> bool:
        """Whether enough is learnt to judge."""
        ...

    def restore(self, learnt: Floats) -> None:
        """Take over what another one learnt."""
        ...

    def update(self, tick: Ints, value: Floats, total: Floats) -> Evidence:
        """Take observations: ``value`` of ``total`` requests in each tick."""
        ...

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take what was observed before this tick as healthy, but for the ticks in ``skip`` (from, to)."""
        ...

    def evidence(self, tick: int) -> float:
        """Natural logarithm of the e-value as seen at this tick; -inf while learning."""
        ...

    def describe(self, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick; None if nothing speaks for one."""
        ...

    def again(self, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        ...

    def recent(self, first: int, last: int) -> tuple[float, float]:
        """Mean move over these ticks, and its standard error (NaN without observations)."""
        ...

    def restart(self) -> None:
        """Forget the evidence, keep what was learnt."""
        ...


@dataclass(slots=True)
class Memory:
    """The newest observations with their log factors, both ways: constant memory for any detector.

    Parameters
    ----------
    bets
        Number of bets for each direction.
    """

    bets: int
    since: int = 0
    store: NDArray[np.void] = field(init=False)
    end: int = 0
    watched: int = 0

    def __post_init__(self) -> None:
        by_bet = (np.float64, (2, self.bets))
        kinds = {"tick": np.int64, "value": np.float64, "total": np.float64, "factors": by_bet, "log_r": by_bet}
        self.store = np.empty(KEPT, np.dtype(list(kinds.items())))

    @property
    def tick(self) -> Ints:
        """Shape (n,): ticks of the observations."""
        return self.store["tick"][: self.end]

    @property
    def value(self) -> Floats:
        """Shape (n,): what was observed."""
        return self.store["value"][: self.end]

    @property
    def total(self) -> Floats:
        """Shape (n,): requests behind it."""
        return self.store["total"][: self.end]

    @property
    def factors(self) -> Floats:
        """Shape (n, 2, bets): log factors."""
        return self.store["factors"][: self.end]

    @property
    def log_r(self) -> Floats:
        """Shape (n, 2, bets): log of the evidence so far."""
        return self.store["log_r"][: self.end]

    def append(self, tick: Ints, value: Floats, total: Floats, factors: Floats) -> Floats:
        """Add observations with log factors of shape (n, 2, bets); returns the log e-value of each, shape (n,)."""
        n = len(tick)
        if not n:
            return np.empty(0)
        start = self.log_r[-1] if self.end else np.full((2, self.bets), -np.inf)
        log_r = accumulate(factors.reshape(n, -1), start.ravel())
        self.watched += n
        new = self._room(n)
        new["tick"], new["value"], new["total"] = tick, value, total
        new["factors"], new["log_r"] = factors, log_r.reshape(factors.shape)
        return mixture(log_r)

    def _room(self, n: int) -> NDArray[np.void]:
        """The next n rows; the oldest give way when there is no room, and the newest ones always stay."""
        if self.end + n > len(self.store):
            kept = self.store[max(self.end - KEPT, 0) : self.end]
            self.store = np.concatenate([kept, np.empty(max(n, _SPARE), self.store.dtype)])
            self.end = len(kept)
        self.end += n
        return self.store[self.end - n : self.end]

    def restart(self) -> None:
        """Evidence starts again from nothing; the observations stay."""
        if self.end:
            self.log_r[-1] = -np.inf
            self.since = int(self.tick[-1]) + 1
            self.watched = 0

    def window(self, last: int) -> slice:
        """Observations that count for the change time as seen at ``last``."""
        end = int(np.searchsorted(self.tick, last, side="right"))
        start = int(np.searchsorted(self.tick, self.since))
        return slice(max(start, end - KEPT), end)

    def between(self, first: int, last: int) -> slice:
        """Which observations lie in these ticks: the newest as seen at ``last``, however they were cut."""
        start, end = np.searchsorted(self.tick, [first, last + 1])
        return slice(max(int(start), int(end) - KEPT), int(end))

    def count(self, first: int, last: int) -> int:
        """Requests in these ticks."""
        return int(self.total[self.between(first, last)].sum())

    def watched_at(self, last: int) -> int:
        """Ticks that the evidence was gathered over, as seen at ``last``."""
        later = len(self.tick) - int(np.searchsorted(self.tick, last, side="right"))
        return max(self.watched - later, 1)

    def log_e(self, last: int) -> float:
        """Log e-value as seen at ``last``; -inf where nothing was observed."""
        end = int(np.searchsorted(self.tick, last, side="right"))
        return float(mixture(self.log_r[end - 1].reshape(-1))) if end else -math.inf

    def evidence(self, last: int) -> float:
        """Log of R over the ticks it was gathered in, as seen at ``last``."""
        return self.log_e(last) - math.log(self.watched_at(last))

    def again(self, shift: Shift, size: float, error: float, last: int) -> Shift:
        """A change with its move measured anew, and with the evidence until ``last``."""
        log_e, count, watched = self.log_e(last), self.count(shift.onset, last), self.watched_at(last)
        return replace(shift, size=size, error=error, log_e=log_e, count=count, watched=watched)

    def change(self, last: int) -> tuple[int, int, int] | None:
        """Onset and the ends of its interval, as seen at ``last``."""
        window = self.window(last)
        if window.stop <= window.start:
            return None
        log_r = self.log_r[window.stop - 1]
        side = int(np.argmax(mixture(log_r)))
        when = change_time(self.factors[window, side])
        tick = self.tick[window]
        return int(tick[when.middle]), int(tick[when.low]), int(tick[when.high])

"""Conformal p-values: the rank of each value among all that came before it, in constant memory.

Of exchangeable values such ranks are independent and exactly uniform, whatever their distribution is and however few
came before; against a reference that is frozen they are neither. What came just before is left out: else the first
values of a change would soon hide the next ones. What that costs in fairness is known (`allowance`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats, Ints

Counts = NDArray[np.int32]
Bins = NDArray[np.int16]

LAG = 24
"""The newest values are not ranked against: so many at least, and a part of what was learnt (`lag_of`)."""
_PART, _LONGEST_LAG = 4, 240
BINS = 128
_PER_DEVIATION = 6.0  # bins to a standard deviation: what is lost to ties is less than a thousandth
_BLOCK = 32  # values that are compared one by one; those before them are counted by bin
_EARLIER = np.tri(_BLOCK, k=-1, dtype=np.bool_).T[..., None]  # of values j and i: j comes before i
_EDGES = np.arange(BINS + 1)
_EITHER_SIDE = np.array([0.0, -1.0, 1.0])[:, None, None]


def lag_of(past: int) -> int:
    """How many of the newest values are left out where so many were learnt.

    A change that takes d ticks to show is hidden by those of them that are ranked against already. So what has shown
    little waits for long: a quarter of what was learnt, which costs an eighth of the evidence, and 20 minutes of 5 s
    ticks at most.

    Examples
    --------
    >>> lag_of(48), lag_of(400), lag_of(10_000)
    (24, 100, 240)
    """
    return min(max(past // _PART, LAG), _LONGEST_LAG)


def allowance(past: int) -> float:
    """The power of its evidence that ranks against so many values may claim, though the newest are left out.

    Over the lag the reference stands still, and its error adds d / n to the variance of a sum of d normal scores: half
    of the lag on average.

    Examples
    --------
    >>> allowance(12), round(allowance(1000), 3)
    (0.5, 0.893)
    """
    return past / (past + 0.5 * lag_of(past))


class Past:
    """What came before, of several series, counted by bin.

    Parameters
    ----------
    series
        How many series.

    References
    ----------
    Vovk, Gammerman & Shafer (2022), Algorithmic Learning in a Random World, chapter 8 (smoothed conformal p-values are
    independent and uniform under exchangeability).

    Examples
    --------
    >>> past = Past(1)
    >>> past.scale(0, centre=0.0, deviation=1.0)
    >>> past.count(0, np.append(np.arange(-9.0, 10.0), np.zeros(LAG)))
    >>> x = np.array([[0.0], [8.5]])
    >>> p = past.rank(x, np.zeros(1), np.full((2, 1), 0.5))
    >>> p.round(3).tolist()  # seen from above, and from below
    [[[0.5, 0.5]], [[0.071, 0.929]]]
    """

    def __init__(self, series: int) -> None:
        self.low = np.zeros(series)
        self.step = np.ones(series)
        self.below: Counts = np.zeros((series, BINS + 1), np.int32)  # how many lie in lower bins than this one
        self.lag = np.full(series, LAG)
        self.newest: Bins = np.full((_LONGEST_LAG, series), BINS, np.int16)  # not counted yet, and some before

    @property
    def total(self) -> Counts:
        """Shape (s,): how many came before."""
        return self.below[:, -1]

    def scale(self, series: int, centre: float, deviation: float) -> None:
        """Lay out the bins of one series, and forget what was counted."""
        self.step[series] = deviation / _PER_DEVIATION
        self.low[series] = centre - BINS / 2 * self.step[series]
        self.below[series] = 0

    def bins(self, x: Floats) -> Ints:
        """Bins of values, shape (n, s)."""
        return np.minimum(np.maximum((x - self.low) / self.step, 0.0), BINS - 1.0).astype(np.int64)

    def count(self, series: int, x: Floats, *, lag: int = LAG) -> None:
        """Count these values of one series in, at least ``lag`` of them; the newest wait."""
        place = (x - self.low[series]) / self.step[series]
        position = np.minimum(np.maximum(place, 0.0), BINS - 1.0).astype(np.int64)
        self.lag[series] = lag
        self.below[series, 1:] = np.bincount(position[: len(x) - lag], minlength=BINS).cumsum()
        kept = position[-_LONGEST_LAG:]
        self.newest[_LONGEST_LAG - len(kept) :, series] = kept

    def compare(self, x: Floats, margin: Floats, tie: Floats) -> Floats:
        """P-values of values among what was counted; they are not counted in themselves.

        The same past is used again and again, so its own error does not average out: each p-value is enlarged by the
        standard error of its rank. Shapes are those of `rank`.
        """
        series = np.arange(len(self.step))
        above, beneath = self.bins(x - margin), self.bins(x + margin)
        up = _share(self.total - self.below[series, above + 1], self.total - self.below[series, above], tie)
        down = _share(self.below[series, beneath], self.below[series, beneath + 1], 1.0 - tie)
        beyond = np.stack([up, down], axis=-1)
        return np.asarray(np.minimum((beyond + np.sqrt(beyond + 1.0)) / (self.total + 1)[:, None], 1.0 - 1e-9))

    def rank(self, x: Floats, margin: Floats, tie: Floats, seen: NDArray[np.bool_] | None = None) -> Floats:
        """P-values of values among those that came a lag before them; then they are counted in themselves.

        Parameters
        ----------
        x
            Shape (n, s).
        margin
            Shape (s,): each is taken as nearer by so much, from either side.
        tie
            Shape (n, s): uniform numbers, which break ties.
        seen
            Shape (n, s): what counts. What was not seen must come last in its series.

        Returns
        -------
        Shape (n, s, 2): seen from above (small where x is large) and from below.
        """
        place = self.bins(x + _EITHER_SIDE * margin) if margin.any() else self.bins(x)[None]
        late = self._late(place[0], seen)
        before = _One(self.below, late) if len(x) == 1 else _Before(self.below, late)
        total = self.total + np.arange(len(x))[:, None]
        edges = place[-2:]
        less, reached = before.under(edges), before.under(edges + 1)
        self.below = before.after()
        ties = reached - less + 1
        p = np.empty((*x.shape, 2))
        np.add(total - reached[0], tie * ties[0], out=p[..., 0])
        np.add(less[-1], (1.0 - tie) * ties[-1], out=p[..., 1])
        p /= (total + 1)[..., None]
        return p

    def _late(self, own: Ints, seen: NDArray[np.bool_] | None) -> Ints:
        """What is counted in after each value: what came a lag before it; then the newest are kept."""
        n = len(own)
        queue = np.concatenate([self.newest, own.astype(np.int16)])
        late = np.take_along_axis(queue, _LONGEST_LAG - self.lag + np.arange(n)[:, None], axis=0).astype(np.int64)
        if seen is None:
            self.newest = queue[n:].copy()
            return late
        self.newest = np.take_along_axis(queue, seen.sum(axis=0) + np.arange(_LONGEST_LAG)[:, None], axis=0)
        return np.where(seen, late, BINS)


def _share(fewest: Counts, most: Counts, tie: Floats) -> Floats:
    """A place between the fewest and the most that are beyond, itself included."""
    return np.asarray(fewest + tie * (most - fewest + 1))


class _One:
    """Counts of what came before a single value of each series."""

    def __init__(self, below: Counts, own: Ints) -> None:
        self.below, self.own = below, own
        self.first = np.arange(0, below.size, BINS + 1)

    def under(self, bin_: Ints) -> Counts:
        """How many lie in a lower bin than these, any shape (..., 1, s)."""
        return self.below.take(self.first + bin_)

    def after(self) -> Counts:
        """What there is to count from when it is in."""
        return np.asarray(self.below + (self.own.T < _EDGES))


class _Before:
    """Counts of what came before each of n values: by bin before its block, one by one inside it."""

    def __init__(self, below: Counts, own: Ints) -> None:
        n, s = own.shape
        self.n, self.series, self.blocks = n, np.arange(s), -(-n // _BLOCK)
        whole = self._padded(own, BINS)
        key = np.arange(self.blocks * s) * (BINS + 1) + whole
        counts = np.bincount(key.ravel(), minlength=self.blocks * s * (BINS + 1)).reshape(self.blocks, s, BINS + 1)
        self.own = whole.astype(np.int16)
        self.below: Counts = np.empty((self.blocks + 1, s, BINS + 1), np.int32)
        self.below[0], self.below[1:, :, 0] = below, 0
        np.cumsum(counts[:, :, :-1], axis=2, out=self.below[1:, :, 1:])
        np.cumsum(self.below, axis=0, out=self.below)
        self.block = (np.arange(n) // _BLOCK)[:, None]

    def _padded(self, bin_: Ints, fill: int) -> Ints:
        """Place inside its block first, shape (_BLOCK, blocks * s)."""
        s = len(self.series)
        padded = np.full((self.blocks * _BLOCK, s), fill)
        padded[: self.n] = bin_
        return padded.reshape(self.blocks, _BLOCK, s).transpose(1, 0, 2).reshape(_BLOCK, -1)

    def under(self, bins: Ints) -> Counts:
        """How many of those before each value lie in a lower bin than this, shape (k, n, s)."""
        return np.stack([self._under(bin_) for bin_ in bins])

    def _under(self, bin_: Ints) -> Counts:
        before: Counts = self.below[self.block, self.series, bin_]
        lower = self.own[:, None] < self._padded(bin_, 0).astype(np.int16)
        lower &= _EARLIER
        inside = lower.view(np.uint8).sum(axis=0, dtype=np.uint8)
        placed = inside.reshape(_BLOCK, self.blocks, -1).transpose(1, 0, 2).reshape(-1, len(self.series))
        return np.asarray(before + placed[: self.n])

    def after(self) -> Counts:
        """What there is to count from when all of them are in."""
        return np.asarray(self.below[-1])

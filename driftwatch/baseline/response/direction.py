"""Where vectors have been moving to lately, and how far the next ones go that way: many dimensions as one number.

The direction is that from the mean of all vectors so far to the mean of the newest. It is known before the next vectors
come, so that their projection on it is a fair test of them: while nothing changes its mean is 0, whatever the vectors'
own mean is; after a shift it points ever more precisely along it [1]_. No window has to be searched, and no direction
has to be guessed.

References
----------
.. [1] Lai. Sequential changepoint detection in quality control and dynamical systems. JRSS B 57, 1995 (adaptive
   estimates in place of an unknown alternative); Shekhar, Ramdas. Nonparametric two-sample testing by betting. IEEE
   Transactions on Information Theory 70, 2024 (a predictable witness function).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats

LATELY = {"answer_shift": 240.0, "answer_jump": 30.0, "topic": 30.0}
"""By signal, how many of the newest count as lately. Answers that differ little need many to be told apart, and those
that differ much should not wait for them; new prompts are to be known as such before the answers to them are."""
FEWEST = 20
"""Vectors before there is a direction."""


@saved
@dataclass(slots=True)
class Direction:
    """The direction of one stream's vectors.

    Parameters
    ----------
    variance
        Shape (k,): of each number while all is well; they are uncorrelated.
    lately
        How many of the newest vectors count.
    newest
        Shape (k,): decaying sum of vectors.
    all
        Shape (k,): sum of all vectors.
    weight, count
        Sum of the decaying weights, and how many vectors there were.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> direction = Direction.none(np.ones(16), 120.0)
    >>> ticks = np.arange(0, 300, 5)
    >>> still = direction.score(rng.normal(size=(300, 16)), ticks)
    >>> moved = direction.score(rng.normal(0.5, 1.0, (300, 16)), ticks)
    >>> bool(abs(np.nanmean(still)) < 0.2), bool(np.mean(moved[-200:]) > 1.0)
    (True, True)
    """

    variance: Floats
    lately: float
    newest: Floats
    all: Floats
    weight: float = 0.0
    count: float = 0.0

    @classmethod
    def none(cls, variance: Floats, lately: float) -> Direction:
        """Nothing seen yet."""
        return cls(variance, lately, np.zeros(len(variance)), np.zeros(len(variance)))

    def score(self, vectors: Floats, begins: NDArray[np.intp]) -> Floats:
        """How far vectors go the way that those of earlier ticks went, shape (n,), in standard deviations.

        Parameters
        ----------
        vectors
            Shape (n, k): all of some ticks, in order of time; within a tick in any order.
        begins
            Shape (t,): the first row of each tick.

        Returns
        -------
        NaN where there is no direction yet. All of them are counted in afterwards.
        """
        if not len(vectors):
            return np.empty(0)
        size = np.diff(begins, append=len(vectors))
        before = self._toward(np.add.reduceat(vectors, begins, axis=0), size.astype(np.float64))
        return np.asarray(np.einsum("ij,ij->i", vectors, np.repeat(before, size, axis=0)))

    def _toward(self, total: Floats, size: Floats) -> Floats:
        """The direction before each tick, shape (t, k), each divided by the deviation of what is projected on it."""
        keep = (1.0 - 1.0 / self.lately) ** size
        gain = (1.0 - keep) / size
        newest, weight = self._decayed(keep, gain[:, None] * total, gain * size)
        every, count = np.cumsum(np.vstack([self.all, total]), axis=0), self.count + np.append(0.0, np.cumsum(size))
        self.newest, self.weight = newest[-1].copy(), float(weight[-1])
        self.all, self.count = every[-1].copy(), float(count[-1])
        known = count[:-1] >= FEWEST
        way = np.full(total.shape, np.nan)
        way[known] = newest[:-1][known] / weight[:-1, None][known] - every[:-1][known] / count[:-1, None][known]
        length = np.sqrt(np.einsum("ij,j->i", way**2, self.variance))
        return way / np.where(length > 0, length, np.nan)[:, None]

    def _decayed(self, keep: Floats, new: Floats, more: Floats) -> tuple[Floats, Floats]:
        """Decaying sums before each tick and after the last, shapes (t + 1, k) and (t + 1,).

        One step a tick, for all directions at once: rounded the same however a stream is cut.
        """
        newest, weight = np.empty((len(keep) + 1, new.shape[1])), np.empty(len(keep) + 1)
        newest[0], weight[0] = self.newest, self.weight
        rows = list(newest)
        for before, kept, row, own in zip(rows, keep, rows[1:], new, strict=False):
            np.multiply(before, kept, out=row)
            np.add(row, own, out=row)
        for t, (kept, own) in enumerate(zip(keep.tolist(), more.tolist(), strict=True)):
            weight[t + 1] = kept * weight[t] + own
        return newest, weight

    def arrays(self) -> dict[str, Floats]:
        """All of it as plain arrays."""
        scalars = np.array([self.lately, self.weight, self.count])
        return {"variance": self.variance, "newest": self.newest, "all": self.all, "scalars": scalars}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Floats]) -> Direction:
        """The inverse of `arrays`."""
        lately, *rest = arrays["scalars"].tolist()
        return cls(arrays["variance"], lately, arrays["newest"], arrays["all"], *rest)

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

from dataclasses import dataclass, field

import numpy as np

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
    >>> still = np.concatenate([direction.score(rng.normal(size=(5, 16))) for _ in range(60)])
    >>> moved = np.concatenate([direction.score(rng.normal(0.5, 1.0, (5, 16))) for _ in range(60)])
    >>> bool(abs(np.nanmean(still)) < 0.2), bool(np.mean(moved[-200:]) > 1.0)
    (True, True)
    """

    variance: Floats
    lately: float
    newest: Floats
    all: Floats
    weight: float = 0.0
    count: float = 0.0
    toward: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.toward = self._toward()

    @classmethod
    def none(cls, variance: Floats, lately: float) -> Direction:
        """Nothing seen yet."""
        return cls(variance, lately, np.zeros(len(variance)), np.zeros(len(variance)))

    def score(self, vectors: Floats) -> Floats:
        """How far the vectors of a tick go that way, shape (n,), in standard deviations; then they are counted in.

        Parameters
        ----------
        vectors
            Shape (n, k): all of one tick, in any order. NaN is returned where there is no direction yet.
        """
        scores: Floats = np.einsum("ij,j->i", vectors, self.toward)
        if len(vectors):
            self._count(vectors.sum(axis=0), len(vectors))
        return scores

    def _count(self, total: Floats, n: int) -> None:
        keep = (1.0 - 1.0 / self.lately) ** n
        gain = (1.0 - keep) / n
        self.newest = keep * self.newest + gain * total
        self.weight = keep * self.weight + gain * n
        self.all = self.all + total
        self.count += n
        self.toward = self._toward()

    def _toward(self) -> Floats:
        """The direction, divided by the deviation of what is projected on it."""
        if self.count < FEWEST:
            return np.full(len(self.variance), np.nan)
        way = self.newest / self.weight - self.all / self.count
        length = float(np.sqrt((way**2 * self.variance).sum()))
        return way / length if length > 0 else np.full(len(way), np.nan)

    def arrays(self) -> dict[str, Floats]:
        """All of it as plain arrays."""
        scalars = np.array([self.lately, self.weight, self.count])
        return {"variance": self.variance, "newest": self.newest, "all": self.all, "scalars": scalars}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Floats]) -> Direction:
        """The inverse of `arrays`."""
        lately, *rest = arrays["scalars"].tolist()
        return cls(arrays["variance"], lately, arrays["newest"], arrays["all"], *rest)

"""Shares of ways to finish, given the prompt: a mix of prompts that moves is not a change of the service."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftwatch.state import saved
from driftwatch.statistics.buckets import CELLS, Floats, Ints
from driftwatch.ticks.tick import OUTCOMES

_PULL = 20.0  # a prompt cell counts for itself as far as it has more requests than this


@saved
@dataclass(slots=True)
class Shares:
    """What was learnt of each outcome, by prompt cell.

    Parameters
    ----------
    hits
        Shape (3, 128): requests with each outcome.
    total
        Shape (128,): requests.
    """

    hits: Floats
    total: Floats

    @classmethod
    def nothing(cls) -> Shares:
        """Nothing learnt yet."""
        return cls(np.zeros((len(OUTCOMES), CELLS)), np.zeros(CELLS))

    def add(self, prompt: Ints, outcomes: Ints, requests: Floats) -> None:
        """Learn from rows of prompt cells."""
        self.total += np.bincount(prompt, weights=requests, minlength=CELLS)
        for k in range(len(OUTCOMES)):
            self.hits[k] += np.bincount(prompt, weights=outcomes[:, k], minlength=CELLS)

    def tilt(self, outcome: int) -> Floats:
        """By how much each prompt cell's share lies above the whole's, shape (128,).

        Direct standardisation: what the mix of prompts adds to a tick's count is the sum of this over its requests.

        Examples
        --------
        >>> shares = Shares.nothing()
        >>> shares.add(np.array([8, 40]), np.array([[10, 0, 0], [90, 0, 0]]), np.array([100.0, 100.0]))
        >>> shares.tilt(0)[[8, 40, 60]].round(2).tolist()
        [-0.33, 0.33, 0.0]
        """
        whole = float(self.hits[outcome].sum()) / max(float(self.total.sum()), 1.0)
        own = (self.hits[outcome] + _PULL * whole) / (self.total + _PULL)
        return np.asarray(own - whole)

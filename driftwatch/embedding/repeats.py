"""Answers that were given before, word for word, to the same prompt: they say nothing of the model that was not known.

Services ask the same again and again (probes, templates, frequent questions), and a model that is asked at temperature
0 answers the same. A thousand such answers are one piece of evidence, not a thousand; and when such a model is merely
restarted elsewhere, all of them may change at once, though it is no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.identity import Hashes, mix
from driftwatch.state import saved

PLACES = 4096
"""Answers that are remembered, about: each has its place, and stays until another one takes it."""
_LATELY = 1024  # answers that the share is of, about
_ODD: Hashes = mix(np.arange(1, 65, dtype=np.uint64)) | np.uint64(1)


@saved
@dataclass(slots=True)
class Repeats:
    """The newest answers and their prompts, as hashes in constant memory.

    Parameters
    ----------
    keys
        Shape (PLACES,): what was there last, by place; 0 where nothing was. Empty while nothing was heard.
    heard, same
        How many answers came of late, and how many of them had come before.

    Examples
    --------
    >>> repeats, prompt = Repeats(), np.array([7, 7, 8], np.uint64)
    >>> repeats.count(np.array([[1, 2], [1, 2], [1, 2]]), prompt)
    >>> repeats.count(np.array([[1, 2], [1, 3]]), prompt[:2])
    >>> repeats.heard, repeats.same
    (5, 2)
    """

    keys: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    heard: int = 0
    same: int = 0

    @property
    def mostly(self) -> bool:
        """Whether most answers came before."""
        return 2 * self.same > self.heard

    def count(self, features: NDArray[np.int32], prompt: Hashes) -> None:
        """Count answers.

        Parameters
        ----------
        features
            Shape (n, f), f <= 64: of the answers, in fixed point; texts whose features are all the same are the same.
        prompt
            Shape (n,): hashes of the prompts; where unknown (0), nothing is said to be a repeat.
        """
        if not len(self.keys):
            self.keys = np.zeros(PLACES, np.uint64)
        own = features.astype(np.uint64) * _ODD[: features.shape[1]]
        key = np.where(prompt == 0, np.uint64(0), mix(prompt ^ mix(own.sum(axis=1, dtype=np.uint64))))
        place = (key % np.uint64(PLACES)).astype(np.intp)
        order = np.argsort(place, kind="stable")
        before = self.keys[place]
        again = np.flatnonzero(np.diff(place[order]) == 0) + 1
        before[order[again]] = key[order[again - 1]]
        self.keys[place] = key
        self.heard += len(key)
        self.same += int(np.count_nonzero((before == key) & (key != 0)))

    def fade(self) -> None:
        """Let half of what was counted go, once it is much."""
        if self.heard >= 2 * _LATELY:
            self.heard, self.same = self.heard // 2, self.same // 2

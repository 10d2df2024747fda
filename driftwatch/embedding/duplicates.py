"""Nearly the same response to different prompts: what a cache, a template or a collapsed model gives.

A response is sketched by one permutation hashing [1]_: its runs of three words are hashed into bins, and each bin keeps
its smallest. The share of bins in which two sketches agree, among those that either fills, estimates the share of
runs that the responses have in common.

References
----------
.. [1] Li, Owen, Zhang. One permutation hashing. NIPS 2012.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftwatch.embedding.words import Tokens
from driftwatch.events.columns import Floats
from driftwatch.events.identity import Hashes

if TYPE_CHECKING:
    from driftwatch.embedding.text import Features

Sketches = NDArray[np.uint32]

SKETCH = 32
"""Bins of a sketch."""
_RUN = 3  # words
_ENOUGH = 8  # filled bins: two short answers are often the same for good reason
_NEAR = 0.5  # share of runs in common: about one word in eight is another
_NONE = np.uint32(0xFFFFFFFF)
_STEP = 64  # responses that are compared at a time


def sketch(words: Tokens) -> Sketches:
    """Sketch texts, given their words: shape (texts, SKETCH).

    Examples
    --------
    >>> from driftwatch.embedding.characters import Characters
    >>> from driftwatch.embedding.words import words_of
    >>> one, other = sketch(words_of(Characters.of(["to be or not", "To be, or not"])))
    >>> bool((one == other).all())
    True
    """
    runs = words.runs(_RUN)
    smallest = np.full(words.texts * SKETCH, _NONE, np.uint32)
    place = runs.row * SKETCH + (runs.hashes % np.uint64(SKETCH)).astype(np.intp)
    np.minimum.at(smallest, place, (runs.hashes >> np.uint64(32)).astype(np.uint32))
    return smallest.reshape(words.texts, SKETCH)


class NearDuplicates:
    """Tells which responses are nearly the same as one that came shortly before to another prompt.

    It holds hashes of the last responses and of their prompts, 140 bytes each, and no text. Cutting a stream into other
    chunks changes nothing.

    Parameters
    ----------
    window
        The last so many responses are remembered, those without a known prompt included.

    Raises
    ------
    ValueError
        If the window holds nothing.

    Examples
    --------
    >>> from driftwatch.embedding.text import features
    >>> canned = "We have received your request and will come back to you as soon as we can, thank you."
    >>> seen = NearDuplicates(window=100)
    >>> seen.update(features(["a?", "b?", "b?"], [canned, canned.upper(), "Something else: " * 9])).tolist()
    [0.0, 1.0, nan]
    """

    STATE = ("sketches", "prompts")

    def __init__(self, window: int = 256) -> None:
        if window < 1:
            raise ValueError(f"a window of {window} responses holds nothing: give 1 or more")
        self.window = window
        self.sketches: Sketches = np.empty((0, SKETCH), np.uint32)
        self.prompts: Hashes = np.empty(0, np.uint64)

    def update(self, features: Features) -> Floats:
        """Judge responses in their order, and remember them.

        Parameters
        ----------
        features
            What `driftwatch.embedding.features` found.

        Returns
        -------
        Floats
            Shape (n,): 1 for a near-duplicate, else 0; NaN where the prompt is unknown or the response is too short.
        """
        return self.judge(features.sketches, features.prompt)

    def judge(self, sketches: Sketches, prompts: Hashes) -> Floats:
        """As `update`, from the sketches of responses, shape (n, SKETCH), and the hashes of their prompts."""
        steps = range(0, len(prompts), _STEP)
        found = [self._update(sketches[k : k + _STEP], prompts[k : k + _STEP]) for k in steps]
        return np.concatenate([np.empty(0), *found])

    def arrays(self) -> dict[str, NDArray[np.unsignedinteger]]:
        """What is remembered, as plain arrays."""
        return {"sketches": self.sketches, "prompts": self.prompts}

    def restore(self, arrays: Mapping[str, NDArray[np.unsignedinteger]]) -> None:
        """The inverse of `arrays`."""
        self.sketches = arrays["sketches"].astype(np.uint32)
        self.prompts = arrays["prompts"].astype(np.uint64)

    def _update(self, sketches: Sketches, prompts: Hashes) -> Floats:
        known = len(self.prompts)
        self.sketches = np.concatenate([self.sketches, sketches])
        self.prompts = np.concatenate([self.prompts, prompts])
        judged = np.flatnonzero((prompts != 0) & _filled(sketches))
        place, now = np.arange(known + len(prompts)), known + judged[:, None]
        apart = (self.prompts != prompts[judged, None]) & (self.prompts != 0)
        found = np.full(len(prompts), np.nan)
        if len(judged):
            near = _similar(sketches[judged], self.sketches) & apart & (place < now) & (place >= now - self.window)
            found[judged] = near.any(axis=1)
        self.sketches, self.prompts = self.sketches[-self.window :], self.prompts[-self.window :]
        return found


def _filled(sketches: Sketches) -> NDArray[np.bool_]:
    return np.asarray((sketches != _NONE).sum(axis=-1) >= _ENOUGH)


def _similar(some: Sketches, others: Sketches) -> NDArray[np.bool_]:
    """Which pairs are near: shape (some, others)."""
    same = np.zeros((len(some), len(others)), np.int16)
    either = np.zeros_like(same)
    for a, b in zip(some.T, others.T, strict=True):
        filled = (a != _NONE)[:, None] | (b != _NONE)
        same += (a[:, None] == b) & filled
        either += filled
    return (same >= _NEAR * either) & _filled(others)

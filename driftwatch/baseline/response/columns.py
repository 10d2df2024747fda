"""A text as standardised numbers: its vector's main directions, its shape, and the phrases of the public list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.embedding.phrases import unpacked
from driftwatch.embedding.text import MARKS
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.exact import Shorts, product, whole, whole_matrix

_LOGS = ("characters", "words", "lines", *MARKS)
_SIZES = ("characters", "words", "lines")
SAID = (
    *_LOGS,
    *("compressibility", "repeated", "non_latin", "symbols", "digits", "dominance", "refusal", "truncated", "echo"),
)
"""Features of an answer that say how it is written."""
ASKED = tuple(f"asked_{name}" for name in (*_SIZES, "symbols", "digits", "non_latin"))
"""Those of a prompt."""
_DIRECTIONS = 48  # of a vector's variance: sentence vectors have most of it there
_EACH = 6  # answers that each direction is learnt from, at least
_COMMON = (0.01, 0.99)  # a phrase that is rarer, or more frequent, says too little of a few hundred answers
_FLOOR = 0.003  # deviation below which a feature hardly varies: one character in some hundreds
BOUND = 4.0
"""Standardised values are bounded here, so that one wild answer moves little."""
_HALF, _TWICE = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Text:
    """Prompts or answers as they were read, n rows each.

    Parameters
    ----------
    vector
        Shape (n, d): whole numbers.
    shape
        Shape (n, s): features; NaN where not known.
    terms
        Shape (n, t): phrases, packed.
    """

    vector: NDArray[np.int8]
    shape: Floats
    terms: NDArray[np.uint8]

    def take(self, rows: NDArray[np.intp] | slice) -> Text:
        """Keep these rows."""
        return Text(self.vector[rows], self.shape[rows], self.terms[rows])


def shape_of(features: Mapping[str, Floats], names: tuple[str, ...]) -> Floats:
    """Features side by side, counts as logarithms."""
    columns = [np.log1p(features[n]) if n.removeprefix("asked_") in _LOGS else features[n] for n in names]
    return np.stack(columns, axis=1)


@saved
@dataclass(frozen=True, slots=True)
class Columns:
    """How texts become standardised columns, as learnt from healthy ones.

    Parameters
    ----------
    directions
        Shape (d, p): main directions of the vectors, as whole numbers.
    phrases
        Shape (t,): which phrases are used.
    centre, scale
        Shape (c,): of the columns: directions, features, phrases.
    """

    directions: Shorts
    phrases: NDArray[np.intp]
    centre: Floats
    scale: Floats

    @classmethod
    def fit(cls, texts: Text) -> Columns:
        """Learn from texts, a few hundred of them."""
        directions = _main(texts.vector.astype(np.float64))
        share = unpacked(texts.terms).mean(axis=0)
        phrases = np.flatnonzero((share >= _COMMON[0]) & (share <= _COMMON[1]))
        return cls(directions, phrases, *_moments(_side_by_side(texts, directions, phrases)))

    @property
    def weight(self) -> Floats:
        """What each column counts for, shape (c,): the few that say how a text is written twice, directions half.

        A direction is learnt from few answers, and every column adds noise to it. Models differ most by column in how
        they write, and hardly in what a vector's main directions say.
        """
        written = len(self.centre) - self.directions.shape[1] - len(self.phrases)
        counts = (self.directions.shape[1], written, len(self.phrases))
        return np.repeat([_HALF, _TWICE, 1.0], counts)

    def of(self, texts: Text) -> Floats:
        """Standardised columns, shape (n, c), whole numbers of 1/1024; what is not known is taken as usual."""
        columns = (_side_by_side(texts, self.directions, self.phrases) - self.centre) / self.scale
        return whole(np.clip(np.where(np.isnan(columns), 0.0, columns), -BOUND, BOUND))


def _main(vector: Floats) -> Shorts:
    """Main directions of vectors, shape (d, p), as whole numbers."""
    if not vector.any():
        return np.zeros((vector.shape[1], 0), np.int16)
    _, size, turned = np.linalg.svd(vector - vector.mean(axis=0), full_matrices=False)
    real = int(np.count_nonzero(size > 1e-6 * size[0]))
    return whole_matrix(turned[: min(_DIRECTIONS, len(vector) // _EACH, real)].T)[0]


def _side_by_side(texts: Text, directions: Shorts, phrases: NDArray[np.intp]) -> Floats:
    vector = product(texts.vector.astype(np.float64), directions)
    return np.hstack([vector, texts.shape, unpacked(texts.terms)[:, phrases]])


def _moments(columns: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each column, over what is known."""
    known = ~np.isnan(columns)
    n, values = np.maximum(known.sum(axis=0), 1), np.where(known, columns, 0.0)
    centre = values.sum(axis=0) / n
    spread = (np.where(known, columns - centre, 0.0) ** 2).sum(axis=0) / n
    return centre, np.maximum(np.sqrt(spread), _FLOOR)

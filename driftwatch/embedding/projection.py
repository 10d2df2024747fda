"""Long vectors are shortened by a fixed random rotation: distances stay, nearly, and memory is bounded."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from driftwatch.embedding.protocol import Matrix

WIDEST = 384
"""Vectors of more dimensions are shortened to this many."""


def shortened(matrix: Matrix) -> Matrix:
    """Vectors of at most `WIDEST` dimensions, shape (n, d); the same vector always becomes the same one.

    A projection onto so many random directions keeps squared distances to within about sqrt(2 / 384), 7% [1]_.

    References
    ----------
    .. [1] Johnson, Lindenstrauss. Extensions of Lipschitz mappings into a Hilbert space. 1984; Dasgupta, Gupta. An
       elementary proof of a theorem of Johnson and Lindenstrauss. Random Structures & Algorithms 22, 2003.

    Examples
    --------
    >>> long = np.random.default_rng(0).normal(size=(2, 1536)).astype(np.float32)
    >>> short = shortened(long)
    >>> short.shape, bool(0.85 < np.linalg.norm(short[0] - short[1]) / np.linalg.norm(long[0] - long[1]) < 1.15)
    ((2, 384), True)
    """
    width = matrix.shape[1]
    return matrix if width <= WIDEST else (matrix @ _directions(width)).astype(np.float32)


@lru_cache(maxsize=2)
def _directions(width: int) -> Matrix:
    drawn = np.random.default_rng(width).normal(0.0, WIDEST**-0.5, (width, WIDEST))
    return drawn.astype(np.float32)

"""Kinds of answers: clusters of what their prompts do not explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats

KINDS = 8
"""Kinds that are told apart: enough to see a mix move, and each with answers enough to be counted."""
DIMENSIONS = 8
"""Of the reduced answers, the main ones: in more, every answer is far from every other."""
_ROUNDS = 30


def centres_of(answers: Floats) -> Floats:
    """Centres of kinds, shape (KINDS, DIMENSIONS): k-means, begun from the octants of the three main directions.

    So nothing is drawn, and each kind begins with about as many answers as any other.

    References
    ----------
    Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory 28.
    """
    points = answers[:, :DIMENSIONS]
    sides = points[:, :3] > np.median(points[:, :3], axis=0)
    kind = sides @ (2 ** np.arange(sides.shape[1]))
    centres = np.zeros((KINDS, points.shape[1]))
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, kind, points)
        counts = np.bincount(kind, minlength=KINDS)[:, None]
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
        kind = kind_of(points, centres)
    return centres


def kind_of(answers: Floats, centres: Floats) -> NDArray[np.intp]:
    """The nearest centre of each answer, shape (n,)."""
    points = answers[:, : centres.shape[1]]
    distance = (centres**2).sum(axis=1) - 2.0 * np.einsum("ij,kj->ik", points, centres)
    return np.asarray(distance.argmin(axis=1))

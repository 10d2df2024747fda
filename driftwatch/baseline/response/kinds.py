"""Kinds of answers: clusters of what their prompts do not explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats

KINDS = 8
"""Kinds that are told apart: enough to see a mix move, and each with answers enough to be counted."""
DIMENSIONS = 32
"""Of the reduced answers, the main ones."""
_ROUNDS = 30


def centres_of(answers: Floats) -> Floats:
    """Centres of kinds, shape (KINDS, DIMENSIONS): k-means from well-spread starts [1]_.

    References
    ----------
    .. [1] Arthur, Vassilvitskii. k-means++: the advantages of careful seeding. SODA 2007 (here each start is the
       farthest answer from those before it among a fixed sample, so that nothing is drawn).
    """
    points = answers[:, :DIMENSIONS]
    centres = points[[_typical(points)]]
    while len(centres) < min(KINDS, len(points)):
        centres = np.vstack([centres, points[[_next(points, centres)]]])
    for _ in range(_ROUNDS):
        kind = kind_of(points, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, kind, points)
        counts = np.bincount(kind, minlength=len(centres))[:, None]
        centres = np.where(counts > 0, sums / np.maximum(counts, 1), centres)
    return centres


def kind_of(answers: Floats, centres: Floats) -> NDArray[np.intp]:
    """The nearest centre of each answer, shape (n,)."""
    points = answers[:, : centres.shape[1]]
    distance = (centres**2).sum(axis=1) - 2.0 * np.einsum("ij,kj->ik", points, centres)
    return distance.argmin(axis=1)


def _typical(points: Floats) -> int:
    return int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin())


def _next(points: Floats, centres: Floats) -> int:
    """An answer far from all centres, but not the farthest: that may be the only one of its kind."""
    nearest = np.min([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
    return int(np.argsort(nearest)[int(0.9 * (len(points) - 1))])

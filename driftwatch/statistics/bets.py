"""Bets on p-values: densities on (0, 1), each an e-value for one way in which values may have changed.

A bet is a density f of the p-value, and it falls in p; so f(p) has mean 1 if p is uniform, and at most 1 if p is larger
than that (inside a margin, or where values are tied). Densities are kept as tables over -log p, each entry the exact
mean over its cell, so a lookup costs nothing in fairness.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.normal import normal_quantile, normal_tail

SHIFTS = (0.2, 0.35, 0.6, 1.1, 2.0)
"""Bets on a move of the location by this many standard deviations."""
TAILS = (
    ((0.02, 0.12),),
    ((0.05, 0.2),),
    ((0.02, 0.35), (0.05, 0.6), (0.1, 0.8), (0.2, 0.95)),
)
"""Bets on tails: (share of healthy values, share expected after a change) from the far end: of a change that one value
in ten shows; of a scale twice as wide; of a new regime, whose first values are beyond all and later ones among them."""
BETS = len(SHIFTS) + len(TAILS)
_WEIGHTS = np.array([7.5, 5.0, 3.0, 3.0, 2.5, 0.2, 0.2, 0.8])
_EXCESS = 0.583  # a random walk with normal steps of deviation d passes a boundary by about this x d
_PER_E = 32.0  # cells to a factor of e
CELLS = 400
"""Cells of the table: the last holds all p-values below e^-12.5."""


def weights() -> Floats:
    """Weights of the bets, shape (8,), for which R passes A once in about A steps.

    R passes a threshold by a factor, not exactly; for normal scores that factor is known, so each bet may weigh so much
    more than its share.

    References
    ----------
    Siegmund (1985), Sequential Analysis, section 10.2 (excess over the boundary, 0.583); Pollak (1987), "Average run
    lengths of an optimal method of detecting a change in distribution", Annals of Statistics 15.
    """
    excess = np.exp(_EXCESS * np.array([*SHIFTS, *([0.35] * len(TAILS))]))
    return np.asarray(_WEIGHTS / _WEIGHTS.sum() * excess)


def cell_of(p: Floats, reach: Ints) -> Ints:
    """Row of the table for p-values.

    Parameters
    ----------
    p
        Shape (n, s, 2), in (0, 1).
    reach
        Shape (s,): what `reach_of` says; all smaller p-values are one.
    """
    cell = (-_PER_E * np.log(p)).astype(np.int64)
    return np.asarray(np.where(cell >= reach[:, None], CELLS + reach[:, None], cell))


def reach_of(past: NDArray[np.integer[Any]]) -> Ints:
    """The cell of the smallest p-value that so large a past can show: a new record counts the same, whatever its tie.

    Examples
    --------
    >>> reach_of(np.array([99])).tolist()
    [147]
    """
    return np.asarray(np.minimum((_PER_E * np.log(past + 1.0)).astype(np.int64), CELLS - 1))


@cache
def table() -> Floats:
    """Log of each bet's density, shape (2 * CELLS, 8): by cell, and below that of everything from a cell on.

    Examples
    --------
    >>> edges = np.append(np.exp(-np.arange(CELLS) / 32.0), 0.0)
    >>> (np.exp(table()[:CELLS]) * -np.diff(edges)[:, None]).sum(axis=0).round(9).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    edges = np.append(np.exp(-np.arange(CELLS) / _PER_E), 0.0)
    won = _won(edges)
    whole = -np.diff(won, axis=0) / -np.diff(edges)[:, None]
    rest = won[:-1] / edges[:-1, None]
    return np.asarray(np.log(np.concatenate([whole, rest])))


def _won(p: Floats) -> Floats:
    """Chance of a p-value below p if each bet is right, shape (len(p), 8)."""
    inside = np.clip(p, 1e-300, 1.0 - 1e-16)
    z = -normal_quantile(inside)
    columns = [normal_tail(z - shift) for shift in SHIFTS]
    columns += [np.interp(p, *np.transpose([(0.0, 0.0), *tail, (1.0, 1.0)])) for tail in TAILS]
    found = np.stack(columns, axis=1)
    found[p >= 1.0], found[p <= 0.0] = 1.0, 0.0
    return np.asarray(found)

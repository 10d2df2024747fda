"""Robust location and regression: what a few wild requests cannot move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints

_HUBER = 1.345  # 95% efficiency for normal noise (Huber 1981, section 4)
_MAD = 1.4826  # makes the median absolute deviation an estimate of a normal's standard deviation


def sums(group: Ints, values: NDArray[Any], n_groups: int) -> Floats:
    """Sum of the values of each group, shape (n_groups,); floats even where there are no values at all.

    Examples
    --------
    >>> sums(np.array([0, 2, 2]), np.array([1, 2, 3]), 4).tolist()
    [1.0, 0.0, 5.0, 0.0]
    """
    return np.asarray(np.bincount(group, weights=values, minlength=n_groups), np.float64)


def midmean(group: Ints, values: Floats, weights: Floats, n_groups: int) -> Floats:
    """Weighted interquartile mean of each group: a location that a quarter of wild values cannot move.

    Parameters
    ----------
    group
        Shape (n,): group of each value, 0 <= group < n_groups.
    values
        Shape (n,): finite values.
    weights
        Shape (n,): positive weights, such as how many requests had the value.
    n_groups
        Number of groups.

    Returns
    -------
    Shape (n_groups,): NaN for a group without values.

    References
    ----------
    Tukey (1977), Exploratory Data Analysis, chapter 2 ("midmean").

    Examples
    --------
    >>> midmean(np.zeros(4, int), np.array([1.0, 2.0, 4.0, 900.0]), np.ones(4), 2).tolist()
    [3.0, nan]
    """
    order = values.argsort()
    order = order[group[order].astype(np.min_scalar_type(n_groups)).argsort(kind="stable")]  # small: radix sort
    group, values, weights = group[order], values[order], weights[order]
    edges = group.searchsorted(np.arange(n_groups + 1))
    reached = np.append(0.0, weights.cumsum())[edges]
    total = reached[1:] - reached[:-1]
    has = np.flatnonzero(total)
    above = weights.cumsum() - reached[group]
    low, high = (0.25 * total)[group], (0.75 * total)[group]
    inside = np.maximum(np.minimum(above, high) - np.maximum(above - weights, low), 0.0)
    middle = np.full(n_groups, np.nan)
    middle[has] = np.add.reduceat(inside * values, edges[has]) / np.add.reduceat(inside, edges[has])
    return middle


def spread(values: Floats, weights: Floats | None = None) -> float:
    """Robust standard deviation: the scaled (weighted) median of absolute values.

    Examples
    --------
    >>> round(spread(np.array([-1.0, 0.5, 1.0, 90.0])), 4)
    1.4826
    """
    size = np.abs(values)
    if weights is None:
        return _MAD * float(np.median(size)) if len(size) else 0.0
    order = np.argsort(size)
    cumulative = np.cumsum(weights[order])
    return _MAD * float(size[order][np.searchsorted(cumulative, cumulative[-1] / 2)]) if len(size) else 0.0


def deviation(values: Floats) -> float:
    """Standard deviation of the bulk: of the middle half, or of the middle nine tenths where that is more.

    Where most values are the same (counts that are mostly 0) the middle half says nothing.

    Examples
    --------
    >>> round(deviation(np.random.default_rng(0).normal(size=10_000)), 1), deviation(np.array([0.0] * 99 + [2.0])) > 0
    (1.0, True)
    """
    if not len(values):
        return 0.0
    low, first, third, high = np.quantile(values, [0.05, 0.25, 0.75, 0.95])
    return float(max((third - first) / 1.349, (high - low) / 3.29) or values.std())


@saved
@dataclass(frozen=True, slots=True)
class Gram:
    """What a weighted linear regression needs of its data; adding two is adding their data.

    Parameters
    ----------
    xx
        Shape (p, p): weighted sum of x x'.
    xy
        Shape (p,): weighted sum of x y.
    weight
        Sum of the weights.
    """

    xx: Floats
    xy: Floats
    weight: float

    def __add__(self, other: Gram) -> Gram:
        return Gram(self.xx + other.xx, self.xy + other.xy, self.weight + other.weight)


def gram(x: Floats, y: Floats, weights: Floats) -> Gram:
    """Sum up data of shape (n, p) and (n,)."""
    weighted = x * weights[:, None]
    return Gram(x.T @ weighted, weighted.T @ y, float(weights.sum()))


def huber_weights(residual: Floats, scale: float) -> Floats:
    """Weights that bound the pull of each residual.

    Examples
    --------
    >>> huber_weights(np.array([0.0, 13.45]), 1.0).tolist()
    [1.0, 0.1]
    """
    return np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residual), 1e-12))


def solve(data: Gram, ridge: Floats, nonnegative: NDArray[np.bool_]) -> Floats:
    """Ridge regression in which some coefficients cannot be negative: such are set to 0 and the rest refitted.

    Parameters
    ----------
    data
        Sums over the data.
    ridge
        Shape (p,): penalty of each coefficient, in units of weight.
    nonnegative
        Shape (p,): coefficients with a known sign.
    """
    free = np.ones(len(data.xy), np.bool_)
    while True:
        coefficients = np.zeros(len(data.xy))
        keep = np.flatnonzero(free)
        system = data.xx[np.ix_(keep, keep)] + np.diag(ridge[keep])
        coefficients[keep] = np.linalg.solve(system, data.xy[keep])
        wrong = nonnegative & (coefficients < 0)
        if not wrong.any():
            return coefficients
        free &= ~wrong


def huber_fit(
    x: Floats, y: Floats, counts: Floats, ridge: Floats, nonnegative: NDArray[np.bool_], rounds: int = 12
) -> tuple[Floats, float]:
    """Huber regression by reweighting.

    Returns
    -------
    The coefficients, shape (p,), and the robust standard deviation of the residuals.

    References
    ----------
    Huber & Ronchetti (2009), Robust Statistics, section 7.8.
    """
    weights = counts
    coefficients, scale = np.zeros(x.shape[1]), 0.0
    for _ in range(rounds):
        coefficients = solve(gram(x, y, weights), ridge, nonnegative)
        residual = y - x @ coefficients
        scale = spread(residual, counts)
        weights = counts * huber_weights(residual, max(scale, 1e-9))
    return coefficients, scale

"""What a series' own past predicts of it, and how uncertain a mean of dependent values is."""

from __future__ import annotations

import numpy as np

from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.robust import gram, solve

SPANS = (1, 6)
"""The past is seen as the last value and the mean of the last 6."""
_MAX_PERSISTENCE = 0.9  # a unit root would make every change look like noise
_UNSEEN = 8.0  # independent values that a reference must have before half of its evidence counts
_PRIOR = 0.02  # pull towards "no memory", as a share of the data


def past_means(values: Floats, history: Floats) -> Floats:
    """The last value, and the mean of the last 6, before each value.

    Parameters
    ----------
    values
        Shape (n,).
    history
        Shape (m,): what came before; counted as 0 further back.

    Returns
    -------
    Shape (n, 2).

    Examples
    --------
    >>> past_means(np.array([6.0, 0.0]), np.empty(0)).tolist()
    [[0.0, 0.0], [6.0, 1.0]]
    """
    if not len(values):
        return np.empty((0, len(SPANS)))
    n, longest = len(values), SPANS[-1]
    padded = np.concatenate([np.zeros(longest), history, values[:-1]])[-(longest + n - 1) :]
    means = [sum(padded[longest - k : longest - k + n] for k in range(span, 0, -1)) / span for span in SPANS]
    return np.stack(means, axis=1)


def filter_of(persistence: Floats) -> Floats:
    """What `fit_persistence` found as the weights of the last 6 values and of the value itself, oldest first.

    Examples
    --------
    >>> filter_of(np.array([0.5, 0.3])).round(2).tolist()
    [-0.05, -0.05, -0.05, -0.05, -0.05, -0.55, 1.0]
    """
    weights = np.zeros(SPANS[-1] + 1)
    weights[-1] = 1.0
    for span, coefficient in zip(SPANS, persistence, strict=True):
        weights[-1 - span : -1] -= coefficient / span
    return weights


def filtered(values: Floats, history: Floats, weights: Floats) -> Floats:
    """Each value less what its past predicts: shape (n,).

    Parameters
    ----------
    values, history
        As for `past_means`.
    weights
        Shape (7,): what `filter_of` returns.

    Examples
    --------
    >>> filtered(np.array([1.0, 2.0]), np.array([6.0]), filter_of(np.array([0.5, 0.0]))).tolist()
    [-2.0, 1.5]
    """
    if not len(values):
        return np.empty(0)
    padded = np.concatenate([np.zeros(len(weights) - 1), history, values])[1 - len(weights) - len(values) :]
    return np.correlate(padded, weights, "valid")


def fit_persistence(values: Floats) -> Floats:
    """Fit how much of a value is predicted by the means of its past: non-negative, shrunk, and stable.

    Two coefficients stand for a short memory; what they leave is for `effective_share`. A longer memory would forget a
    lasting change as fast as it sees it.

    Parameters
    ----------
    values
        Shape (n,): a healthy stretch, centred.

    Returns
    -------
    Shape (2,): coefficients of `past_means`; their sum is at most 0.9.

    References
    ----------
    Corsi (2009), "A simple approximate long-memory model of realized volatility", J. Financial Econometrics 7.
    """
    x = past_means(values, np.empty(0))[SPANS[1] :]
    y = values[SPANS[1] :]
    bound = 4.0 * np.median(np.abs(y)) / 0.6745 + 1e-12 if len(y) else 1.0
    x, y = np.clip(x, -bound, bound), np.clip(y, -bound, bound)
    penalty = np.full(len(SPANS), _PRIOR * float(y @ y) + 1e-12)
    coefficients = solve(gram(x, y, np.ones(len(y))), penalty, np.ones(len(SPANS), np.bool_))
    return coefficients * min(1.0, _MAX_PERSISTENCE / max(float(coefficients.sum()), 1e-12))


def long_run_variance(values: Floats) -> float:
    """Variance of a mean of n dependent values, times n (Bartlett window of n^(1/3) * 1.5 lags).

    References
    ----------
    Newey & West (1987), "A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent
    covariance matrix", Econometrica 55.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=10_000)
    >>> bool(long_run_variance(noise) < 1.2), bool(long_run_variance(np.repeat(noise, 5)) > 4.0)
    (True, True)
    """
    n = len(values)
    if n < 2:
        return 0.0
    centred = values - values.mean()
    lags = min(n - 1, max(1, int(1.5 * n ** (1 / 3))))
    total = float(centred @ centred)
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag])
    return max(total / n, float(centred @ centred) / n * 0.1)


def effective_share(values: Floats) -> float:
    """What share of an independent value each of these dependent ones is worth, 0 to 1.

    Of a short series less: it has not shown its slow swings yet.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=10_000)
    >>> round(effective_share(noise), 1), round(effective_share(np.repeat(noise, 4)), 1)
    (0.9, 0.2)
    """
    variance = float(np.var(values)) if len(values) else 0.0
    if variance <= 0.0:
        return 1.0
    share = min(1.0, variance / long_run_variance(values))
    size = share * len(values)
    return share * size / (size + _UNSEEN)

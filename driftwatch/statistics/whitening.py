"""What a series' own past predicts of it, and how uncertain a mean of dependent values is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.robust import deviation, gram, solve

SPANS = (1, 6)
"""The past is seen as the last value and the mean of the last 6."""
LONGEST = SPANS[-1]
PROMISED = 100.0
"""Independent ticks from which the promise about false alarms holds for streams with a memory."""
_MAX_PERSISTENCE = 0.9  # a unit root would make every change look like noise
_UNSEEN = 8.0  # independent values that a past must have before half of its evidence counts
_CLEAR = 6.0  # twice the gain in likelihood below which a memory is taken for chance (one time in twenty)
_TOGETHER = 8  # ticks over which the evidence of a share comes together, at least
_BLOCKS = 4  # fewer means say nothing about their variance
_ONE_IN_TWENTY = 1.645
_ONE_IN_FIVE = 0.842
_STILL = 1e-18  # variance of a series that does not move but for rounding
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


def fit_persistence(values: Floats) -> Floats:
    """Fit how much of a value is predicted by the means of its past: non-negative, shrunk, and stable.

    Two coefficients stand for a short memory; what they leave is for `effective_share`. A longer memory would forget a
    lasting change as fast as it sees it.

    Parameters
    ----------
    values
        Shape (n,): a healthy stretch, centred and bounded.

    Returns
    -------
    Shape (2,): coefficients of `past_means`; their sum is at most 0.9.

    References
    ----------
    Corsi (2009), "A simple approximate long-memory model of realized volatility", J. Financial Econometrics 7.
    """
    x = past_means(values, np.empty(0))[SPANS[1] :]
    y = values[SPANS[1] :]
    penalty = np.full(len(SPANS), _PRIOR * float(y @ y) + 1e-12)
    coefficients = solve(gram(x, y, np.ones(len(y))), penalty, np.ones(len(SPANS), np.bool_))
    left = y - x @ coefficients
    if len(y) * (1.0 - float(left @ left) / max(float(y @ y), 1e-12)) < _CLEAR:
        return np.zeros(len(SPANS))
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


def dispersion_limit(scores: Floats) -> float:
    """The upper end of the 60% interval of the variance of means of 8 values, times 8.

    A short past shows few slow swings: what it leaves open must be allowed for. The interval is that of independent
    means, which those of so many neighbours are nearly.

    Parameters
    ----------
    scores
        Shape (n,): standardised values of a healthy stretch, mean about 0.

    References
    ----------
    Wilson & Hilferty (1931), "The distribution of chi-square", PNAS 17.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=1600)
    >>> [round(dispersion_limit(noise[:n]), 1) for n in (48, 160, 1600)]
    [5.4, 2.0, 1.1]
    """
    means = scores[len(scores) % _TOGETHER :].reshape(-1, _TOGETHER).mean(axis=1)
    if len(means) < 2:
        return 1.0
    freedom = 2.0 / (9.0 * (len(means) - 1))
    at_least = max(1.0 - freedom - _ONE_IN_FIVE * math.sqrt(freedom), 0.1) ** 3
    return _TOGETHER * float(means.var(ddof=1)) / at_least


def winsorised(values: Floats) -> Floats:
    """Values bounded at four standard deviations of the bulk."""
    if not len(values):
        return values
    bound = 4.0 * deviation(values) + 1e-12
    return np.clip(values, -bound, bound)


@dataclass(frozen=True, slots=True)
class Whitening:
    """A filter that takes out of each value what its past predicts, and what the rest is worth.

    Parameters
    ----------
    taps
        Shape (7,): weights of the value itself and of the 6 before it, newest first.
    worth
        What share of an independent value each filtered one is worth: its evidence is raised to this power.
    effective
        What share of an independent tick each tick tells of the level, 0 to 1.
    """

    taps: Floats
    worth: float
    effective: float

    @classmethod
    def none(cls) -> Whitening:
        """Of values that do not depend on each other."""
        return cls(np.append(1.0, np.zeros(LONGEST)), 1.0, 1.0)

    @classmethod
    def fit(cls, values: Floats) -> Whitening:
        """Fit to a healthy stretch, shape (n,), without wild values.

        Examples
        --------
        >>> noise = np.random.default_rng(0).normal(size=2000)
        >>> round(Whitening.fit(noise).effective, 1), round(Whitening.fit(np.repeat(noise, 4)).effective, 1)
        (1.0, 0.1)
        """
        taps = np.append(1.0, np.zeros(LONGEST))
        values = values - values.mean()
        for span, coefficient in zip(SPANS, fit_persistence(values), strict=True):
            taps[1 : span + 1] -= coefficient / span
        white = np.convolve(values, taps, "valid")
        if not np.var(white) > _STILL:
            return cls.none()
        worth = 1.0 / inflation(white)
        gain = float(taps.sum())
        effective = min(1.0, worth * gain**2 * float(np.var(values)) / float(np.var(white)))
        return cls(taps, worth * _seasoned(effective * len(values)), effective)


def _seasoned(size: float) -> float:
    """How much of its evidence so short a past may claim: it has not shown its slow swings yet."""
    return 1.0 - _UNSEEN / (size + _UNSEEN) * max(0.0, 1.0 - size / PROMISED)


def inflation(values: Floats) -> float:
    """By how much the variance of means grows beyond that of independent values, at any scale: at least 1.

    Means of blocks of 4, 8, 16, ... values are compared with single values; what chance alone may do (one time in
    twenty at each scale) is not counted.

    References
    ----------
    Allan (1966), "Statistics of atomic frequency standards", Proc. IEEE 54 (variance by averaging time); Wilson &
    Hilferty (1931), "The distribution of chi-square", PNAS 17.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=10_000)
    >>> swing = 2.0 * np.sin(np.arange(10_000) / 300)
    >>> bool(inflation(noise) < 1.1), bool(inflation(noise + swing) > 50)
    (True, True)
    """
    largest, block = 1.0, 4
    variance = float(np.var(values)) if len(values) else 0.0
    while variance > _STILL and len(values) >= _BLOCKS * block:
        blocks = len(values) // block
        means = values[len(values) - blocks * block :].reshape(blocks, block).mean(axis=1)
        freedom = 2.0 / (9.0 * (blocks - 1))
        by_chance = (1.0 - freedom + _ONE_IN_TWENTY * math.sqrt(freedom)) ** 3
        largest = max(largest, block * float(means.var(ddof=1)) / variance / float(by_chance))
        block *= 2
    return largest

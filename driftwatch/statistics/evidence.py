"""Mixture Shiryaev-Roberts e-detectors: evidence for a change, with a promise about false alarms.

If every factor L_t has mean at most 1 given the past while nothing has changed, then R_t = (1 + R_{t-1}) L_t has mean
at most t, so a detector that stops when R reaches A runs for at least A steps on average without a false alarm. A mean
of such detectors keeps the promise, so that many sizes of change can be looked for at once.

References
----------
Shin, Ramdas & Rinaldo (2024), "E-detectors: a nonparametric framework for sequential change detection",
New England J. Statistics in Data Science 2; Pollak & Tartakovsky (2009) for the Shiryaev-Roberts procedure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftwatch.statistics.buckets import Floats


def accumulate(log_factors: Floats, log_start: Floats) -> Floats:
    """Run log R_t = log(1 + R_{t-1}) + log L_t over time, for several bets at once.

    Parameters
    ----------
    log_factors
        Shape (n, k): log L_t of each bet.
    log_start
        Shape (k,): log R before the first; -inf at the beginning.

    Returns
    -------
    Shape (n, k): log R_t.

    Examples
    --------
    >>> np.exp(accumulate(np.zeros((3, 1)), np.array([-np.inf]))).ravel().round(6).tolist()
    [1.0, 2.0, 3.0]
    """
    if not len(log_factors):
        return log_factors
    # log(1 + R_{t-1}) + log L_t has the closed form S_t + log(R_0 + sum_{j<t} exp(-S_j)): one scan, no loop over time
    sums = np.cumsum(log_factors, axis=0)
    terms = np.empty_like(sums)
    terms[0], terms[1:] = np.logaddexp(log_start, 0.0), -sums[:-1]
    return np.logaddexp.accumulate(terms, axis=0) + sums


def mixture(log_r: Floats) -> Floats:
    """Log of the mean over bets (last axis)."""
    mean: Floats = np.logaddexp.reduce(log_r, axis=-1) - np.log(log_r.shape[-1])
    return mean


@dataclass(frozen=True, slots=True)
class ChangeTime:
    """When it changed: positions counted from the oldest factor given (0).

    Parameters
    ----------
    middle
        Position of the first changed value: half of the weight lies before it, half after.
    low, high
        Ends of the interval that holds 90% of the weight.
    """

    middle: int
    low: int
    high: int


def change_time(log_factors: Floats, level: float = 0.9) -> ChangeTime:
    """Where the change began, from the weight that each start has in R.

    R_n is a sum over all possible change points of the evidence since; its terms, normalised, are the posterior of the
    change point under a flat prior.

    Parameters
    ----------
    log_factors
        Shape (n, k): log L of the last n values, oldest first.
    level
        Mass of the interval.

    References
    ----------
    Pollak (1985), "Optimal detection of a change in distribution", Annals of Statistics 13 (the Bayesian reading of R).

    Examples
    --------
    >>> change_time(np.array([[-1.0], [-1.0], [2.0], [2.0]])).middle
    2
    """
    since = np.cumsum(log_factors[::-1], axis=0)[::-1]
    weight = np.logaddexp.reduce(since, axis=1)
    mass = np.exp(weight - weight.max())
    cumulative = np.cumsum(mass) / mass.sum()
    low = int(np.searchsorted(cumulative, (1 - level) / 2))
    high = int(np.searchsorted(cumulative, 1 - (1 - level) / 2))
    middle = int(np.searchsorted(cumulative, 0.5))
    return ChangeTime(middle, low, min(high, len(mass) - 1))

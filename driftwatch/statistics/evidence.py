"""Mixture Shiryaev-Roberts e-detectors: evidence for a change, with a promise about false alarms.

If every factor L_t has mean at most 1 given the past while nothing has changed, then R_t = (1 + R_{t-1}) L_t has mean
at most R_0 + t, so a detector that stops when R reaches A runs for about A steps at least without a false alarm. A mean
of such detectors keeps the promise, so that many sizes of change can be looked for at once.

References
----------
Shin, Ramdas & Rinaldo (2024), "E-detectors: a nonparametric framework for sequential change detection",
New England J. Statistics in Data Science 2; Pollak & Tartakovsky (2009) for the Shiryaev-Roberts procedure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats

CEILING = 1e130
"""R does not grow beyond this: an incident that lasts for hours must not end in infinity."""
_LAPSE = 0.2  # of the ticks of a change may look healthy: else each of them would begin it anew
_BLOCK = 8  # steps between two carries: few enough for a processor's cache, many enough to leave Python's loops


def accumulate(
    factors: Floats, start: Floats, weights: Floats, seen: NDArray[np.bool_] | None = None
) -> tuple[Floats, Floats]:
    """Run R_t = (1 + R_{t-1}) L_t over time, for several series and bets at once.

    Over a block of steps R is affine in what it was before: R_t = a_t R_0 + b_t. So all blocks run side by side, and
    only their ends are carried over: no loop over observations, and the same however a stream is cut.

    Parameters
    ----------
    factors
        Shape (n, s, k): L_t of each series and bet, at most e^20.
    start
        Shape (s, k): R before the first.
    weights
        Shape (k,): of the bets.
    seen
        Shape (n, s): where nothing was observed (False), R stays as it is; all were if None.

    Returns
    -------
    The weighted sum of R over the bets, shape (n, s), and R after the last, shape (s, k): at most `CEILING` each.

    Examples
    --------
    >>> total, end = accumulate(np.ones((3, 1, 2)), np.zeros((1, 2)), np.array([0.5, 0.5]))
    >>> total.ravel().tolist(), end.tolist()
    ([1.0, 2.0, 3.0], [[3.0, 3.0]])
    """
    n = len(factors)
    more = np.ones((n, 1, 1)) if seen is None else seen[..., None].astype(np.float64)
    if seen is not None:
        factors = np.where(seen[..., None], factors, 1.0)
    whole = n // _BLOCK * _BLOCK
    if whole > 4 * _BLOCK:
        with np.errstate(over="ignore", invalid="ignore"):
            found, end = _blockwise(factors[:whole], start, more[:whole])
        if found.max() <= CEILING:
            early = _mixed(found, weights).swapaxes(0, 1).reshape(whole, -1)
            if whole == n:
                return early, end
            late, end = accumulate(factors[whole:], end, weights, None if seen is None else seen[whole:])
            return np.concatenate([early, late]), end
    found = _stepwise(factors, start, more)
    return _mixed(found, weights), found[-1].copy() if n else start


def _mixed(r: Floats, weights: Floats) -> Floats:
    return np.asarray(np.einsum("...k,k->...", r, weights))  # no matrix product: that may wake a pool of threads


def _stepwise(factors: Floats, start: Floats, more: Floats) -> Floats:
    found = np.empty_like(factors)
    r = start
    for k in range(len(factors)):
        r = np.multiply(r + more[k], factors[k], out=found[k])
        np.minimum(r, CEILING, out=r)
    return found


def _blockwise(factors: Floats, start: Floats, more: Floats) -> tuple[Floats, Floats]:
    """R by step of a block and block, shape (_BLOCK, n / _BLOCK, s, k), and after the last."""
    gain, more = (np.ascontiguousarray(x.reshape(-1, _BLOCK, *x.shape[1:]).swapaxes(0, 1)) for x in (factors, more))
    offset = np.empty_like(gain)
    offset[0] = gain[0] * more[0]
    for k in range(1, _BLOCK):
        np.multiply(np.add(offset[k - 1], more[k], out=offset[k]), gain[k], out=offset[k])
        np.multiply(gain[k], gain[k - 1], out=gain[k])
    before = np.empty_like(gain[0])
    for block in range(len(before)):
        before[block] = start
        start = gain[-1, block] * start + offset[-1, block]
    np.multiply(gain, before, out=gain)
    return np.add(gain, offset, out=gain), start


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


def change_time(
    log_factors: Floats, weights: Floats | None = None, level: float = 0.9, before: float = 0.0
) -> ChangeTime:
    """Where the change began, from the weight that each start has in R.

    R_n is a sum over all possible change points of the evidence since; its terms, normalised, are the posterior of the
    change point under a flat prior. One tick in five of a change may look healthy.

    Parameters
    ----------
    log_factors
        Shape (n, k): log L of the last n values, oldest first.
    weights
        Shape (k,): weights of the bets; equal if None.
    level
        Mass of the interval.
    before
        R before the first of them: what may have begun earlier counts for the first.

    References
    ----------
    Pollak (1985), "Optimal detection of a change in distribution", Annals of Statistics 13 (the Bayesian reading of R).

    Examples
    --------
    >>> change_time(np.array([[-1.0], [-1.0], [2.0], [2.0]])).middle
    2
    """
    since = np.cumsum(np.logaddexp(log_factors[::-1] + math.log(1.0 - _LAPSE), math.log(_LAPSE)), axis=0)[::-1]
    weight = np.logaddexp.reduce(since if weights is None else since + np.log(weights), axis=1)
    mass = np.exp(weight - weight.max())
    mass[0] *= 1.0 + before
    cumulative = np.cumsum(mass) / mass.sum()
    low = int(np.searchsorted(cumulative, (1 - level) / 2))
    high = int(np.searchsorted(cumulative, 1 - (1 - level) / 2))
    middle = int(np.searchsorted(cumulative, 0.5))
    return ChangeTime(middle, low, min(high, len(mass) - 1))

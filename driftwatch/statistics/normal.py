"""The normal distribution, without scipy (the serving path imports numpy only)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats, Ints

_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_NEAR = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip

_REGIONS = np.array([_CENTRE, _NEAR, _FAR]).transpose(0, 2, 1)  # regions x powers x (top, bottom)
_POWERS = np.arange(7.0, -1.0, -1.0)


def normal_quantile(p: Floats) -> Floats:
    """Quantiles of the standard normal distribution, to about 1e-15.

    Parameters
    ----------
    p
        Any shape: probabilities in (0, 1).

    References
    ----------
    Wichura (1988), Algorithm AS 241 (PPND16), Applied Statistics 37.

    Examples
    --------
    >>> normal_quantile(np.array([0.5, 0.975])).round(6).tolist()
    [0.0, 1.959964]
    """
    q = p - 0.5
    tail = np.sqrt(-np.log(np.minimum(p, 1.0 - p)))
    region = np.where(np.abs(q) <= 0.425, 0, np.where(tail <= 5.0, 1, 2))
    x = np.choose(region, [0.180625 - q * q, tail - 1.6, tail - 5.0])
    parts = np.einsum("...k,...kc->...c", x[..., None] ** _POWERS, _REGIONS[region])
    return np.asarray(np.where(region == 0, q, np.sign(q)) * parts[..., 0] / parts[..., 1], np.float64)


def normal_tail(z: Floats) -> Floats:
    """Share of the standard normal distribution above z: for tables, not for streams (it loops).

    Examples
    --------
    >>> normal_tail(np.array([0.0, 1.959964])).round(6).tolist()
    [0.5, 0.025]
    """
    return np.array([0.5 * math.erfc(x / math.sqrt(2.0)) for x in z.ravel()]).reshape(z.shape)


_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST, _SPARE = np.uint64(31), np.uint64(11)


def uniform_of(seed: NDArray[np.uint64] | np.uint64, position: Ints) -> Floats:
    """A uniform number for each position, always the same for the same seed (splitmix64); both broadcast.

    Ties between ranks are broken by it, so that a rerun, or another cut of the stream, gives the same evidence.

    References
    ----------
    Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA.

    Examples
    --------
    >>> uniform_of(np.uint64(7), np.array([1, 2])).round(3).tolist()
    [0.772, 0.246]
    """
    x = (position.astype(np.uint64) + seed) * _GAMMA
    for shift, factor in _MIX:
        x = (x ^ (x >> shift)) * factor
    x = x ^ (x >> _LAST)
    return (x >> _SPARE).astype(np.float64) / 2.0**53

"""CUSUM that knows the change and the noise: what no detector that must learn them can beat (Moustakides 1986)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from driftwatch.statistics.buckets import Floats, Ints

CELLS = 1_000  # of the Markov chain: enough even where the ratio hardly ever takes but one value


@dataclass(frozen=True, slots=True)
class Ratio:
    """Log likelihood ratio of one change of standard normal values.

    Parameters
    ----------
    of
        The ratio of each value.
    null
        Its distribution function while nothing has changed.
    """

    of: Callable[[Floats], Floats]
    null: Callable[[Floats], Floats]


@cache
def shifted(size: float) -> Ratio:
    """The mean moves by ``size``."""
    return Ratio(lambda x: size * x - 0.5 * size**2, lambda z: norm.cdf(z / size + 0.5 * size))


@cache
def wider(factor: float) -> Ratio:
    """The standard deviation grows by ``factor``."""
    gain, cost = 0.5 * (1.0 - factor**-2), np.log(factor)

    def null(z: Floats) -> Floats:
        return np.asarray(2.0 * norm.cdf(np.sqrt(np.maximum(z + cost, 0.0) / gain)) - 1.0)

    return Ratio(lambda x: gain * x**2 - cost, null)


@cache
def tailed(portion: float, size: float) -> Ratio:
    """A portion of the values moves by ``size``."""

    def of(x: Floats) -> Floats:
        return np.log1p(portion * np.expm1(size * x - 0.5 * size**2))

    def null(z: Floats) -> Floats:
        moved = np.maximum(np.expm1(z) / portion + 1.0, 1e-300)
        return np.asarray(norm.cdf(np.log(moved) / size + 0.5 * size))

    return Ratio(of, null)


def run_length(ratio: Ratio, threshold: float) -> float:
    """Average run length from 0, by a Markov chain on cells of the statistic.

    References
    ----------
    Brook & Evans (1972), "An approach to the probability distribution of CUSUM run length", Biometrika 59.
    """
    width = 2.0 * threshold / (2 * CELLS - 1)
    steps = ratio.null(np.asarray((np.arange(1 - CELLS, CELLS) + 0.5) * width, np.float64))
    to, start = np.arange(CELLS), np.arange(CELLS)[:, None]
    upper = steps[to - start + CELLS - 1]
    stay = upper.copy()
    stay[:, 1:] -= upper[:, :-1]
    return float(np.linalg.solve(np.eye(CELLS) - stay, np.ones(CELLS))[0])


@cache
def threshold(ratio: Ratio, arl: float) -> float:
    """Threshold at which the average run length is ``arl``."""
    return float(brentq(lambda h: np.log(run_length(ratio, h) / arl), 0.2, np.log(arl) + 1.0, xtol=1e-3))


def first_alarms(ratio: Ratio, value: Floats, limit: float) -> Ints:
    """First tick of each column, shape (ticks, runs), at which CUSUM reaches the limit; -1 without one."""
    log_ratio = ratio.of(value)
    first = np.full(value.shape[1], -1)
    level = np.zeros(value.shape[1])
    for tick, gained in enumerate(log_ratio):
        level = np.maximum(level + gained, 0.0)
        first[(level >= limit) & (first < 0)] = tick
    return first

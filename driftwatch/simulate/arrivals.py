"""When requests arrive: points of a process whose rate is 1, moved to where the load puts them.

The k-th point is the same whatever the rate, so that two runs of one seed can be compared request by request [1]_.

.. [1] Daley and Vere-Jones, An Introduction to the Theory of Point Processes I, 2003, 7.4: the time change that
   makes a Poisson process of any rate from one of rate 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from driftwatch.errors import ConfigError
from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Ints

Load = Callable[[Floats], Floats]
"""Requests per second (or a factor on them) at each of some times."""

DAY_S = 86_400.0
MOST_STEPS = 2**20  # of the grid on which a load is integrated: a second each, longer ones after twelve days
SETTLED = 20.0  # gamma gaps forget how they began within a few times cv^2 arrivals


def swinging(rate: float, swing: float = 0.0, period_s: float = DAY_S, phase: float = 0.0) -> Load:
    """Make a load that goes up and down like a day.

    Parameters
    ----------
    rate
        Its mean, in requests per second.
    swing
        How far it goes from the mean, relative to it: 0 to 1.
    period_s
        Seconds from one peak to the next.
    phase
        In radians; at 0 the load is at its mean, and rising, at the epoch.

    Examples
    --------
    >>> swinging(10.0, 0.5, period_s=4.0)(np.arange(4.0)).tolist()
    [10.0, 15.0, 10.0, 5.0]
    """
    return lambda at: rate * (1.0 + swing * np.sin(2.0 * np.pi * at / period_s + phase))


def poisson(rng: np.random.Generator, load: Load, start: float, seconds: float) -> Floats:
    """Draw arrivals that know nothing of each other.

    Parameters
    ----------
    rng
        Used for nothing else, or the k-th arrival is another one at another rate.
    load
        Requests per second at each time.
    start, seconds
        The window, in seconds since the epoch, and its length.

    Returns
    -------
    ndarray
        Shape (n,): times in the window, ascending.

    Raises
    ------
    ConfigError
        The load is negative or not finite somewhere in the window.

    Examples
    --------
    >>> at = poisson(np.random.default_rng(0), swinging(2.0), 1_000.0, 500.0)
    >>> 900 < len(at) < 1100, bool(1_000.0 <= at[0] < at[-1] < 1_500.0)
    (True, True)
    """
    grid, expected = _expected(load, start, seconds)
    return np.interp(_points(rng.standard_exponential, expected[-1]), expected, grid)


def bursty(rng: np.random.Generator, load: Load, start: float, seconds: float, cv: float) -> Floats:
    """Draw arrivals that come in bursts: gamma gaps, in a time in which the load is even.

    Production traffic of many services is best described by them [1]_.

    Parameters
    ----------
    rng, load, start, seconds
        As for `poisson`.
    cv
        Standard deviation of the gaps over their mean: 1 is Poisson, above it bursts.

    Returns
    -------
    ndarray
        Shape (n,): times in the window, ascending.

    Raises
    ------
    ConfigError
        The load is negative or not finite somewhere in the window, or ``cv`` is not above 0.

    References
    ----------
    .. [1] Li et al., AlpaServe, OSDI 2023; Wang et al., BurstGPT, 2024.
    """
    if not cv > 0.0:
        raise ConfigError(f"cv is {cv}; the variation of the gaps must be above 0 (1 is Poisson)")
    grid, expected = _expected(load, start, seconds)
    settled = SETTLED * cv**2

    def gaps(n: int) -> Floats:
        return rng.standard_gamma(cv**-2, n) * cv**2

    points = _points(gaps, expected[-1] + settled, spread=cv) - settled
    return np.interp(points[points >= 0.0], expected, grid)


def traced(rng: np.random.Generator, load: Load, start: float, seconds: float, at: Floats) -> tuple[Floats, Ints]:
    """Let recorded arrivals happen again, from one of them on, as often as the window needs, at another load.

    Parameters
    ----------
    rng
        Draws only where in the recording to begin.
    load, start, seconds
        As for `poisson`.
    at
        Shape (m,): the recorded times, ascending, in seconds.

    Returns
    -------
    times, rows
        Shape (n,) each: times in the window, ascending, and which of the recorded arrivals each one is.

    Raises
    ------
    ConfigError
        The load is negative or not finite somewhere in the window, or fewer than two times are recorded.

    Examples
    --------
    >>> times, rows = traced(np.random.default_rng(0), swinging(1.0), 0.0, 9.0, np.array([5.0, 6.0, 9.0]))
    >>> len(times), sorted(np.bincount(rows).tolist())
    (9, [3, 3, 3])
    """
    m = len(at)
    if m < 2 or not at[-1] > at[0]:
        raise ConfigError(f"a trace needs arrivals at two times or more; this one has {m} rows")
    grid, expected = _expected(load, start, seconds)
    once = (at - at[0]) / (at[-1] - at[0]) * (m - 1)  # the gap from its end to its next beginning is a mean one
    first = int(rng.integers(m))
    rows = first + np.arange(int(np.ceil(expected[-1])) + 2 * m)
    points = once[rows % m] + rows // m * m - once[first]
    inside = points < expected[-1]
    return np.interp(points[inside], expected, grid), rows[inside] % m


def _expected(load: Load, start: float, seconds: float) -> tuple[Floats, Floats]:
    """Arrivals expected since the start, on a grid of times."""
    grid = start + np.linspace(0.0, seconds, int(np.clip(np.ceil(seconds), 64, MOST_STEPS)) + 1)
    rate = np.broadcast_to(load(grid), grid.shape)
    if not (np.isfinite(rate) & (rate >= 0.0)).all():
        raise ConfigError(f"the load is {rate.min()} requests per second somewhere; it must be finite, 0 or more")
    steps = 0.5 * (rate[1:] + rate[:-1]) * np.diff(grid)
    return grid, np.concatenate([[0.0], np.cumsum(steps)])


def _points(gaps: Callable[[int], Floats], end: float, spread: float = 1.0) -> Floats:
    """Points of a process that has these gaps, before an end."""
    n = int(end + 6.0 * spread * np.sqrt(end)) + 16
    drawn = gaps(n)
    while drawn.sum() <= end:
        drawn = np.concatenate([drawn, gaps(n)])
    points = np.cumsum(drawn)
    return points[: np.searchsorted(points, end)]

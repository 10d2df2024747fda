"""What is to be explained, and how it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.dose import lag_grid
from driftwatch.attribution.causes.screening import LATE_S
from driftwatch.attribution.causes.shares import Window, window_of
from driftwatch.config import Attribution

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be explained, and how it is looked at.

    Parameters
    ----------
    excess
        Shape (T,): turned so that up is worse; NaN where there were no requests.
    onset
        The first tick of the incident.
    window
        The ticks of the fit.
    lags
        Lags that are tried, in ticks.
    tick_s
        Width of a tick, in seconds.
    settings
        Level, permutations, lags.
    signal
        Its name, the end of every chain.
    interval
        First and last tick at which the incident may have begun.
    """

    excess: Floats
    onset: int
    window: Window
    lags: tuple[int, ...]
    tick_s: float
    settings: Attribution
    signal: str
    interval: tuple[int, int]


REALIGNED_S = 180.0
"""An onset is moved by at most this much to where the excess itself steps."""
_CLEARLY = 20.0


def aligned(excess: Floats, onset: int, tick_s: float) -> int:
    """By how many ticks the onset is off, if the excess clearly steps at another tick near it.

    Twice the gain in log-likelihood of a single step must exceed what a memory of a few ticks brings by chance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> aligned(np.r_[rng.normal(0, 0.1, 200), rng.normal(1, 0.1, 100)], 220, 5.0)
    -20
    """
    reach = round(REALIGNED_S / tick_s)
    ticks = np.flatnonzero(~np.isnan(excess))
    ticks = ticks[(ticks >= onset - 4 * reach) & (ticks < onset + 4 * reach)]
    at = np.arange(max(onset - reach, 2), min(onset + reach, len(excess) - 2) + 1)
    split = np.searchsorted(ticks, at)
    at, split = at[(split >= 2) & (split <= len(ticks) - 2)], split[(split >= 2) & (split <= len(ticks) - 2)]
    if not len(at):
        return 0
    values = excess[ticks] - excess[ticks].mean()
    before = np.cumsum(values)[split - 1]
    explained = before**2 * len(values) / (split * (len(values) - split))
    rest = np.maximum(float(values @ values) - explained, 1e-12)
    best, given = int(np.argmin(rest)), int(np.argmin(np.abs(at - onset)))
    gain = len(values) * float(np.log(rest[given] / rest[best]))
    return int(at[best]) - onset if gain > _CLEARLY and before[best] < 0 else 0


def effect_of(
    excess: Floats,
    onset: int,
    tick_s: float,
    settings: Attribution,
    signal: str,
    interval: tuple[int, int] | None = None,
) -> Effect:
    """Look at an excess that is turned so that up is worse."""
    window = window_of(excess, onset, round(LATE_S / tick_s))
    window = replace(window, excess=window.excess - float(np.median(window.excess[~window.during])))
    lags, interval = lag_grid(settings.max_lag_s, tick_s), interval or (onset, onset)
    return Effect(excess, onset, window, lags, tick_s, settings, signal, interval)

"""What is to be explained, and how it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.dose import lag_grid
from driftwatch.attribution.screening import LATE_S
from driftwatch.attribution.shares import Window, window_of
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

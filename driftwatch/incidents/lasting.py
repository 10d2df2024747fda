"""A change that is there for a while, and not one noisy minute."""

from __future__ import annotations

import math

from driftwatch.config import Config
from driftwatch.detectors import Detector, Shift

LATELY = 4
"""Ticks by which a change is seen to be still there."""


def least_ticks(config: Config) -> int:
    """For how many ticks a change must have been there to open an incident.

    Examples
    --------
    >>> least_ticks(Config())
    18
    """
    return math.ceil(config.incidents.lasting_s / config.ticks.width_s)


def lasts(detector: Detector, series: int, shift: Shift, tick: int, least: int) -> bool:
    """Whether a move has been there for so many ticks, and at least half of it still is.

    Parameters
    ----------
    detector, series
        Who saw it.
    shift
        The move as it is seen at this tick.
    tick
        The newest tick.
    least
        Ticks that it must have lasted, see `least_ticks`.
    """
    if tick + 1 - shift.onset < least:
        return False
    now = detector.recent(series, tick + 1 - LATELY, tick).size
    return math.isnan(now) or math.copysign(1.0, shift.size) * now >= 0.5 * abs(shift.size)

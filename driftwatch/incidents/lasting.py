"""A change that is there for a while, at once or in bursts, and not one noisy minute."""

from __future__ import annotations

import math

from driftwatch.config import Config
from driftwatch.detectors import Detector, Shift


def least_ticks(config: Config) -> int:
    """For how many ticks a change must have been there to open an incident.

    Examples
    --------
    >>> least_ticks(Config())
    18
    """
    return math.ceil(config.incidents.lasting_s / config.ticks.width_s)


def lasts(detector: Detector, series: int, shift: Shift, tick: int, least: int) -> bool:
    """Whether a move has been there for so many ticks in all.

    Parameters
    ----------
    detector, series
        Who saw it.
    shift
        The move as it is seen at this tick.
    tick
        The newest tick.
    least
        Ticks that it must have been there, see `least_ticks`.
    """
    if tick + 1 - shift.onset < least:
        return False
    return detector.moves(series, shift.onset, tick).lasted >= least

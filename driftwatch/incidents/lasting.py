"""A change that is there for a while, at once or in bursts, and not one noisy minute."""

from __future__ import annotations

import math

from driftwatch.config import Config
from driftwatch.detectors import Detector, Shift

LATELY = 4
"""Ticks by which a change is seen to be still there."""
_MOST = 0.85  # of the ticks of a change: a few may look healthy
_OVER = 1.25  # as much longer must one have been there that is over: requests end after the minute that slowed them


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
    elapsed = tick + 1 - shift.onset
    if elapsed < least:
        return False
    moves = detector.moves(series, shift.onset, tick)
    lasted = moves.lasted * elapsed / max(len(moves.size), 1)  # a tick in which nothing was seen was like the others
    if lasted >= _OVER * least:
        return True
    now = detector.recent(series, tick + 1 - LATELY, tick).size
    there = math.isnan(now) or math.copysign(1.0, moves.typical) * now >= 0.5 * abs(moves.typical)
    return there and lasted >= _MOST * least

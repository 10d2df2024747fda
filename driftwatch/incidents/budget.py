"""The false-alarm budget, divided by a fixed rule."""

from __future__ import annotations

import math

from driftwatch.config import Config
from driftwatch.events.signals import SIGNALS

_DAY = 86_400.0


def log_threshold(config: Config) -> float:
    """Natural logarithm of the e-value at which a test alarms.

    A test with threshold A runs for A ticks on average before a false alarm. The budget, so many false incidents in so
    many days, is divided over ``max_streams`` x signals, whether they exist or not: one stream's alarms never depend on
    which others there are.

    Examples
    --------
    >>> round(log_threshold(Config()), 1)
    18.5
    """
    ticks = config.budget.per_days * _DAY / config.ticks.width_s / config.budget.false_incidents
    return math.log(ticks * config.streams.max_streams * len(SIGNALS))

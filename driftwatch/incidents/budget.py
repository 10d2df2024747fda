"""The false-alarm budget, divided by a fixed rule."""

from __future__ import annotations

import math

from driftwatch.config import Config
from driftwatch.incidents.panel import TESTS

_DAY = 86_400.0
TESTS_OF_A_STREAM = TESTS + 2
"""Tests of its signals, and two for what is lost: traffic that vanishes and requests that hang."""


def log_threshold(config: Config) -> float:
    """Natural logarithm of the e-value at which a test alarms.

    A test with threshold A runs for A ticks on average before a false alarm. The budget, so many false incidents in so
    many days, is divided over ``max_streams`` x tests, whether they exist or not: one stream's alarms never depend on
    which others there are. A test that judges spans of n ticks takes n times less, for it looks n times less often.

    Examples
    --------
    >>> round(log_threshold(Config()), 1)
    19.9
    """
    ticks = config.budget.per_days * _DAY / config.ticks.width_s / config.budget.false_incidents
    return math.log(ticks * config.streams.max_streams * TESTS_OF_A_STREAM)

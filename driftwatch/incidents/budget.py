"""The false-alarm budget, divided by a fixed rule."""

from __future__ import annotations

import math

from driftwatch.config import Config
from driftwatch.incidents.panel import TESTS

_DAY = 86_400.0
_LOSSES, _LOSS = 2, 3
TESTS_OF_A_STREAM = TESTS + _LOSSES * _LOSS
"""Tests of its signals, and two for what is lost: traffic that vanishes and requests that hang. Each of these counts as
three, so that signals which are added hardly delay the news that nothing comes through any more."""


def log_threshold(config: Config) -> float:
    """Natural logarithm of the e-value at which a test of a signal alarms.

    A test with threshold A runs for A ticks on average before a false alarm. The budget, so many false incidents in so
    many days, is divided over ``max_streams`` x tests, whether they exist or not: one stream's alarms never depend on
    which others there are. A test that judges spans of n ticks takes n times less, for it looks n times less often.

    Examples
    --------
    >>> round(log_threshold(Config()), 1)
    20.0
    """
    ticks = config.budget.per_days * _DAY / config.ticks.width_s / config.budget.false_incidents
    return math.log(ticks * config.streams.max_streams * TESTS_OF_A_STREAM)


def log_loss_threshold(config: Config) -> float:
    """The same of a test for what is lost, which counts as several.

    Examples
    --------
    >>> round(log_loss_threshold(Config()), 1)
    18.9
    """
    return log_threshold(config) - math.log(_LOSS)

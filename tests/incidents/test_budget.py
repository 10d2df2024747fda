import math

import pytest

from driftwatch.config import Config
from driftwatch.incidents import log_loss_threshold, log_threshold
from driftwatch.incidents.panel import SCORES, panels_of, signal_tests, text_panels_of


def threshold(**settings):
    return log_threshold(Config.parse(settings))


@pytest.mark.parametrize(
    ("false_incidents", "days", "width", "streams"), [(1, 30, 5, 16), (2, 7, 1, 4), (0.1, 365, 60, 1)]
)
def test_all_tests_together_keep_to_the_budget(false_incidents, days, width, streams):
    config = Config.parse(
        {
            "budget": {"false_incidents": false_incidents, "per_days": days},
            "ticks": {"width_s": width},
            "streams": {"max_streams": streams},
        }
    )
    panels = (*panels_of(Config(), "a"), *text_panels_of(Config(), "a"))
    of_signals = (len(signal_tests(panels)) + SCORES) / math.exp(log_threshold(config))
    of_losses = 2 / math.exp(log_loss_threshold(config))
    alarms_in_time = days * 86_400 / width * streams * (of_signals + of_losses)  # each has one in A ticks, at most
    assert alarms_in_time == pytest.approx(false_incidents)


def test_it_depends_on_nothing_but_the_settings_that_divide_the_budget():
    plain = threshold()
    assert threshold(streams={"by": ["model"], "max_segments": 3}) == plain
    assert threshold(learning={"min_ticks": 100}, margins={"ttft": 0.5}, incidents={"quiet_s": 9}) == plain
    assert threshold(streams={"max_streams": 32}) == pytest.approx(plain + math.log(2))
    assert threshold(budget={"false_incidents": 2}) == pytest.approx(plain - math.log(2))

"""Alert rules and ADWIN see what they should see, and only then."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from driftwatch.events.columns import Metrics, SeriesKey, requests_of

thresholds = pytest.importorskip("scoring.thresholds", reason="the benchmarks are not beside the tests")
pytest.importorskip("river")
NOTHING = Metrics(np.empty(0), np.empty(0, np.int32), np.empty(0), ())
KV = (SeriesKey("vllm:kv_cache_usage_perc", (("pod", "a"),), "gauge"),)


def requests(slow_from=np.inf, times=1.0, failing_from=np.inf):
    at = np.arange(0.0, 4800.0, 2.0)
    latency = np.random.default_rng(1).lognormal(0.0, 0.2, len(at)) * np.where(at >= slow_from, times, 1.0)
    failed = (at >= failing_from) & (np.arange(len(at)) % 10 == 0)
    return requests_of(len(at), completed_at=at, latency=latency, ttft=np.full(len(at), 0.1), failed=failed)


@pytest.mark.parametrize("name", ["thresholds", "judging"])
def test_examples_hold(name):
    found = doctest.testmod(importlib.import_module(f"scoring.{name}"))
    assert found.attempted
    assert not found.failed


def test_a_rule_fires_once_it_held_for_five_minutes():
    assert len(thresholds.threshold_alarms(requests(), NOTHING)) == 0
    (fired,) = thresholds.threshold_alarms(requests(3000.0, 3.0), NOTHING)
    assert 3300.0 < fired < 3450.0  # five minutes, and until enough of the window is slow
    assert len(thresholds.threshold_alarms(requests(3000.0, 1.3), NOTHING)) == 0


def test_failures_and_a_full_cache_fire():
    (fired,) = thresholds.threshold_alarms(requests(failing_from=3000.0), NOTHING)
    assert 3300.0 < fired < 3700.0
    at = np.arange(0.0, 4800.0, 15.0)
    use = np.where((at >= 1000.0) & (at < 1200.0) | (at >= 2000.0), 0.99, 0.5)
    full = Metrics(at, np.zeros(len(at), np.int32), use, KV)
    (fired,) = thresholds.threshold_alarms(requests(), full)
    assert fired == 2310.0  # the first scrape of a full cache was at 2010


def test_adwin_hears_a_step_in_requests_in_gauges_and_in_the_rate_of_counters():
    from scoring.adwin import adwin_alarms, drifts

    at = np.arange(0.0, 6000.0, 5.0)
    values = np.random.default_rng(2).normal(size=len(at)) + 3.0 * (at >= 3000.0)
    assert drifts(at, values)[0] == pytest.approx(3000.0, abs=300.0)
    assert len(drifts(at, np.full(len(at), 1.0))) == 0
    grows = Metrics(at, np.zeros(len(at), np.int32), np.cumsum(values + 10.0), (SeriesKey("things_total"),))
    still = requests_of(len(at), completed_at=at, ttft=np.ones(len(at)))
    assert adwin_alarms(still, grows)[0] == pytest.approx(3000.0, abs=300.0)
    even = Metrics(at, np.zeros(len(at), np.int32), 7.0 * at, (SeriesKey("things_total"),))
    assert len(adwin_alarms(still, even)) == 0

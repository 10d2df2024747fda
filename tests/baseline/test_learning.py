"""The warm-up of a stream: how much, without what, and from when."""

from dataclasses import replace

import numpy as np
import pytest

from driftwatch.baseline.learnt import arrays_of, take_arrays
from driftwatch.events.columns import requests_of
from driftwatch.incidents.watch import EPOCH
from tests.baseline.streams import FIRST, LEARN, SETTLED, fresh, learnt, mean, ticks_of, without
from tests.traffic import START, traffic


@pytest.mark.parametrize(("ticks", "rate", "needed"), [(20, 4.0, "ticks"), (70, 0.2, "requests")])
def test_it_waits_until_it_has_enough(ticks, rate, needed):
    baseline, judged, _ = learnt(traffic(1, ticks=ticks, rate=rate), ticks)
    assert judged is None
    assert not baseline.ready
    assert 0 < baseline.progress < 1
    assert baseline.refused == ()
    more = {"ticks": {"min_ticks": 20}, "requests": {"min_requests": 20, "min_ticks": 20}}[needed]
    assert learnt(traffic(1, ticks=ticks, rate=rate), ticks, **more)[0].ready


def test_signals_that_are_not_measured_are_refused():
    requests = traffic(2)
    unknown = np.full(len(requests), np.nan)
    baseline, judged, _ = learnt(replace(requests, itl=unknown, output_tokens=unknown))
    assert baseline.refused == ("itl", "output_length")
    assert {"ttft", "latency", "traffic", "error_share"} <= judged.tracks.keys()
    assert not {"itl", "output_length"} & judged.tracks.keys()


def test_without_any_workload_everything_that_is_measured_is_judged():
    requests = traffic(3)
    bare = requests_of(len(requests), completed_at=requests.completed_at, ttft=requests.ttft)
    baseline, judged, rest = learnt(bare)
    assert baseline.refused == ("itl", "latency", "output_length")
    assert "prompt_length" not in judged.tracks
    again = baseline.judge(rest, FIRST + LEARN, int(rest.tick[-1]))
    assert abs(mean(again.tracks["ttft"])) < 0.1
    assert mean(again.tracks["novel_share"]) == 0


def test_an_outage_in_the_warm_up_is_left_out_and_said():
    requests = without(traffic(9), 20, 31)
    baseline, judged, _ = learnt(requests)
    assert baseline.ready
    assert baseline.notes == ["warm-up: 12 ticks of an outage were left out of what was learnt"]
    assert len(judged.tracks["traffic"].tick) == LEARN - SETTLED - 12
    assert judged.tracks["traffic"].value.min() > 0


def test_a_failing_service_in_the_warm_up_is_left_out_and_said():
    requests = traffic(10)
    tick = np.floor((requests.at - START) / 5.0)
    failing = (tick >= 20) & (tick < 30)
    requests = replace(
        requests,
        failed=failing & (np.arange(len(tick)) % 5 > 0),
        ttft=np.where(failing, requests.ttft * 40, requests.ttft),
    )
    baseline, judged, _ = learnt(requests)
    assert baseline.notes == ["warm-up: 10 ticks of an outage were left out of what was learnt"]
    assert judged.tracks["error_share"].value.sum() == 0
    assert not set(range(FIRST + 20, FIRST + 30)) & set(judged.tracks["ttft"].tick.tolist())
    assert not set(range(FIRST + 20, FIRST + 30)) & set(judged.tracks["traffic"].tick.tolist())


def test_a_service_that_is_down_from_the_start_is_learnt_when_it_is_up():
    requests = traffic(11, ticks=300)
    requests = replace(requests, failed=requests.at < START + 5.0 * 130)
    baseline, ticks = fresh(), ticks_of(requests)
    started = []
    for first in range(FIRST, FIRST + 300, EPOCH):
        if not baseline.ready:
            baseline.collect(ticks.between(first, first + EPOCH - 1), first)
            if baseline.start(first + EPOCH - 1):
                started.append(first + EPOCH - 1 - FIRST)
    assert len(started) == 1
    assert 130 + 48 <= started[0] <= 130 + 48 + EPOCH
    assert baseline.notes == ["warm-up: 130 ticks of an outage were left out of what was learnt"]


def test_a_step_in_the_warm_up_is_said_and_learning_begins_again():
    requests = traffic(12, ticks=300, slower=2.5, since=60)
    baseline, judged, rest = learnt(requests, 96)
    assert judged is None
    assert not baseline.ready
    assert len(baseline.notes) == 1
    assert "changed by x2." in baseline.notes[0]
    assert baseline.progress == pytest.approx(36 / 48, abs=2 / 48)
    baseline.collect(rest.between(FIRST + 96, FIRST + 191), FIRST + 96)
    judged = baseline.start(FIRST + 191)
    assert baseline.ready
    assert judged.tracks["ttft"].tick[0] >= FIRST + 58
    after = baseline.judge(rest.between(FIRST + 192, FIRST + 299), FIRST + 192, FIRST + 299)
    assert abs(mean(after.tracks["itl"])) < 0.06


def test_healthy_warm_ups_begin_only_once():
    assert [learnt(traffic(seed, ticks=200), 168)[0].notes for seed in range(100, 120)] == [[]] * 20


def test_a_long_pause_begins_the_warm_up_again():
    baseline = fresh()
    early = ticks_of(traffic(13, ticks=30))
    baseline.collect(early, FIRST)
    later = replace(early, tick=early.tick + 5000, flow_known=early.flow_known + 5000)
    baseline.collect(later, FIRST + 5000)
    assert baseline.warmup_first == FIRST + 5000
    assert baseline.progress == pytest.approx(30 / 48)


SLOW = np.exp(np.repeat(np.random.default_rng(3).normal(0.0, 0.15, 100), 8))  # an engine in moods of 8 ticks


def warmed_up(requests, last=800, **learning):
    """A baseline, and how many ticks it took to begin."""
    baseline, ticks = fresh(**learning), ticks_of(requests)
    for first in range(FIRST, FIRST + last, EPOCH):
        baseline.collect(ticks.between(first, first + EPOCH - 1), first)
        if baseline.start(first + EPOCH - 1):
            return baseline, first + EPOCH - FIRST
    return baseline, 0


def test_ticks_that_resemble_each_other_take_longer_to_learn_from():
    _, enough = warmed_up(traffic(20, ticks=800), min_effective=12.0)
    slow, longer = warmed_up(traffic(20, ticks=800, slower=SLOW, since=0), min_effective=12.0)
    assert enough <= 96
    assert longer > 2 * enough
    assert slow.notes == []
    assert slow.worth >= 12.0


def test_the_waiting_is_capped_and_that_is_said():
    slow, waited = warmed_up(traffic(20, ticks=800, slower=SLOW, since=0), min_effective=200.0, max_wait_ticks=100)
    assert waited == 120  # the first end of an epoch beyond the cap
    assert len(slow.notes) == 1
    assert "its 120 ticks are worth only" in slow.notes[0]
    assert "learning.min_effective is 200" in slow.notes[0]


def test_while_it_waits_it_is_not_done():
    baseline, ticks = fresh(min_effective=1000.0), ticks_of(traffic(21))
    baseline.collect(ticks.between(FIRST, FIRST + LEARN - 1), FIRST)
    assert baseline.start(FIRST + LEARN - 1) is None
    assert 0.09 < baseline.progress < 1
    assert not baseline.ready
    judged = baseline.start(FIRST + LEARN - 1, patient=False)  # nothing more will come
    assert judged is not None
    assert baseline.progress == 1.0
    assert len(baseline.notes) == 1
    again = learnt(traffic(21))[1]
    np.testing.assert_array_equal(judged.tracks["ttft"].value, again.tracks["ttft"].value)


def test_a_baseline_that_is_restored_waits_for_nothing():
    source, _, rest = learnt(traffic(22))
    baseline = fresh(min_effective=1000.0)
    take_arrays(baseline, arrays_of(source))
    assert baseline.ready
    assert baseline.judge(rest, FIRST + LEARN, int(rest.tick[-1])).tracks["ttft"].value.size

"""What an incident's record says, and where its causes are looked for."""

from dataclasses import replace

import numpy as np
import pytest

from driftwatch.attribution.account import Clock, _finding, _inside
from driftwatch.attribution.history import StreamHistory
from driftwatch.attribution.scene import Scene
from driftwatch.baseline import Observed, SegmentSums
from driftwatch.config import Config
from driftwatch.detectors import Shift
from driftwatch.events.columns import Markers, Metrics, SeriesKey
from driftwatch.incidents.life import Alarm
from driftwatch.incidents.models import Segment
from driftwatch.ticks import Names
from driftwatch.ticks.series import SeriesStore
from driftwatch.ticks.tick import empty

FIRST, ONSET, LAST = 100, 110, 119
REPLICAS = ("a", "b")
HIT = {"a": 0.75, "b": 0.25}  # how far each replica's requests moved


def alarm(signal="ttft", onset=ONSET):
    shift = Shift(onset, onset - 1, onset + 1, 0.5, 0.05, reference=0.125, log_e=20.0, count=80, evidence=15.0)
    return Alarm("s", signal, onset + 5, shift, signal)


def sums(first=FIRST):
    """Eight requests a tick on each of two replicas of two tenants."""
    tick, segment = (x.ravel() for x in np.meshgrid(np.arange(first, LAST + 1), np.arange(4), indexing="ij"))
    moved = np.where(segment < 2, HIT["a"], HIT["b"]) * (tick >= ONSET)
    count = np.full(len(tick), 8.0)
    return SegmentSums(tick, segment, count, count * moved, count * moved**2, count * moved)


def scene(*, of=sums, pods=REPLICAS, signal="ttft"):
    history, tick = StreamHistory(), np.arange(FIRST, LAST + 1)
    value = np.where(tick >= ONSET, 0.5, 0.0)
    total = np.full(len(tick), 32.0)
    history.observed[signal] = [Observed(tick, value, total, value + np.log(2.0))]
    history.segments["ttft"] = [of()]
    history.flows.append(replace(empty(), flow_segment=np.arange(4)))
    names = Names(("replica", "tenant"), 64)
    for replica in REPLICAS:
        for tenant in ("chat", "batch"):
            names.number((("replica", replica), ("tenant", tenant)))
    keys = tuple(SeriesKey("vllm:kv_cache_usage_perc", (("pod", pod),)) for pod in pods)
    series = SeriesStore(5.0, 1000)
    series.add(Metrics(np.zeros(len(keys)), np.arange(len(keys), dtype=np.int32), np.ones(len(keys)), keys))
    markers = Markers(np.empty(0), (), (), ())
    return Scene(Config(), {"s": history}, {"s": {}}, names, series, markers)


def part(compared=True, **where):
    return Segment(where=where, share=0.75, lift=3.0, compared=compared)


def inside(around, *segments, signal="ttft"):
    return _inside(around, alarm(signal), segments, FIRST, LAST)


@pytest.mark.parametrize("replica", REPLICAS)
@pytest.mark.parametrize("more", [{}, {"tenant": "chat"}])
def test_causes_are_looked_for_in_the_replica_that_was_hit_hardest(replica, more):
    found = inside(scene(), part(replica=replica, **more), part(replica="other"))
    np.testing.assert_allclose(found.excess, np.repeat([0.0, HIT[replica]], ONSET - FIRST))
    assert [dict(series.labels) for series in found.series.ids()] == [{"pod": replica}]
    assert [f"replica={replica}" in note for note in found.notes] == [True]


def test_slow_requests_are_looked_at_by_how_slow_they_are():
    found = inside(scene(signal="ttft_tail"), part(replica="a"), signal="ttft_tail")
    np.testing.assert_allclose(found.excess, np.repeat([0.0, HIT["a"]], ONSET - FIRST))


def test_all_is_looked_at_where_it_is_not_clear_that_one_replica_was_hit():
    around = scene()
    nobody, a_tenant = inside(around), inside(around, part(tenant="chat"), part(replica="a"))
    not_compared = inside(around, part(compared=False, replica="a"))
    for found in (nobody, a_tenant, not_compared):
        np.testing.assert_allclose(found.excess, np.repeat([-0.125, 0.375], ONSET - FIRST))
        assert found.series is around.series
        assert found.notes == ()


def test_all_is_looked_at_where_the_pod_exposes_nothing():
    around = scene(pods=("b",))
    found = inside(around, part(replica="a"))
    assert found.series is around.series
    assert found.notes == ()


def test_all_is_looked_at_where_the_replica_had_no_requests_before():
    around = scene(of=lambda: sums(first=ONSET))
    found = inside(around, part(replica="a"))
    assert found.series is around.series
    assert found.notes == ()


def test_a_signal_that_moves_after_the_last_tick_is_told_from_its_onset_on():
    around, clock = scene(), Clock(5.0, 10.0)
    found = _finding(alarm(), around, clock, ONSET - 5)  # another signal was back five ticks before
    assert found == _finding(alarm(), around, clock, ONSET)
    assert found.onset == clock.at(ONSET)
    assert found.after == pytest.approx(2 * np.exp(0.5))
    assert found.before == pytest.approx(2.0)

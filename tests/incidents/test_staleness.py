"""Metrics that stop coming."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.incidents.staleness import Staleness

EPOCH = 24


def samples(names, source, times, **more):
    keys = tuple(SeriesKey(name, (("instance", source), *more.items())) for name in names)
    at = np.tile(times, len(keys))
    return Metrics(at, np.repeat(np.arange(len(keys)), len(times)).astype(np.int32), np.ones(len(at)), keys)


def every(seconds, until=3000.0, without=()):
    at = np.arange(0.0, until, seconds)
    return at[~np.any([(at >= a) & (at < b) for a, b in without], axis=0)] if without else at


def watched(batches, ticks=600):
    staleness, lost, back = Staleness(5.0), [], []
    for batch in batches:
        staleness.add(batch)
    for last in range(EPOCH - 1, ticks, EPOCH):
        stale, returned = staleness.advance(last)
        lost += [(last, s) for s in stale]
        back += [(last, r) for r in returned]
    return lost, back


def test_regular_scrapes_are_quiet():
    assert watched([samples(["a", "b"], "x", every(15.0))]) == ([], [])


def test_an_exporter_that_stops_is_one_story_with_its_onset():
    names = [f"m{k}" for k in range(200)]
    lost, back = watched([samples(names, "x", every(15.0, without=[(1500.0, 9e9)])), samples(["up"], "x", every(15.0))])
    assert len(lost) == 1
    last, stale = lost[0]
    assert (stale.source, len(stale.names), stale.of, stale.every) == ("instance=x", 200, 201, 15.0)
    assert stale.onset == 300
    assert last - 300 <= 18 + 2 * EPOCH
    assert back == []


def test_it_comes_back_with_more_than_one_sample():
    at = every(15.0, without=[(1500.0, 2400.0)])
    stray = np.sort(np.append(at, 2000.0))
    for times in (at, stray):
        lost, back = watched([samples(["a"], "x", times)])
        assert [s.onset for _, s in lost] == [300]
        assert [name for _, name in back] == [("instance=x", "a")]
        assert 5 * back[0][0] >= 2400


def test_a_short_gap_is_nothing():
    assert watched([samples(["a"], "x", every(15.0, without=[(1500.0, 1575.0)]))]) == ([], [])
    assert watched([samples(["a"], "x", every(60.0, without=[(1500.0, 1740.0)]))]) == ([], [])


def test_what_comes_irregularly_is_allowed_its_gaps():
    at = np.concatenate([every(5.0, 50.0), 350.0 + every(5.0, 100.0), 1000.0 + every(5.0, 100.0), [1700.0]])
    assert watched([samples(["a"], "x", at)], ticks=340)[0] == []


def test_a_roll_out_replaces_and_other_labels_come_and_go():
    old, new = every(15.0, 1500.0), every(15.0)[100:]
    assert watched([samples(["a", "b"], "x", old), samples(["a", "b"], "y", new)])[0] == []
    assert watched([samples(["a"], "x", old, version="1"), samples(["a"], "x", new, version="2")])[0] == []


def test_few_samples_say_nothing():
    assert watched([samples(["a"], "x", every(15.0, 200.0))])[0] == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), pieces=st.integers(1, 30))
def test_neither_cuts_nor_order_leave_a_trace(seed, pieces):
    whole = samples(["a", "b", "c"], "x", every(15.0, without=[(1500.0, 2300.0)]))
    order = np.random.default_rng(seed).permutation(len(whole))
    parts = [Metrics(whole.at[p], whole.series[p], whole.value[p], whole.keys) for p in np.array_split(order, pieces)]
    assert watched(parts) == watched([whole])


def test_series_without_end_are_bounded():
    staleness = Staleness(5.0)
    for k in range(6):
        staleness.add(samples([f"m{k}_{j}" for j in range(1000)], "x", np.array([1.0])))
    staleness.advance(23)
    assert (len(staleness.units), len(staleness.last), staleness.refused) == (4096, 4096, 6000 - 4096)

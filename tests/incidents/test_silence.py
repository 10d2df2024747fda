"""Traffic that vanishes, judged by the stream's own silences."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.incidents import log_loss_threshold
from driftwatch.incidents.silence import Silence

EPOCH, DAY = 24, 17_280
MONTH = log_loss_threshold(Config())


def watched(counts, threshold=MONTH, cuts=()):
    """Run over counts, cut at epochs and wherever else; openings and returns as (onset, opened, ended)."""
    silence, found = Silence(threshold), []
    edges = sorted({0, len(counts), *range(0, len(counts), EPOCH), *(c for c in cuts if c < len(counts))})
    for a, b in pairwise(edges):
        opened = silence.update(counts[a:b], a, judge=a >= 240)
        if opened is not None:
            found.append([silence.lost, opened, None])
        if b % EPOCH == 0:
            ended = silence.back(EPOCH) if silence.lost is not None else None
            if ended is not None:
                found[-1][2] = ended
                silence.resume(ended)
            silence.learn()
    return silence, found


def rates(name, n):
    day = np.sin(2 * np.pi * np.arange(n) / DAY)
    return {
        "1 a minute": np.full(n, 1 / 12),
        "5 a minute": np.full(n, 5 / 12),
        "20 a second": np.full(n, 100.0),
        "nights at a twentieth": 5.0 * np.exp(1.5 * day),
        "nights at 1 in 20 minutes": np.exp(1.5 * day) / 54,
    }[name]


@pytest.mark.parametrize(
    "name", ["1 a minute", "5 a minute", "20 a second", "nights at a twentieth", "nights at 1 in 20 minutes"]
)
def test_healthy_streams_of_a_week_are_quiet(name):
    counts = np.random.default_rng(7).poisson(rates(name, 7 * DAY))
    assert watched(counts)[1] == []


@pytest.mark.parametrize("name", ["1 a minute", "5 a minute", "nights at 1 in 20 minutes"])
def test_the_run_length_is_kept_where_false_alarms_can_be_counted(name):
    run_length, n = 2_000, 100_000
    counts = np.random.default_rng(11).poisson(rates(name, n))
    assert len(watched(counts, math.log(run_length))[1]) <= n / run_length


def test_stalls_that_last_are_learnt():
    rng, counts = np.random.default_rng(2), np.random.default_rng(3).poisson(5.0, 4 * DAY)
    for at in rng.integers(0, len(counts), 400):
        counts[at : at + 1 + int(rng.exponential(3.0))] = 0
    silence, found = watched(counts)
    assert silence.bound > 1.5 * MONTH
    assert all(opened < 6000 for _, opened, _ in found)  # before there were 32 of them


@pytest.mark.parametrize(("name", "at_most_s"), [("20 a second", 30), ("5 a minute", 600), ("1 a minute", 2400)])
def test_what_stops_is_noticed_in_time(name, at_most_s):
    counts = np.random.default_rng(5).poisson(rates(name, DAY))
    stop = int(np.flatnonzero(counts)[-1]) + 1
    _, found = watched(np.concatenate([counts[:stop], np.zeros(1000, np.int64)]))
    assert [(f[0], f[2]) for f in found] == [(stop, None)]
    assert 15 <= 5 * (found[0][1] - stop + 1) <= at_most_s


def test_three_minutes_are_nothing_at_one_request_a_minute():
    counts = np.random.default_rng(5).poisson(1 / 12, DAY)
    counts[9000:9036] = 0
    assert watched(counts)[1] == []


def test_a_burst_does_not_make_the_silence_after_it_suspicious():
    rng = np.random.default_rng(4)
    counts = rng.poisson(1 / 12, 2 * DAY)
    counts[rng.integers(0, len(counts), 60)] += 500
    assert watched(counts)[1] == []


def test_a_stray_request_is_no_return():
    counts = np.full(1200, 20)
    counts[600:900] = 0
    counts[[650, 700, 720]] = 1
    _, found = watched(counts)
    assert [(f[0], f[2]) for f in found] == [(600, 900)]


def test_nights_without_traffic_become_a_habit():
    day = np.full(600, 10)
    counts = np.tile(np.concatenate([day, np.zeros(300, np.int64)]), 14)
    _, found = watched(counts)
    assert [f[0] for f in found] == [600 + 900 * k for k in range(8)]


def test_it_is_noticed_again_after_it_came_back():
    counts = np.full(1500, 20)
    counts[500:560] = counts[1000:1060] = 0
    assert [(f[0], f[2]) for f in watched(counts)[1]] == [(500, 560), (1000, 1060)]


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 1500), max_size=30), seed=st.integers(0, 99))
def test_cuts_leave_no_trace(cuts, seed):
    counts = np.random.default_rng(seed).poisson(0.5, 1500)
    counts[600:700] = 0
    whole, found = watched(counts)
    parts, again = watched(counts, cuts=cuts)
    assert again == found
    assert (parts.bound, parts.hazard, parts.last) == (whole.bound, whole.hazard, whole.last)
    np.testing.assert_array_equal(parts.runs, whole.runs)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1, 10**9]), min_size=300, max_size=700))
def test_memory_and_numbers_stay_sane(counts):
    silence, _ = watched(np.array(counts))
    assert math.isfinite(silence.bound)
    assert silence.hazard >= 0
    assert len(silence.counts) <= 2880


def test_a_silence_longer_than_what_is_kept():
    silence = Silence(400.0)
    counts = np.random.default_rng(0).poisson(0.1, 3000)
    for k in range(0, 9600, EPOCH):
        opened = silence.update(np.append(counts, np.zeros(6600, np.int64))[k : k + EPOCH], k, judge=True)
        silence.learn()
        if opened is not None:
            break
    assert silence.lost == np.flatnonzero(counts)[-1] + 1
    assert opened - silence.lost > 2880


def test_a_pause_that_is_passed_over_counts_as_silence():
    silence = Silence(MONTH)
    for k in range(0, 600, EPOCH):
        silence.update(np.full(EPOCH, 5), k, judge=True)
        silence.learn()
    assert silence.update(np.full(EPOCH, 0), 10**7, judge=True) == 10**7
    assert silence.lost == 600

"""Requests that began and do not end."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.events.columns import concat_requests, requests_of
from driftwatch.incidents import log_loss_threshold
from driftwatch.incidents.hanging import Hanging
from driftwatch.ticks import TickBuilder

MONTH = log_loss_threshold(Config())
EPOCH = 24


def flow(hangs, *, seed=0, ticks=600, rate=10, announce=True, ends_at=None):
    """Requests of which those with ``hangs(tick, u)`` do not end (or end only at ``ends_at``)."""
    rng = np.random.default_rng(seed)
    began = np.sort(rng.uniform(0, 5.0 * ticks, rng.poisson(rate * ticks)))
    n = len(began)
    hung = hangs(began / 5.0, rng.random(n))
    ended = began + rng.exponential(6.0, n)
    ended = np.where(hung, np.nan if ends_at is None else ends_at, ended)
    ids = np.arange(1, n + 1)
    done = requests_of(n, started_at=began, completed_at=ended, id_hash=ids)
    starts = requests_of(n, started_at=began, id_hash=ids)
    both = concat_requests([done.take(~np.isnan(ended)), starts] if announce else [done])
    return both.take(np.argsort(both.at, kind="stable"))


def watched(requests, ticks=600, cuts=(), judge_from=240):
    builder, hanging, found = TickBuilder(Config()), Hanging(MONTH), []
    builder.add(requests)
    whole = builder.close(ticks)
    edges = sorted({*range(0, ticks + 1, EPOCH), *(c for c in cuts if c < ticks)})
    for a, b in pairwise(edges):
        opened = hanging.update(whole.between(a, b - 1), b - 1, judge=a >= judge_from)
        if opened is not None:
            found.append([hanging.lost, opened, None, hanging.opened_with])
        if b % EPOCH == 0:
            ended = hanging.back()
            if ended is not None:
                found[-1][2] = ended
                hanging.resume()
            hanging.learn()
    return hanging, found


def test_requests_that_all_end_are_quiet():
    assert watched(flow(lambda tick, u: u < 0))[1] == []


def test_an_engine_that_hangs_is_noticed_and_its_end_too():
    hanging, found = watched(flow(lambda tick, u: (tick > 300) & (tick < 330)))
    assert len(found) == 1
    onset, opened, ended, (count, of) = found[0]
    assert onset == 300
    assert 0 < opened - onset - hanging.limit <= 6
    assert abs(ended - 330) <= 1
    assert 0 < count <= of


def test_rows_that_were_written_at_the_start_only_where_no_end_came():
    assert [f[0] for f in watched(flow(lambda tick, u: (tick > 300) & (u < 0.3), announce=False))[1]] == [300]


def test_the_usual_loss_of_ends_is_learnt():
    assert watched(flow(lambda tick, u: u < 0.08))[1] == []


def test_one_tick_is_not_enough():
    assert watched(flow(lambda tick, u: (tick > 300) & (tick < 301), rate=500))[1] == []


def test_sparse_traffic():
    found = watched(flow(lambda tick, u: tick > 3000, rate=0.5, ticks=3600), 3600)[1]
    assert [f[2] for f in found] == [None]
    assert 2999 <= found[0][0] <= 3010
    assert found[0][1] < 3200


def test_ends_that_come_late_are_taken_back():
    requests = flow(lambda tick, u: (tick > 300) & (tick < 320), ends_at=2500.0)
    builder, hanging = TickBuilder(Config()), Hanging(MONTH)
    builder.add(requests)
    whole = builder.close(600)
    for a in range(0, 528, EPOCH):
        hanging.update(whole.between(a, a + EPOCH - 1), a + EPOCH - 1, judge=a >= 240)
        hanging.learn()
    assert hanging.lost == 300
    assert hanging.late == hanging.count > 100


def test_without_ids_nothing_is_claimed():
    requests = flow(lambda tick, u: tick > 300)
    nameless = requests_of(len(requests), started_at=requests.started_at, completed_at=requests.completed_at)
    assert watched(nameless)[1] == []


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 600), max_size=20), share=st.floats(0.02, 1.0))
def test_cuts_leave_no_trace(cuts, share):
    requests = flow(lambda tick, u: (tick > 300) & (tick < 400) & (u < share))
    whole, found = watched(requests)
    parts, again = watched(requests, cuts=cuts)
    assert again == found
    assert (parts.healthy, parts.limit, parts.share, parts.count) == (
        whole.healthy,
        whole.limit,
        whole.share,
        whole.count,
    )
    assert math.isclose(parts.evidence, whole.evidence, rel_tol=1e-9, abs_tol=1e-9)


def test_wild_clocks_do_not_grow_it():
    wild = requests_of(
        300, started_at=np.full(300, -1e12), completed_at=np.linspace(0.0, 2900.0, 300), id_hash=np.arange(1, 301)
    )
    hanging, found = watched(wild)
    assert found == []
    assert len(hanging.begun) < 20_000

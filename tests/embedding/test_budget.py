from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.embedding import Sampler
from driftwatch.embedding.budget import _STREAMS, _level
from driftwatch.events.columns import Coded

TICK = 5.0
NAMES = ["a", "b", "c", None]
ROW = st.tuples(st.integers(0, 12), st.sampled_from(NAMES), st.integers(0, 2**64 - 1))


def take(sampler, rows):
    at = np.array([TICK * tick + 1.0 for tick, _, _ in rows], float)
    ids = np.array([request for _, _, request in rows], np.uint64)
    return sampler.take(at, Coded.of([name for _, name, _ in rows]), ids).tolist()


def traffic(ticks, seed=0, **per_tick):
    """Rows of streams with so many requests a tick, ids at random."""
    rng = np.random.default_rng(seed)
    rows = [(tick, name, 0) for tick in range(ticks) for name, n in per_tick.items() for _ in range(rng.poisson(n))]
    return [(tick, name, int(rng.integers(1, 2**63))) for tick, name, _ in rows]


def taken_by(rows, kept, name):
    return sum(keep for (_, stream, _), keep in zip(rows, kept, strict=True) if stream == name)


@settings(max_examples=60)
@given(st.lists(ROW, max_size=150), st.randoms(use_true_random=False), st.lists(st.integers(0, 150), max_size=5))
def test_cutting_and_the_order_within_a_tick_change_nothing(rows, random, cuts):
    rows = sorted(rows, key=lambda row: row[0])
    shuffled = sorted(random.sample(rows, len(rows)), key=lambda row: row[0])
    whole = dict(zip(rows, take(Sampler(1.0, 3.0), rows), strict=True))
    sampler = Sampler(1.0, 3.0)
    edges = [0, *sorted(cuts), len(rows)]
    parts = [
        (row, keep)
        for a, b in pairwise(edges)
        for part in [shuffled[a:b]]
        for row, keep in zip(part, take(sampler, part), strict=True)
    ]
    assert [whole[row] for row, _ in parts] == [keep for _, keep in parts]


@settings(max_examples=60)
@given(st.lists(ROW, max_size=200), st.sampled_from([0.1, 1.0, 20.0]), st.sampled_from([0.0, 2.0, 50.0]))
def test_what_is_taken_is_paid_for_or_owed(rows, rate, burst):
    rows = sorted(rows, key=lambda row: row[0])
    sampler = Sampler(rate, burst)
    taken = sum(take(sampler, rows))
    ticks = rows[-1][0] - rows[0][0] + 1 if rows else 0
    accounts = sampler._accounts.values()
    owed = sum(max(account.owed + account.taken - account.grant, 0.0) for account in accounts)
    assert taken <= max(burst, rate * TICK) + rate * TICK * ticks + owed + 1e-6
    assert all(account.chance == 0 for account in accounts if account.owed > 0)


def test_the_budget_is_kept_and_used():
    rows = traffic(400, a=100, b=30)
    kept = take(Sampler(2.0, 0.0), rows)
    assert sum(kept) == pytest.approx(2.0 * TICK * 400, rel=0.05)


def test_a_budget_that_suffices_takes_all_but_the_first_tick():
    rows = traffic(50, a=20, b=1)
    kept = take(Sampler(100.0), rows)
    first = {name: min(tick for tick, stream, _ in rows if stream == name) for name in "ab"}
    assert kept == [tick > first[name] for tick, name, _ in rows]


def test_a_quiet_stream_is_not_starved_and_busy_ones_share_equally():
    rows = traffic(300, quiet=1, busy=200, busier=800)
    kept = take(Sampler(4.0), rows)
    quiet, busy, busier = (taken_by(rows, kept, name) for name in ("quiet", "busy", "busier"))
    assert quiet > 0.95 * sum(stream == "quiet" for _, stream, _ in rows)
    assert busy == pytest.approx(busier, rel=0.15)
    assert busy == pytest.approx(300 * (20 - 1) / 2, rel=0.1)


def test_a_rare_stream_is_taken_once_it_is_known():
    rows = sorted(
        traffic(600, busy=100) + [(tick, "rare", 10**6 + tick) for tick in range(0, 600, 100)], key=lambda row: row[0]
    )
    assert taken_by(rows, take(Sampler(2.0), rows), "rare") == 5


def test_a_stream_that_grows_pays_alone():
    rows = sorted(traffic(40, seed=1, a=8, b=8) + [(20, "b", 10**6 + k) for k in range(400)], key=lambda row: row[0])
    kept = take(Sampler(4.0), rows)
    late = [(row, keep) for row, keep in zip(rows, kept, strict=True) if row[0] > 21]
    assert not any(keep for (_, name, _), keep in late if name == "b")
    assert np.mean([keep for (_, name, _), keep in late if name == "a"]) > 0.9


def test_a_quiet_time_saves_up_no_more_than_the_burst():
    busy = [(tick, "a", 1000 * tick + k + 1) for tick in (0, 1, 1000, 1001) for k in range(500)]

    def after(burst):
        kept = take(Sampler(1.0, burst), busy)
        taken = dict.fromkeys((0, 1, 1000, 1001), 0)
        for (tick, _, _), keep in zip(busy, kept, strict=True):
            taken[tick] += keep
        return taken[0], taken[1], taken[1000] + taken[1001]

    assert after(0.0) == pytest.approx([0, 10, 15], abs=12)
    assert after(200.0) == pytest.approx([0, 205, 205], abs=45)


def test_idle_ticks_are_income_up_to_the_burst():
    sampler = Sampler(1.0, 30.0)
    take(sampler, traffic(40, a=300))
    sampler.take(np.array([TICK * 10_000]), Coded.constant("a", 1), np.array([5], np.uint64))
    assert sampler._spare + sum(account.grant + account.owed for account in sampler._accounts.values()) <= 30.0 + TICK


def test_the_sample_is_the_same_for_another_sampler_and_not_the_same_ids_throughout():
    rows = [(tick, "a", k + 1) for tick in range(30) for k in range(100)]
    kept = take(Sampler(2.0), rows)
    assert kept == take(Sampler(2.0), rows)
    shares = np.array(kept).reshape(30, 100)[1:].mean()
    assert shares == pytest.approx(0.1, abs=0.05)


def test_what_is_late_or_has_no_time_belongs_to_the_newest_tick():
    times = np.array([0.0, 5.0, 1.0, np.nan, np.inf, 9.0])
    sampler = Sampler(100.0)
    kept = sampler.take(times, Coded.constant("a", 6), np.arange(1, 7, dtype=np.uint64))
    assert kept.tolist() == [False, True, True, True, True, True]
    assert sampler._accounts["a"].came == 5


def test_without_an_id_the_time_decides():
    at = np.sort(np.random.default_rng(3).uniform(0, 500, 5000))
    kept = Sampler(2.0).take(at, Coded.constant("a", 5000), np.zeros(5000, np.uint64))
    by_tick = [kept[at // TICK == tick].mean() for tick in range(1, 100)]
    assert np.mean(by_tick) == pytest.approx(0.2, abs=0.02)
    assert np.mean([share == 0 for share in by_tick]) < 0.1  # not all or nothing
    assert max(by_tick) < 0.6


def test_memory_is_bounded():
    names = [f"s{k}" for k in range(3 * _STREAMS)]
    sampler = Sampler(1.0)
    sampler.take(np.zeros(len(names)), Coded.of(names), np.arange(len(names), dtype=np.uint64))
    sampler.take(np.array([10.0]), Coded.of(["s"]), np.array([1], np.uint64))
    assert len(sampler._accounts) <= _STREAMS + 1


@given(st.lists(st.floats(0, 1e6), max_size=9), st.floats(0, 1e6))
def test_water_fills_to_one_level(wants, budget):
    level = _level(np.array(wants), budget)
    filled = np.minimum(wants, level).sum()
    assert filled == pytest.approx(min(sum(wants), budget), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "burst"), [(0.0, 0.0), (-1.0, 0.0), (1.0, -1.0), (float("nan"), 0.0), (float("inf"), 0.0)]
)
def test_a_budget_of_nothing_is_refused(rate, burst):
    with pytest.raises(ValueError, match="documents a second"):
        Sampler(rate, burst)

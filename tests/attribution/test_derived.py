"""Candidates that follow from what an engine does: a cap that is reached is told from a cache that is full."""

import numpy as np
import pytest

from driftwatch.attribution.causes.derived import concurrency_cap
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.ticks.series import SeriesStore

NAMES = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
N = 40


def store_of(*engines, names=NAMES):
    """Engines by the columns of what they run, what waits and how full their cache is; a sample a tick."""
    store = SeriesStore(5.0, 1000)
    for pod, columns in enumerate(engines):
        keys = tuple(SeriesKey(name, (("pod", str(pod)),)) for name in names)
        at, code = np.repeat(5.0 * np.arange(N), len(names)), np.tile(np.arange(len(names), dtype=np.int32), N)
        store.add(Metrics(at, code, np.stack(columns, axis=1).ravel().astype(float), keys))
    return store


def engine(cap=20, *, demand=None, use=0.3, running=None):
    """One with a cap: what is asked for beyond it waits."""
    asked = np.linspace(0, 2 * cap, N) if demand is None else demand
    runs = np.minimum(asked, cap) if running is None else running
    return [runs, np.maximum(asked - runs, 0.0), np.broadcast_to(use, N)]


def test_what_waits_at_a_cap_is_a_share_of_all_requests():
    found = concurrency_cap(store_of(engine()), 0, N - 1)
    assert (found.name, found.role, found.unit) == ("concurrency_cap", "mechanism", "share")
    asked = np.linspace(0, 40, N)
    assert found.values == pytest.approx(np.maximum(asked - 20, 0) / np.maximum(asked, 20), abs=1e-9)


@pytest.mark.parametrize("use", [0.92, 1.0])
def test_with_a_full_cache_it_is_memory_that_keeps_them_waiting(use):
    assert concurrency_cap(store_of(engine(use=use)), 0, N - 1) is None


def test_a_queue_beside_free_slots_is_no_cap():
    rng = np.random.default_rng(0)
    asked = np.linspace(0, 40, N)
    assert concurrency_cap(store_of(engine(demand=asked, running=asked * rng.uniform(0.2, 0.7, N))), 0, N - 1) is None


def test_without_a_queue_there_is_no_cap():
    assert concurrency_cap(store_of(engine(demand=np.linspace(0, 19, N))), 0, N - 1) is None


def test_a_peak_of_a_moment_is_no_plateau():
    demand = np.where(np.arange(N) == 30, 25.0, 10.0)
    assert concurrency_cap(store_of(engine(demand=demand)), 0, N - 1) is None


@pytest.mark.parametrize("left_out", NAMES)
def test_what_is_not_measured_says_nothing(left_out):
    columns = dict(zip(NAMES, engine(), strict=True))
    names = tuple(name for name in NAMES if name != left_out)
    assert concurrency_cap(store_of([columns[name] for name in names], names=names), 0, N - 1) is None


def test_the_worst_of_several_engines_counts_each_with_its_own_cap():
    idle, busy = engine(cap=50, demand=np.full(N, 10.0)), engine(cap=4)
    found = concurrency_cap(store_of(idle, busy), 0, N - 1)
    assert found.values.max() == pytest.approx(0.5)
    assert concurrency_cap(store_of(idle), 0, N - 1) is None


def test_nothing_after_the_last_tick_is_looked_at():
    assert concurrency_cap(store_of(engine()), 0, 15) is None

"""The chapters on memory and on tokens, against what a simulated engine did in truth."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import driftwatch as dw
from driftwatch.attribution.memory.chapter import memory_of
from driftwatch.attribution.memory.gpus import paging_of, takers_of
from driftwatch.attribution.memory.leaks import forecast, forecasts_of
from driftwatch.attribution.scene import Scene
from driftwatch.config import Config
from driftwatch.events.columns import Markers, Metrics, SeriesKey
from driftwatch.simulate import simulate
from driftwatch.ticks import Names
from driftwatch.ticks.series import SeriesStore

PRICED = Config.parse({"economics": {"gpu_hour": 3.6}})
GIB = 2.0**30


@pytest.fixture(scope="module")
def happened():
    """A simulated recording and its incident, by scenario; each is made once."""
    made = {}

    def of(name, seed=1, severity="severe"):
        if (name, seed) not in made:
            recorded = simulate(name, severity=severity, seed=seed, minutes=30)
            scanned = dw.scan(recorded.requests, metrics=recorded.metrics, markers=recorded.markers, config=PRICED)
            made[name, seed] = SimpleNamespace(run=recorded.run, incident=scanned.incidents[0])
        return made[name, seed]

    return of


def computed_again(run):
    """Prompt tokens computed beyond what the first admission of each request asked for."""
    begun = ~np.isnan(run.outcomes.scheduled_at)
    asked = run.traffic.prompt_tokens[begun] - run.outcomes.cached_tokens[begun]
    return sum(steps.prefilled.sum() for steps in run.steps) - asked.sum()


def ended(run, first, last, finish=None):
    outcomes = run.outcomes
    inside = (outcomes.completed_at >= first) & (outcomes.completed_at < last)
    return float(outcomes.generated[inside & (finish is None or outcomes.finish == finish)].sum()) / (last - first)


@pytest.mark.parametrize(("name", "seed"), [("kv_hog", 1), ("kv_hog", 2), ("preemption_cliff", 1)])
def test_preemptions_are_counted_and_what_they_cost_is_within_the_range(happened, name, seed):
    case = happened(name, seed)
    memory = case.incident.memory
    preempted = sum(steps.preempted.sum() for steps in case.run.steps)
    assert memory.preempted == pytest.approx(preempted, rel=0.1)
    least, most = memory.recomputed
    assert least <= computed_again(case.run) <= 1.1 * most
    assert most < 4 * least
    assert memory.kv_full > 0
    assert memory.kv_free < 0.1
    assert "preemptions since the onset" in case.incident.explain()


@pytest.mark.parametrize(("name", "seed"), [("kv_hog", 1), ("kv_hog", 2), ("preemption_cliff", 1)])
def test_generated_and_cut_tokens_are_those_of_the_engine(happened, name, seed):
    case = happened(name, seed)
    found, onset = case.incident.economics, case.incident.onset.timestamp()
    before, after = found.seconds
    assert found.generated[0] == pytest.approx(ended(case.run, onset - before, onset), rel=0.005)
    assert found.generated[1] == pytest.approx(ended(case.run, onset, onset + after), rel=0.005)
    cut = next(waste for waste in found.wasted if waste.what == "cut")
    assert cut.after[0] == pytest.approx(ended(case.run, onset, onset + after, finish=1), rel=0.05)
    low, high = found.useful_after
    assert high == pytest.approx(found.generated[1])
    assert low == pytest.approx(high - cut.after[0])


def test_the_price_of_useful_tokens_follows_from_that_of_a_gpu(happened):
    found = happened("kv_hog").incident.economics
    assert found.gpus == 2.0  # a replica each
    low, high = found.cost_after  # 3.6 an hour and GPU: a thousandth a second
    assert low == pytest.approx(2.0 / found.useful_after[1])
    assert high == pytest.approx(2.0 / found.useful_after[0])
    assert "1,000 useful tokens cost" in happened("kv_hog").incident.explain()


def test_a_queue_at_the_cap_is_said_not_to_be_memory(happened):
    memory = happened("queue_overload").incident.memory
    assert memory.at_cap > 0.5
    assert memory.kv_free > 0.5
    assert not memory.preempted
    words = happened("queue_overload").incident.explain()
    assert "The KV cache had room" in words
    assert "not memory" in words


def test_pages_that_move_are_told_from_a_slower_clock(happened):
    paging = happened("vram_overcommit").incident.memory.paging
    assert len(paging) == 2
    assert all(each.power[1] < 0.9 * each.power[0] and each.utilization > 0.9 for each in paging)
    assert "pages of over-committed memory" in happened("vram_overcommit").incident.explain().replace(
        "\n" + " " * 21, " "
    )
    assert happened("throttled_gpu").incident.memory.paging == ()
    assert happened("kv_hog").incident.memory.paging == ()


def scene_of(*series, ticks=480):
    """A scene that has nothing but series: (name, labels, values by tick)."""
    store = SeriesStore(5.0, 100_000)
    keys = tuple(SeriesKey(name, tuple(sorted(labels.items()))) for name, labels, _ in series)
    at = np.tile(2.0 + 5.0 * np.arange(ticks), len(series))
    values = [np.broadcast_to(np.asarray(value, float), ticks) for _, _, value in series]
    code = np.repeat(np.arange(len(series), dtype=np.int32), ticks)
    store.add(Metrics(at, code, np.concatenate(values) if values else np.empty(0), keys))
    return Scene(Config(), {}, {}, Names((), 1), store, Markers(np.empty(0), (), (), ()))


def test_a_leak_of_host_memory_is_seen_before_it_does_harm():
    recorded = simulate("host_memory_leak", severity="severe", seed=2, minutes=60)
    store = SeriesStore(5.0, 100_000)
    store.add(recorded.metrics)
    scene = Scene(Config(), {}, {}, Names((), 1), store, Markers(np.empty(0), (), (), ()))
    first, onset = (int(at // 5) for at in (recorded.case.start, recorded.case.course.onset))
    early = first + (onset - first) * 3 // 4
    told = {found.name: found for found in forecasts_of(scene, first, early)}
    assert "host_memory" in told
    soon, late = told["host_memory"].runs_out_in_s
    assert soon <= late
    assert soon / 5 < 2 * (onset - early)  # at the onset 88% of what was free is gone


@given(hours=st.floats(0.5, 100.0), noise=st.floats(0.0, 0.01), down=st.booleans(), seed=st.integers(0, 100))
def test_what_grows_steadily_runs_out_when_it_is_said_to(hours, noise, down, seed):
    """A line that reaches its limit so many hours after the last tick."""
    t = np.arange(720) * 5.0
    end = t[-1] + hours * 3600.0
    if t[-1] / end < 0.06:
        return  # too little of it has been seen
    values = t / end + noise * (t[-1] / end) * np.random.default_rng(seed).normal(size=len(t))
    found = forecast("x", "", 1.0 - values if down else values, 0.0 if down else 1.0, 5.0)
    assert found is not None
    soon, late = found.runs_out_in_s
    assert soon * 0.8 - 300 <= hours * 3600.0 <= late * 1.25 + 300


def test_what_only_wanders_or_jumps_is_no_leak(made):
    rng = np.random.default_rng(5)
    told = [forecast("x", "", 0.5 + 0.05 * made.remembering(720, 0.9, rng), 1.0, 5.0) for _ in range(200)]
    assert sum(found is not None for found in told) <= 6
    jumped = np.r_[np.full(360, 0.3), np.full(360, 0.8)] + 0.01 * rng.normal(size=720)
    assert forecast("x", "", jumped, 1.0, 5.0) is None
    assert forecast("x", "", np.full(720, 0.5), 1.0, 5.0) is None
    assert forecast("x", "", np.full(720, np.nan), 1.0, 5.0) is None


def test_who_took_memory_of_the_gpu_since_the_onset_is_named():
    gpu, since = {"gpu": "GPU-1"}, np.arange(480) >= 240
    engine = ("nvml_process_memory_used_bytes", {**gpu, "process": "vllm"}, 60 * GIB)
    other = ("nvml_process_memory_used_bytes", {**gpu, "process": "train"}, np.where(since, 9 * GIB, 1 * GIB))
    whole = ("nvml_memory_used_bytes", gpu, np.where(since, 69 * GIB, 61 * GIB))
    found = takers_of(scene_of(engine, other, whole).series, 0, 240, 479)
    assert [(taker.who, taker.before, taker.after) for taker in found] == [("train", 1 * GIB, 9 * GIB)]
    (unknown,) = takers_of(scene_of(whole).series, 0, 240, 479)
    assert unknown.who == ""
    new = ("nvml_process_memory_used_bytes", {**gpu, "process": "new"}, np.where(since, 2 * GIB, np.nan))
    assert [taker.before for taker in takers_of(scene_of(new).series, 0, 240, 479)] == [0.0]
    assert takers_of(scene_of(engine).series, 0, 240, 479) == ()


@pytest.mark.parametrize("change", ["power", "clock", "idle", "room"])
def test_less_power_is_paging_only_at_the_same_clock_when_busy_and_full(change):
    since, rng = np.arange(480) >= 240, np.random.default_rng(0)
    where = {"gpu": "0"}
    rows = {
        "DCGM_FI_DEV_POWER_USAGE": np.where(since, 200.0, 300.0) + rng.normal(0, 3, 480),
        "DCGM_FI_DEV_GPU_UTIL": np.where(since & (change == "idle"), 50.0, 99.0),
        "DCGM_FI_DEV_SM_CLOCK": np.where(since & (change == "clock"), 900.0, 1400.0),
        "DCGM_FI_DEV_FB_USED": 20_000.0 if change == "room" else 40_000.0,
        "DCGM_FI_DEV_FB_FREE": 21_000.0 if change == "room" else 1_000.0,
    }
    scene = scene_of(*((name, where, value) for name, value in rows.items()))
    assert bool(paging_of(scene.series, 0, 240, 479)) == (change == "power")


def test_the_size_of_the_cache_is_read_off_what_the_engine_says():
    usage = ("vllm:kv_cache_usage_perc", {"pod": "a"}, 0.5)
    config = ("vllm:cache_config_info", {"pod": "a", "num_gpu_blocks": "1000", "block_size": "16"}, 1.0)
    other = ("vllm:cache_config_info", {"pod": "b", "num_gpu_blocks": "None", "block_size": "16"}, 1.0)
    assert memory_of(scene_of(usage, config), 0, 240, 479).capacity == 16_000.0
    assert memory_of(scene_of(usage, config, other), 0, 240, 479).capacity is None
    assert memory_of(scene_of(usage), 0, 240, 479).capacity is None


def test_where_nothing_is_measured_there_is_no_chapter():
    assert memory_of(scene_of(), 0, 240, 479) is None
    assert memory_of(scene_of(("up", {}, 1.0)), 0, 240, 479) is None

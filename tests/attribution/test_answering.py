"""Answers that are worse at some times have causes of their own: the batch, the cache, the age of a process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from driftwatch.attribution.causes.answering import answering, engine_age
from driftwatch.attribution.restarts import restarts
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.incidents.models import Incident
from driftwatch.ticks.series import SeriesStore
from tests.traffic import START, traffic

TICKS, SINCE, WIDTH = 330, 200, 5.0
RUNNING, USE, BEGAN = "vllm:num_requests_running", "vllm:kv_cache_usage_perc", "process_start_time_seconds"
CONFIG = Config.parse({"text": {"scores": {"judge": "high"}}, "attribution": {"permutations": 299}})


def metrics(columns: dict[str, np.ndarray], **labels: str) -> Metrics:
    """A sample of each series in the middle of each tick."""
    keys = tuple(SeriesKey(name, tuple(labels.items())) for name in columns)
    at = np.repeat(START + WIDTH * (np.arange(TICKS) + 0.5), len(keys))
    return Metrics(at, np.tile(np.arange(len(keys), dtype=np.int32), TICKS), np.ravel([*columns.values()], "F"), keys)


def blocks(rng: np.random.Generator, low: float, high: float, length: int = 6) -> np.ndarray:
    """Levels that change every half minute."""
    return np.repeat(rng.uniform(low, high, TICKS // length + 1), length)[:TICKS]


def told(harm: np.ndarray, columns: dict[str, np.ndarray], seed: int, *, cached: np.ndarray | None = None) -> Incident:
    """The last record of what a score tells that is lower where harm was done."""
    requests, rng = traffic(seed, ticks=TICKS, rate=2.0), np.random.default_rng([seed, 1])
    tick = ((requests.at - START) // WIDTH).astype(int)
    judge = np.clip(rng.normal(0.8, 0.08, len(tick)) - harm[tick], 0.0, 1.0)
    if cached is not None:
        requests = replace(requests, cached_tokens=np.rint(cached[tick] * requests.prompt_tokens))
    engine = Engine(CONFIG, keep_series=True)
    engine.add(metrics(columns, pod="vllm-0"))
    engine.add(replace(requests, scores={"judge": judge}))
    found = engine.finish()
    assert found[-1].findings[0].signal == "score:judge"
    return found[-1]


def supported(incident: Incident) -> list[str]:
    return [cause.name for cause in incident.causes if cause.tier == "supported"]


SEEDS = range(6)


def busy(rng: np.random.Generator) -> np.ndarray:
    """Requests that run: few, and from the onset on sometimes many."""
    return np.where(np.arange(TICKS) >= SINCE, blocks(rng, 6.0, 48.0), blocks(rng, 6.0, 14.0)).round()


def test_answers_that_are_worse_in_large_batches_are_put_down_to_them_and_not_to_a_cache_with_room() -> None:
    right = 0
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 2])
        running = busy(rng)
        use = 0.012 * running + rng.normal(0.0, 0.01, TICKS)
        incident = told(0.008 * np.maximum(running - 14.0, 0.0), {RUNNING: running, USE: use}, seed)
        right += supported(incident) == ["concurrency"]
        assert "kv_cache_usage" not in supported(incident)
    assert right >= len(SEEDS) - 1
    assert "decoded at once" in incident.explain()
    assert "VLLM_BATCH_INVARIANT" in incident.explain()


def test_where_requests_fill_the_cache_it_is_the_cache_that_is_named() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 3])
        running = busy(rng)
        use = np.clip(running / 32.0 + rng.normal(0.0, 0.02, TICKS), 0.0, 1.0)
        incident = told(1.2 * np.maximum(use - 0.75, 0.0), {RUNNING: running, USE: use}, seed)
        names = [cause.name for cause in incident.causes]
        assert names[0] == "kv_cache_usage"
        assert "concurrency" not in names


def test_answers_that_are_worse_out_of_the_cache_are_put_down_to_it() -> None:
    right = 0
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 4])
        cached = np.where(np.arange(TICKS) >= SINCE, blocks(rng, 0.1, 0.9), blocks(rng, 0.1, 0.25))
        columns = {RUNNING: blocks(rng, 6.0, 14.0).round()}
        incident = told(0.3 * np.maximum(cached - 0.25, 0.0), columns, seed, cached=cached)
        right += supported(incident) == ["cached_share"]
    assert right >= len(SEEDS) - 1


def aging(every: int) -> np.ndarray:
    """When the process began: long ago, at the onset, and from then on again and again."""
    tick = np.arange(TICKS)
    anew = START + WIDTH * (SINCE + (tick - SINCE) // every * every)
    return np.where(tick >= SINCE, anew, START - 6000.0)


def test_answers_that_are_worse_the_older_the_process_are_put_down_to_its_age() -> None:
    right = 0
    for seed in SEEDS:
        rng, began = np.random.default_rng([seed, 5]), aging(24)
        age = START + WIDTH * np.arange(1, TICKS + 1) - began
        columns = {RUNNING: blocks(rng, 6.0, 14.0).round(), BEGAN: began}
        harm = np.where(np.arange(TICKS) >= SINCE, 0.002 * np.minimum(age, 120.0), 0.0)
        incident = told(harm, columns, seed)
        right += supported(incident) == ["engine_age"]
        assert [c.name for c in incident.causes].count("restart of vllm-0") == 1
    assert right >= len(SEEDS) - 1


def store_of(columns: dict[str, np.ndarray], **labels: str) -> SeriesStore:
    store = SeriesStore(WIDTH, 2 * TICKS)
    store.add(metrics(columns, **labels))
    return store


FIRST, LAST = int(START // WIDTH), int(START // WIDTH) + TICKS - 1
NOTHING = np.full(TICKS, np.nan)


@pytest.mark.parametrize(("every", "offered"), [(20, True), (40, True), (TICKS, False)])
def test_an_age_that_only_passes_with_time_is_no_candidate(every: int, offered: bool) -> None:
    found = answering(store_of({BEGAN: aging(every)}, pod="a"), NOTHING, FIRST, FIRST + SINCE, LAST)
    assert [c.name for c in found] == (["engine_age"] if offered else [])


def test_of_several_engines_the_mean_age_counts_and_not_that_of_an_exporter_beside_them() -> None:
    store = store_of({BEGAN: np.full(TICKS, START - 3600.0), RUNNING: np.ones(TICKS)}, pod="a")
    store.add(metrics({BEGAN: np.full(TICKS, START - 7200.0), RUNNING: np.ones(TICKS)}, pod="b"))
    store.add(metrics({BEGAN: np.full(TICKS, START - 9e6)}, pod="node-exporter"))
    assert engine_age(store, FIRST, FIRST + SINCE, LAST)[0] == pytest.approx(1.5, abs=0.01)


def test_a_restart_is_an_event_where_no_marker_tells_of_it() -> None:
    store = store_of({BEGAN: aging(70)}, pod="a")
    early, late = restarts(store, [], FIRST, LAST)
    assert (late.at_tick, late.kind, late.text) == (SINCE + 70, "restart", "restart of a")
    assert restarts(store, [SINCE + 60], FIRST, LAST) == [early]
    assert restarts(store, [SINCE], FIRST, LAST) == [late]


def test_a_restart_at_the_onset_is_named_and_proves_nothing() -> None:
    rng, tick = np.random.default_rng(0), np.arange(TICKS)
    began = np.where(tick >= SINCE, START + WIDTH * SINCE, START - 600.0)
    incident = told(np.where(tick >= SINCE, 0.2, 0.0), {RUNNING: blocks(rng, 6.0, 14.0), BEGAN: began}, 0)
    assert (incident.causes[0].name, incident.causes[0].tier) == ("restart of vllm-0", "consistent")
    assert [mark.kind for mark in incident.markers] == ["restart"]

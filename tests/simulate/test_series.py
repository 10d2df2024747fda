"""What replicas did, as the metrics that a deployment exposes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.events.catalogue import expected_series, resolve
from driftwatch.events.columns import Coded
from driftwatch.readers import Quarantine, read_metrics
from driftwatch.simulate.columns import ABORT, LENGTH, STOP, Outcomes, Steps, Traffic
from driftwatch.simulate.decoys import decoys
from driftwatch.simulate.engine_series import engine_series
from driftwatch.simulate.exposition import metrics_of, openmetrics, write_openmetrics
from driftwatch.simulate.machine_series import Machine, machine_series
from driftwatch.simulate.scrapes import Sampled, Sign, bent, by_pod, scrape_times, without
from driftwatch.simulate.settings import Settings, Timing

SETTINGS = Settings(Timing(2e-3, 2e-5, 1e-2, 1e-5, 1e-9, 1e-12), kv_blocks=100)
PLAN = [(0.0, SETTINGS)]
LABELS = {"model_name": "m", "pod": "a"}

# ten iterations of 20 ms with 3 sequences, a second of nothing, four iterations of 0.5 s with 2
STEPS = Steps(
    start=np.array([0.0, 0.2, 1.2]),
    duration=np.array([0.2, 1.0, 2.0]),
    iterations=np.array([10.0, 0.0, 4.0]),
    decoding=np.array([3.0, 0.0, 2.0]),
    running=np.array([4.0, 0.0, 2.0]),
    waiting=np.array([1.0, 0.0, 5.0]),
    blocks=np.array([10.0, 0.0, 20.0]),
    blocks_after=np.array([30.0, 0.0, 40.0]),
    kv_tokens=np.array([300.0, 0.0, 200.0]),
    prefilled=np.array([50.0, 0.0, 0.0]),
    generated=np.array([31.0, 0.0, 8.0]),
    drafted=np.array([60.0, 0.0, 16.0]),
    accepted=np.array([6.0, 0.0, 4.0]),
    preempted=np.array([0.0, 0.0, 2.0]),
    queried=np.array([70.0, 0.0, 30.0]),
    hit=np.array([20.0, 0.0, 0.0]),
)


def traffic_of(at, prompt_tokens):
    n = len(at)
    counts = np.full(n, 10, np.int64)
    return Traffic(
        at=np.asarray(at, np.float64),
        prompt_tokens=np.asarray(prompt_tokens, np.int64),
        output_tokens=counts,
        max_tokens=counts * 10,
        cancel_after=counts * 1000,
        session=np.arange(n),
        history_tokens=counts * 0,
        shared_tokens=counts * 0,
        prompt=counts * 0 - 1,
        luck=np.ones(n),
        labels={"tenant": Coded.constant("t", n)},
    )


# one that ends by itself, one cut off, one given up after its first token, one that never gets anywhere
TRAFFIC = traffic_of([0.0, 0.1, 0.2, 0.3], [100, 200, 400, 800])
OUTCOMES = Outcomes(
    replica=np.zeros(4, np.int64),
    scheduled_at=np.array([0.05, 0.1, 0.2, np.nan]),
    first_token_at=np.array([0.1, 1.1, 1.2, np.nan]),
    completed_at=np.array([1.0, 3.1, 2.0, np.nan]),
    generated=np.array([10, 20, 3, 0]),
    cached_tokens=np.array([20, 0, 0, 0]),
    preemptions=np.array([0, 2, 0, 0]),
    finish=np.array([STOP, LENGTH, ABORT, -1]),
    running=np.ones(4, np.int64),
)
AT = np.array([-1.0, 0.1, 0.7, 1.7, 3.2, 9.0])


def shown(series, name, **labels):
    (one,) = [s for s in series if s.name == name and labels.items() <= s.labels.items()]
    return one.value.tolist()


def series_of(**more):
    return engine_series(STEPS, (TRAFFIC, OUTCOMES), PLAN, AT, LABELS, **more)


def test_gauges_are_what_holds_at_the_instant():
    series = series_of()
    assert shown(series, "vllm:kv_cache_usage_perc") == pytest.approx([0, 0.2, 0, 0.25, 0, 0])
    assert shown(series, "vllm:num_requests_running") == [0, 4, 0, 2, 0, 0]
    assert shown(series, "vllm:num_requests_waiting") == [0, 1, 0, 5, 0, 0]


def test_the_cache_is_as_large_as_the_settings_of_the_time_say():
    plan = [(0.0, SETTINGS), (1.0, replace(SETTINGS, kv_blocks=50))]
    series = engine_series(STEPS, (TRAFFIC, OUTCOMES), plan, AT, LABELS)
    assert shown(series, "vllm:kv_cache_usage_perc") == pytest.approx([0, 0.2, 0, 0.5, 0, 0])


def test_counters_count_what_was_done():
    series = series_of()
    assert shown(series, "vllm:generation_tokens_total") == [0, 15, 31, 33, 39, 39]
    assert shown(series, "vllm:prompt_tokens_total") == [0, 100, 100, 700, 700, 700]
    assert shown(series, "vllm:prompt_tokens_cached_total") == [0, 20, 20, 20, 20, 20]
    assert shown(series, "vllm:iteration_tokens_total_count") == [0, 5, 10, 11, 14, 14]
    assert shown(series, "vllm:iteration_tokens_total_sum") == [0, 115, 131, 733, 739, 739]
    assert shown(series, "vllm:num_preemptions_total") == [0, 0, 0, 2, 2, 2]
    assert shown(series, "vllm:prefix_cache_queries_total") == [0, 70, 70, 100, 100, 100]
    assert shown(series, "vllm:prefix_cache_hits_total") == [0, 20, 20, 20, 20, 20]


def test_requests_that_were_given_up_are_not_counted_as_vllm_does_not():
    series = series_of()
    assert shown(series, "vllm:request_success_total", finished_reason="stop") == [0, 0, 0, 1, 1, 1]
    assert shown(series, "vllm:request_success_total", finished_reason="length") == [0, 0, 0, 0, 1, 1]
    assert shown(series, "vllm:request_success_total", finished_reason="abort") == [0] * 6
    assert shown(series, "vllm:e2e_request_latency_seconds_count") == [0, 0, 0, 1, 2, 2]


def test_every_sequence_that_decodes_has_a_gap_in_every_iteration():
    series = series_of()
    name = "vllm:inter_token_latency_seconds"
    assert shown(series, f"{name}_bucket", le="0.01") == [0] * 6
    assert shown(series, f"{name}_bucket", le="0.025") == [0, 15, 30, 30, 30, 30]
    assert shown(series, f"{name}_bucket", le="0.5") == [0, 15, 30, 32, 38, 38]
    assert shown(series, f"{name}_count") == [0, 15, 30, 32, 38, 38]
    assert shown(series, f"{name}_sum") == pytest.approx([0, 0.3, 0.6, 1.6, 4.6, 4.6])


def test_times_of_requests_are_in_their_buckets():
    series = series_of()
    first = "vllm:time_to_first_token_seconds"
    assert shown(series, f"{first}_bucket", le="0.1") == [0, 1, 1, 1, 1, 1]
    assert shown(series, f"{first}_bucket", le="1.0") == [0, 1, 1, 3, 3, 3]
    assert shown(series, f"{first}_sum") == pytest.approx([0, 0.1, 0.1, 2.1, 2.1, 2.1])
    assert shown(series, "vllm:request_queue_time_seconds_sum") == pytest.approx([0, 0, 0, 0.05, 0.05, 0.05])
    assert shown(series, "vllm:request_prefill_time_seconds_sum") == pytest.approx([0, 0, 0, 0.05, 1.05, 1.05])
    assert shown(series, "vllm:request_decode_time_seconds_sum") == pytest.approx([0, 0, 0, 0.9, 2.9, 2.9])
    assert shown(series, "vllm:request_prompt_tokens_bucket", le="100.0") == [0, 0, 0, 1, 1, 1]
    assert shown(series, "vllm:request_generation_tokens_sum") == [0, 0, 0, 10, 30, 30]
    assert shown(series, "vllm:request_num_preemptions_sum") == [0, 0, 0, 0, 2, 2]


def test_speculation_is_counted_where_there_is_any():
    assert not [s for s in series_of() if "spec_decode" in s.name]
    plan = [(0.0, replace(SETTINGS, draft_tokens=2))]
    series = engine_series(STEPS, (TRAFFIC, OUTCOMES), plan, AT, LABELS)
    assert shown(series, "vllm:spec_decode_num_drafts_total") == [0, 15, 30, 32, 38, 38]
    assert shown(series, "vllm:spec_decode_num_draft_tokens_total") == [0, 30, 60, 64, 76, 76]
    assert shown(series, "vllm:spec_decode_num_accepted_tokens_total") == [0, 3, 6, 7, 10, 10]


def test_a_restart_sets_counters_to_zero():
    series = series_of(restarts=[1.0])
    assert shown(series, "vllm:generation_tokens_total") == [0, 15, 31, 2, 8, 8]
    assert shown(series, "vllm:inter_token_latency_seconds_count") == [0, 15, 30, 2, 8, 8]
    assert shown(series, "vllm:time_to_first_token_seconds_count") == [0, 1, 1, 2, 2, 2]


def test_a_lean_scrape_has_few_buckets():
    lean = {s.name for s in series_of(lean=True) if s.name.endswith("_bucket")}
    assert lean == {
        "vllm:time_to_first_token_seconds_bucket",
        "vllm:inter_token_latency_seconds_bucket",
        "vllm:e2e_request_latency_seconds_bucket",
        "vllm:request_queue_time_seconds_bucket",
    }


def test_without_steps_there_is_nothing_to_show():
    nothing = Steps(*(np.empty(0) for _ in range(16)))
    with pytest.raises(ValueError, match="without a single stretch"):
        engine_series(nothing, (TRAFFIC, OUTCOMES), PLAN, AT, LABELS)


@st.composite
def runs(draw):
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    duration = rng.exponential(0.4, n)
    start = np.cumsum(duration) - duration
    counts = {name: rng.integers(0, 40, n) * 1.0 for name in Steps.__slots__[2:]}
    steps = Steps(start=start, duration=duration, **counts)
    m = draw(st.integers(0, 40))
    at = np.sort(rng.uniform(0, start[-1] + 1, m))
    scheduled = at + rng.exponential(0.3, m)
    first = scheduled + rng.exponential(0.3, m)
    known = rng.random(m) < 0.8
    outcomes = Outcomes(
        replica=np.zeros(m, np.int64),
        scheduled_at=scheduled,
        first_token_at=np.where(known, first, np.nan),
        completed_at=np.where(known, first + rng.exponential(1.0, m), np.nan),
        generated=rng.integers(1, 500, m),
        cached_tokens=np.zeros(m, np.int64),
        preemptions=rng.integers(0, 3, m),
        finish=np.where(known, rng.integers(0, 3, m), -1),
        running=np.ones(m, np.int64),
    )
    restarts = rng.uniform(0, start[-1] + 1, draw(st.integers(0, 3))).tolist()
    instants = np.unique(rng.uniform(-1, start[-1] + 3, draw(st.integers(1, 50))))
    return steps, (traffic_of(at, rng.integers(1, 3000, m)), outcomes), instants, restarts


@given(runs())
def test_counters_fall_at_restarts_only_and_buckets_are_cumulative(run):
    steps, rows, instants, restarts = run
    engine = engine_series(steps, rows, PLAN, instants, LABELS, restarts=restarts)
    machine = machine_series(
        steps, PLAN, instants, Machine(gpus=2), LABELS, np.random.default_rng(0), restarts=restarts
    )
    same = np.diff(np.searchsorted(np.sort(restarts), instants, "right")) == 0
    for one in (*engine, *machine):
        assert np.isfinite(one.value).all()
        if one.kind != "gauge":
            assert (one.value >= 0).all(), one.name
            assert (np.diff(one.value)[same] >= (-1e-9 if one.name.endswith("_sum") else 0)).all(), one.name
    for name in {s.name.removesuffix("_bucket") for s in engine if s.name.endswith("_bucket")}:
        counts = np.array([s.value for s in engine if s.name == f"{name}_bucket"])
        assert (np.diff(counts, axis=0) >= 0).all()
        assert counts[-1].tolist() == shown(engine, f"{name}_count")
        assert (counts == np.round(counts)).all()


def machine_of(steps=STEPS, at=AT, **more):
    labels = {"pod": "a", "host": "h"}
    return machine_series(steps, PLAN, at, Machine(gpus=2), labels, np.random.default_rng(1), **more)


def test_a_gpu_is_busy_while_the_engine_iterates():
    busy = replace(STEPS, start=STEPS.start * 10, duration=STEPS.duration * 10)
    series = machine_of(busy, np.array([1.5, 7.0, 20.0]))
    assert shown(series, "DCGM_FI_DEV_GPU_UTIL", gpu="0") == [100, 0, 100]
    power = shown(series, "DCGM_FI_DEV_POWER_USAGE", gpu="1")
    assert power[1] == pytest.approx(55, abs=10)
    assert min(power[0], power[2]) > 150
    assert shown(series, "DCGM_FI_DEV_FB_USED", gpu="0") == [37683.0] * 3


def test_prefill_takes_more_power_than_decoding():
    at = np.arange(2.0, 100.0, 5.0)
    long = replace(STEPS, start=np.array([0.0, 100.0, 101.0]), duration=np.array([100.0, 1.0, 1.0]))
    long = replace(long, iterations=np.array([5000.0, 0.0, 4.0]), generated=np.array([5000.0, 0.0, 8.0]))
    decoding = shown(machine_of(long, at), "DCGM_FI_DEV_POWER_USAGE", gpu="0")
    prefill = replace(long, prefilled=np.array([1e7, 0.0, 0.0]))
    assert np.mean(shown(machine_of(prefill, at), "DCGM_FI_DEV_POWER_USAGE", gpu="0")) > 1.3 * np.mean(decoding)


def test_the_cluster_counts_restarts_until_the_pod_is_replaced():
    series = machine_of(restarts=[0.0, 0.5], replaced=[1.0])
    assert shown(series, "kube_pod_container_status_restarts_total") == [0, 1, 2, 0, 0, 0]
    assert shown(series, "process_start_time_seconds") == [-60, 0, 0.5, 1, 1, 1]


def test_a_sign_bends_the_series_that_it_names_and_no_other():
    series = machine_of()
    hot = Sign.of("DCGM_FI_DEV_SM_CLOCK", [1.0, 2.0], factor=[1.0, 0.5], where={"gpu": "1"})
    changed = [(a, b) for a, b in zip(series, bent(series, [hot]), strict=True) if a is not b]
    ((before, after),) = changed
    assert after.labels["gpu"] == "1"
    assert (after.value / before.value).tolist() == pytest.approx([1, 1, 1, 0.65, 0.5, 0.5])


def test_what_is_down_is_not_scraped():
    series = without(machine_of(), [(0.5, 2.0)])
    assert shown(series, "up") == [1, 1, 0, 0, 1, 1]
    assert len(shown(series, "process_open_fds")) == 4


def test_a_new_pod_begins_new_series():
    series = by_pod(series_of(restarts=[1.0]), [(0.0, "old"), (1.0, "new")])
    assert shown(series, "vllm:generation_tokens_total", pod="old") == [0, 15, 31]
    assert shown(series, "vllm:generation_tokens_total", pod="new") == [2, 8, 8]


def test_a_host_outlives_its_pods():
    series = by_pod(machine_of(replaced=[1.0]), [(0.0, "old"), (1.0, "new")])
    (load,) = [one for one in series if one.name == "node_load1"]
    assert len(load) == len(AT)
    assert load.labels == {"instance": "h"}
    assert len([one for one in series if one.name == "kube_pod_status_ready"]) == 2


def test_scrapes_come_at_an_interval_with_an_offset_of_their_own():
    one, other = (scrape_times(0.0, 3600.0, 15.0, np.random.default_rng(seed)) for seed in (1, 2))
    assert (np.diff(one) > 14.9).all()
    assert len(one) == 240
    assert abs(one[0] - other[0]) > 0.1


def test_the_catalogue_knows_what_it_should():
    names = {s.name for s in (*series_of(), *machine_of())}
    assert not expected_series(names)
    ours = {name for name in names if name.startswith(("DCGM", "kube"))}
    assert all(resolve(name) for name in ours)
    assert {name.removesuffix("_bucket") for name in names if not resolve(name) and name.endswith("_bucket")} == {
        "vllm:request_inference_time_seconds",
        "vllm:request_max_num_generation_tokens",
        "vllm:request_params_max_tokens",
        "vllm:request_params_n",
    }


@pytest.mark.parametrize("file", ["metrics.om", "metrics.om.gz"])
def test_what_is_written_is_read_back(tmp_path, file):
    at = 1.7e9 + scrape_times(0.0, 4.0, 0.3, np.random.default_rng(0))
    steps, traffic = replace(STEPS, start=STEPS.start + 1.7e9), replace(TRAFFIC, at=TRAFFIC.at + 1.7e9)
    outcomes = replace(OUTCOMES, first_token_at=OUTCOMES.first_token_at + 1.7e9)
    outcomes = replace(outcomes, completed_at=OUTCOMES.completed_at + 1.7e9, scheduled_at=OUTCOMES.scheduled_at + 1.7e9)
    labels = {"model_name": 'a "quoted" \\ name', "pod": "a"}
    series = engine_series(steps, (traffic, outcomes), PLAN, at, labels)
    series += machine_series(steps, PLAN, at, Machine(), {"pod": "a"}, np.random.default_rng(0))
    series += decoys(at, 20, np.random.default_rng(0))
    write_openmetrics(tmp_path / file, series)
    quarantine = Quarantine()
    batches = list(read_metrics(tmp_path / file, Config(), quarantine))
    assert not quarantine.rows()
    read = {(b.keys[c], t, v) for b in batches for c, t, v in zip(b.series, b.at.round(3), b.value, strict=True)}
    batch = metrics_of(series)
    assert (np.diff(batch.at) >= 0).all()
    assert {(batch.keys[c], t, v) for c, t, v in zip(batch.series, batch.at.round(3), batch.value, strict=True)} == read


def test_the_same_series_give_the_same_bytes(tmp_path):
    write_openmetrics(tmp_path / "a.om.gz", series_of())
    write_openmetrics(tmp_path / "b.om.gz", series_of())
    assert (tmp_path / "a.om.gz").read_bytes() == (tmp_path / "b.om.gz").read_bytes()


def test_the_samples_of_a_family_are_together():
    text = "".join(openmetrics(series_of())).splitlines()
    families = [line.split()[2:] for line in text if line.startswith("# TYPE")]
    assert len(families) == len({name for name, _ in families})
    assert ["vllm:iteration_tokens_total", "histogram"] in families
    assert ["vllm:prompt_tokens", "counter"] in families


def test_names_labels_and_boundaries_are_those_of_a_recording(recordings):
    batches = list(read_metrics(recordings / "vllm_cpu" / "healthy" / "metrics.om.gz", Config(), Quarantine()))
    theirs = {(key.name, key.labels) for key in batches[-1].keys if key.name.startswith("vllm:")}
    assert len(theirs) > 100
    labels = {"model_name": "smollm2", "pod": "vllm-5c6b-a"}
    series = engine_series(STEPS, (TRAFFIC, OUTCOMES), PLAN, AT, labels)
    assert theirs <= {(one.name, tuple(sorted(one.labels.items()))) for one in series}


def test_decoys_move_and_step_where_they_are_told():
    at = np.arange(0.0, 7200.0, 15.0)
    series = decoys(at, 40, np.random.default_rng(3), step_at=3600.0)
    assert len({(s.name, *s.labels.values()) for s in series}) == 40
    still = decoys(at, 40, np.random.default_rng(3))
    for one in still:
        moved = np.diff(one.value)
        assert one.value.std() > 0
        assert one.kind == "gauge" or (moved >= 0).all()
    stepping = [s for s in series[::5] if s.kind == "gauge"]
    jumps = [s.value[at > 3800].mean() / s.value[at < 3400].mean() for s in stepping]
    assert len(jumps) == 4
    assert all(abs(np.log(jump)) > 0.05 for jump in jumps)


def test_a_series_keeps_its_type():
    counter = Sampled("DCGM_FI_DEV_POWER_VIOLATION", {}, np.array([1.0]), np.array([2.0]), "counter")
    assert "".join(openmetrics([counter])).startswith("# TYPE DCGM_FI_DEV_POWER_VIOLATION unknown")

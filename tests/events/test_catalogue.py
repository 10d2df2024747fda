import pytest

from driftwatch.events.catalogue import BY_NAME, RATIOS, SERIES, expected_series, resolve, scale_of
from driftwatch.events.signals import BY_NAME as SIGNALS

RESOLVED = {
    "vllm:kv_cache_usage_perc": ("kv_cache_usage", ""),
    "vllm:gpu_cache_usage_perc": ("kv_cache_usage", ""),
    "ray_vllm_kv_cache_usage_perc": ("kv_cache_usage", ""),
    "my_ns_vllm_num_preemptions_total": ("preemptions", ""),
    "sglang:token_usage": ("kv_cache_usage", ""),
    "sglang_token_usage": ("kv_cache_usage", ""),
    "trtllm_kv_cache_utilization": ("kv_cache_usage", ""),
    "vllm:num_preemptions_total": ("preemptions", ""),
    "vllm:num_preemptions": ("preemptions", ""),
    "sglang:num_retracted_requests_total": ("preemptions", ""),
    "vllm:time_to_first_token_seconds_bucket": ("ttft", "bucket"),
    "vllm:time_per_output_token_seconds_sum": ("itl", "sum"),
    "vllm:request_time_per_output_token_seconds_count": ("tpot", "count"),
    "tgi_request_duration_bucket": ("latency", "bucket"),
    "gen_ai_server_time_to_first_token_bucket": ("ttft", "bucket"),
    "vllm:request_success_total": ("requests_finished", ""),
    "DCGM_FI_DEV_FB_USED": ("gpu_memory_used", ""),
    "DCGM_FI_DEV_XID_ERRORS": ("gpu_xid", ""),
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": ("gpu_ecc_double", ""),
    "hw.gpu.memory.usage": ("gpu_memory_used", ""),
    "hw_gpu_utilization": ("gpu_utilization", ""),
    "host_memory_percent": ("host_memory", ""),
    "process_resident_memory_bytes": ("process_memory", ""),
    "up": ("target_up", ""),
    "kube_pod_container_status_restarts_total": ("pod_restarts", ""),
    "llamacpp:requests_deferred": ("requests_waiting", ""),
    "tgi_queue_size": ("requests_waiting", ""),
    "kv_cache_usage": ("kv_cache_usage", ""),
    "ttft_bucket": ("ttft", "bucket"),
}


@pytest.mark.parametrize(("raw", "expected"), RESOLVED.items())
def test_names_resolve(raw, expected):
    series, part = resolve(raw)
    assert (series.name, part) == expected


@pytest.mark.parametrize(
    "raw", ["go_goroutines", "vllm:lora_requests_info", "up_bucket", "vllm:num_preemptions_sum", ""]
)
def test_other_names_do_not(raw):
    assert resolve(raw) is None


def test_every_source_resolves_to_its_own_series():
    for series in SERIES:
        for source in series.sources:
            found = resolve(source.name, source.where)
            assert found is not None, source
            assert found[0].name == series.name, source


def test_names_are_unique_and_signals_exist():
    assert len(BY_NAME) == len(SERIES)
    assert {s.signal for s in SERIES if s.signal} <= set(SIGNALS)
    assert all({r.numerator, r.denominator} <= set(BY_NAME) for r in RATIOS)


def test_a_label_decides_where_a_name_means_several_things():
    name = "nv_trt_llm_kv_cache_block_metrics"
    assert resolve(name, (("kv_cache_block_type", "fraction"),))[0].name == "kv_cache_usage"
    assert resolve(name, (("kv_cache_block_type", "used"),)) is None
    assert resolve("nv_trt_llm_request_metrics", (("request_type", "waiting"),))[0].name == "requests_waiting"


@pytest.mark.parametrize(
    ("raw", "scale"),
    [("DCGM_FI_DEV_FB_USED", 2.0**20), ("hw.gpu.memory.usage", 1.0), ("host_memory_percent", 0.01), ("unknown", 1.0)],
)
def test_units_are_per_source(raw, scale):
    assert scale_of(raw) == scale


def test_a_symptom_is_never_a_mechanism():
    roles = {name: BY_NAME[name].role for name in ("requests_waiting", "requests_running", "gpu_utilization")}
    assert set(roles.values()) == {"symptom"}
    assert {BY_NAME[n].role for n in ("kv_cache_usage", "preemptions", "gpu_sm_clock")} == {"mechanism"}
    assert BY_NAME["prompt_tokens"].role == "exogenous"
    assert BY_NAME["gpu_sm_clock"].bad == "down"


def test_a_complete_engine_lacks_nothing():
    names = {s.name for series in SERIES if series.expected for s in series.sources if s.name.startswith("vllm:")}
    assert expected_series(names) == ()


def test_an_old_name_is_said_with_the_new_one():
    absent = expected_series(["vllm:gpu_cache_usage_perc", "vllm:num_preemptions_total"])
    assert absent[0].seen_as == "vllm:gpu_cache_usage_perc"
    assert absent[0].name == "vllm:kv_cache_usage_perc"
    assert "preemptions" not in {a.series.name for a in absent}


def test_ray_names_are_recognised_as_vllm():
    assert {a.engine for a in expected_series(["ray_vllm_num_requests_running"])} == {"vLLM"}


def test_nothing_is_expected_of_nobody():
    assert expected_series(["up", "go_goroutines"]) == ()


def test_preallocated_memory_is_never_a_cause():
    names = [n for n in BY_NAME if n.startswith("gpu_memory_") and BY_NAME[n].unit in ("bytes", "share")]
    assert names
    assert not [n for n in names if BY_NAME[n].role in ("mechanism", "exogenous")]

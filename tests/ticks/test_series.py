import gzip
import re
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.events.catalogue import BY_NAME, RATIOS
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.ticks.series import SeriesId, SeriesStore

WIDTH = 5.0
KV = SeriesKey("vllm:kv_cache_usage_perc", (("pod", "a"),), "gauge")
PREEMPTIONS = SeriesKey("vllm:num_preemptions_total", (("pod", "a"),), "counter")
KV_ID, PREEMPTIONS_ID = SeriesId("kv_cache_usage", KV.labels), SeriesId("preemptions", PREEMPTIONS.labels)


def batch(*series):
    """A batch of (key, times, values)."""
    at = np.concatenate([np.asarray(t, float) for _, t, _ in series])
    value = np.concatenate([np.asarray(v, float) for _, _, v in series])
    which = np.repeat(np.arange(len(series), dtype=np.int32), [len(t) for _, t, _ in series])
    return Metrics(at, which, value, tuple(key for key, _, _ in series))


def cut(metrics, start, stop):
    return Metrics(metrics.at[start:stop], metrics.series[start:stop], metrics.value[start:stop], metrics.keys)


def store_of(*series, history=10_000, **settings):
    store = SeriesStore(WIDTH, history, **settings)
    store.add(batch(*series))
    return store


def labelled(name, **labels):
    return SeriesKey(name, tuple(sorted(labels.items())))


def test_names_and_units_are_those_of_the_catalogue_and_labels_stay_apart():
    store = store_of(
        (labelled("host_memory_percent"), [0], [50]),
        (labelled("vllm:gpu_cache_usage_perc", pod="a"), [0], [0.5]),
        (labelled("vllm:gpu_cache_usage_perc", pod="b"), [0], [0.7]),
        (labelled("my_gauge"), [0], [3]),
        (labelled("vllm:time_to_first_token_seconds_bucket", le="1"), [0], [3]),
        (labelled("go_gc_duration_seconds_sum"), [0], [3]),
    )
    assert store.ids() == (
        SeriesId("host_memory"),
        SeriesId("kv_cache_usage", (("pod", "a"),)),
        SeriesId("kv_cache_usage", (("pod", "b"),)),
        SeriesId("my_gauge"),
    )
    assert store.values(SeriesId("host_memory"), 0, 0).tolist() == [0.5]


def test_names_of_your_own_are_understood():
    store = store_of((labelled("acme_cache"), [0], [0.25]), names={"acme_cache": "kv_cache_usage"})
    assert store.ids() == (SeriesId("kv_cache_usage"),)


def test_a_gauge_has_mean_low_and_high_of_its_tick():
    store = store_of((KV, [0, 1, 4.9, 5], [0.1, 0.9, 0.2, 0.4]))
    assert store.values(KV_ID, 0, 1).tolist() == pytest.approx([0.4, 0.4])
    assert store.values(KV_ID, 0, 1, what="low").tolist() == [0.1, 0.4]
    assert store.values(KV_ID, 0, 1, what="high").tolist() == [0.9, 0.4]
    assert store.extreme(KV_ID, 0, 1, "max") == 0.9
    assert store.extreme(KV_ID, 0, 1, "min") == 0.1
    assert np.isnan(store.extreme(KV_ID, -3, -1, "min"))


@pytest.mark.parametrize(("step", "limit"), [(10.0, 90.0), (30.0, 150.0)])
def test_a_gauge_holds_until_ninety_seconds_or_five_scrapes(step, limit):
    at = np.arange(0, 301, step)
    values = store_of((KV, at, np.full(len(at), 0.5))).values(KV_ID, -1, 200)
    held = np.arange(-1, 201) * WIDTH
    assert np.array_equal(~np.isnan(values), (held >= 0) & (held - 300 <= limit))


@pytest.mark.parametrize("step", [0.5, 2.0, 5.0, 7.0, 15.0, 30.0])
def test_a_steady_counter_has_the_same_rate_in_every_tick_however_it_is_scraped(step):
    at = np.arange(1.3, 600, step)
    values = store_of((PREEMPTIONS, at, 7 + 3 * at)).values(PREEMPTIONS_ID, 0, 119)
    covered = values[: int(at[-1] // WIDTH)]
    assert covered == pytest.approx(np.full(len(covered), 3.0), rel=1e-9)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=40), st.floats(0.4, 40))
def test_what_a_counter_counted_is_neither_lost_nor_made_up(increments, step):
    at = np.arange(len(increments)) * step
    values = store_of((PREEMPTIONS, at, np.cumsum(increments))).values(PREEMPTIONS_ID, 0, int(at[-1] // WIDTH))
    covered = np.clip(at[-1] - np.arange(len(values)) * WIDTH, 0, WIDTH)
    assert np.nansum(values * covered) == pytest.approx(sum(increments[1:]), rel=1e-3, abs=0.2)


def test_a_restart_is_no_negative_rate_and_loses_nothing():
    counted = [100, 110, 5, 15]  # 10, then a restart and 5, then 10
    values = store_of((PREEMPTIONS, [0, 5, 10, 15], counted)).values(PREEMPTIONS_ID, 0, 2)
    assert values.tolist() == [2.0, 1.0, 2.0]


def test_a_long_silence_of_a_counter_is_unknown_and_not_slow():
    at = np.concatenate([np.arange(0, 101, 10), np.arange(300, 401, 10)])
    values = store_of((PREEMPTIONS, at, at)).values(PREEMPTIONS_ID, 0, 79)
    known = ~np.isnan(values)
    assert np.flatnonzero(~known).tolist() == list(range(20, 60))
    assert np.allclose(values[known], 1.0)


def test_what_is_no_number_is_left_out_and_counted():
    key = labelled("DCGM_FI_DEV_GPU_TEMP", gpu="0")
    store = store_of((KV, [0, 1, 2, np.nan], [0.5, np.nan, np.inf, 0.5]), (key, [0, 1], [60, 9223372036854775794.0]))
    assert store.not_finite == 4
    assert store.extreme(SeriesId("gpu_temperature", key.labels), 0, 0, "max") == 60


def test_late_and_repeated_samples_are_counted():
    store = store_of((KV, [0, 100, 100, 95, 50], [0.1, 0.2, 0.9, 0.3, 0.9]), lateness_s=10)
    assert (store.late, store.repeated) == (1, 1)
    assert store.values(KV_ID, 19, 20).tolist() == [0.3, 0.2]


def test_series_beyond_the_limit_are_refused_and_counted():
    keys = [labelled("kv_cache_usage", pod=str(i)) for i in range(5)]
    store = store_of(*((key, [0], [0.5]) for key in keys), max_series=3)
    assert (len(store.ids()), store.refused) == (3, 2)


SAMPLES = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 9), st.floats(0, 1000)),
    min_size=1,
    max_size=700,
)


@settings(max_examples=60)
@given(SAMPLES, st.lists(st.integers(0, 700), max_size=6), st.integers(1, 60))
def test_cutting_batches_differently_gives_the_same_content(samples, cuts, history):
    step = np.array([s[0] for s in samples])
    late = np.array([s[1] for s in samples])
    metrics = Metrics(
        1.8e9 + np.maximum(np.cumsum(step) - late, 0),
        (np.arange(len(samples)) % 2).astype(np.int32),
        np.array([s[2] for s in samples]),
        (KV, PREEMPTIONS),
    )
    edges = sorted({0, len(samples), *(min(c, len(samples)) for c in cuts)})
    whole, parts = SeriesStore(WIDTH, history), SeriesStore(WIDTH, history)
    whole.add(metrics)
    for start, stop in pairwise(edges):
        parts.add(cut(metrics, start, stop))
    first = int(1.8e9 // WIDTH)
    assert whole.ids() == parts.ids()
    for series in whole.ids():
        for what in ("mean", "low", "high"):
            a, b = (s.values(series, first, first + 500, what=what) for s in (whole, parts))
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
        assert whole.interval(series) == pytest.approx(parts.interval(series), nan_ok=True)
        assert whole.last_seen(series) == parts.last_seen(series)
    assert (whole.late, whole.repeated) == (parts.late, parts.repeated)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_order_within_the_lateness_does_not_matter(seed, parts):
    at = np.arange(0, 2000, 2.0)
    value = np.cumsum(np.sin(at) + 1)
    value[500:] -= value[500]  # a restart
    order = np.argsort(at + 9.9 * np.random.default_rng(seed).random(len(at)))
    shuffled = batch((PREEMPTIONS, at[order], value[order]), (KV, at[order], value[order]))
    plain = batch((PREEMPTIONS, at, value), (KV, at, value))
    a, b = SeriesStore(WIDTH, 300), SeriesStore(WIDTH, 300)
    a.add(plain)
    for start in np.array_split(np.arange(len(shuffled)), parts):
        b.add(cut(shuffled, start[0], start[-1] + 1))
    assert b.late == 0
    for series in a.ids():
        np.testing.assert_allclose(a.values(series, 100, 399), b.values(series, 100, 399), rtol=1e-12)


@given(st.integers(1, 59), st.sampled_from([1.0, 4.0, 15.0, 31.0]))
def test_with_until_a_store_that_knows_the_future_says_what_one_that_does_not_would(until, step):
    at = np.arange(0.5, 300, step)
    value = 1e6 + np.cumsum(at % 7)
    knows, before = SeriesStore(WIDTH, 1000), SeriesStore(WIDTH, 1000)
    knows.add(batch((PREEMPTIONS, at, value), (KV, at, value)))
    past = at < (until + 1) * WIDTH
    before.add(batch((PREEMPTIONS, at[past], value[past]), (KV, at[past], value[past])))
    for series in knows.ids():
        a, b = knows.values(series, 0, until, until=until), before.values(series, 0, until)
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_replicas_are_combined_by_what_they_measure():
    def twice(name, a, b):
        return (labelled(name, pod="a"), [0, 5], a), (labelled(name, pod="b"), [0, 5], b)

    store = store_of(
        *twice("vllm:num_requests_waiting", [1, 1], [2, 2]),
        *twice("vllm:kv_cache_usage_perc", [0.2, 0.2], [0.6, 0.6]),
        *twice("up", [1, 1], [0, 0]),
        *twice("vllm:num_preemptions_total", [0, 5], [0, 10]),
    )
    names = ("requests_waiting", "kv_cache_usage", "target_up", "preemptions")
    assert [store.combined(n, 0, 0)[0] for n in names] == [3.0, 0.6, 0.0, 3.0]
    assert store.combined("requests_waiting", 0, 0, {"pod": "b"}).tolist() == [2.0]
    assert np.isnan(store.combined("requests_waiting", 0, 2, {"pod": "c"})).all()


def test_one_replica_that_is_unknown_does_not_hide_the_other():
    store = store_of(
        (labelled("requests_waiting", pod="a"), [0], [1]), (labelled("requests_waiting", pod="b"), [50], [2])
    )
    assert store.combined("requests_waiting", 0, 10)[[0, 10]].tolist() == [1.0, 3.0]


def test_ratios_are_made_of_their_counters():
    labels = {"pod": "a"}
    store = store_of(
        (labelled("vllm:prefix_cache_hits_total", **labels), [0, 10, 20], [0, 30, 30]),
        (labelled("vllm:prefix_cache_queries_total", **labels), [0, 10, 20], [0, 40, 40]),
        (labelled("vllm:prompt_tokens_total", **labels), [0, 10], [0, 600]),
        (labelled("vllm:request_success_total", finished_reason="stop", **labels), [0, 10], [0, 2]),
        (labelled("vllm:request_success_total", finished_reason="length", **labels), [0, 10], [0, 4]),
    )
    hit_rate, mean_prompt = (SeriesId(name, (("pod", "a"),)) for name in ("prefix_hit_rate", "mean_prompt_tokens"))
    assert {hit_rate, mean_prompt} <= set(store.ids())
    assert store.ids("prefix_hit_rate") == (hit_rate,)
    assert store.values(hit_rate, 0, 3).tolist() == pytest.approx([0.75, 0.75, np.nan, np.nan], nan_ok=True)
    assert store.values(mean_prompt, 0, 1).tolist() == pytest.approx([100.0, 100.0])
    assert store.combined("prefix_hit_rate", 0, 0).tolist() == [0.75]
    assert store.interval(hit_rate) == 10.0


def test_every_ratio_is_made_of_counters_of_the_catalogue():
    assert {BY_NAME[part].kind for r in RATIOS for part in (r.numerator, r.denominator)} == {"counter"}


def test_interval_and_last_seen():
    store = store_of((KV, [0, 15, 30, 46, 60], np.zeros(5)))
    assert (store.interval(KV_ID), store.last_seen(KV_ID)) == (15.0, 60.0)
    fast = store_of((KV, np.arange(0, 100, 0.25), np.zeros(400)))
    assert fast.interval(KV_ID) == pytest.approx(0.25)
    assert np.isnan(store.interval(SeriesId("nothing")))
    assert np.isnan(store.last_seen(SeriesId("nothing")))


def test_history_is_bounded_and_can_be_trimmed():
    store = SeriesStore(WIDTH, 50)
    for start in range(0, 40_000, 100):
        at = np.arange(start, start + 100, 0.1)
        store.add(batch((KV, at, np.full(len(at), 0.5))))
    track = store.tracks[KV_ID]
    assert len(track.rows) <= 50
    assert len(track.at) < 256 + 1000
    last = int(39_999 // WIDTH)
    assert np.isnan(store.values(KV_ID, last - 60, last)[:11]).all()
    assert not np.isnan(store.values(KV_ID, last - 49, last)).any()
    store.trim(last - 9)
    assert np.isnan(store.values(KV_ID, last - 49, last - 10)).all()
    assert not np.isnan(store.values(KV_ID, last - 9, last)).any()
    store.trim(last + 1)
    assert store.ids() == ()


def test_a_million_samples_take_no_loop_over_samples():
    rng = np.random.default_rng(0)
    keys = tuple(labelled("vllm:num_preemptions_total", pod=str(i)) for i in range(100))
    series = rng.integers(0, 100, 1_000_000).astype(np.int32)
    metrics = Metrics(np.arange(1_000_000) * 0.02, series, rng.random(1_000_000), keys)
    store = SeriesStore(WIDTH, 5000)
    started = time.process_time()
    store.add(metrics)
    assert time.process_time() - started < 3.0  # 0.3 s on one core
    assert len(store.ids()) == 100


@pytest.fixture(scope="module")
def exposed(recordings):
    """Parts of a real recording: {(name, labels): (times, values)}."""
    path = recordings / "vllm_cpu" / "kv_hog" / "metrics.om.gz"
    wanted = re.compile(
        r"(vllm:num_preemptions_total|vllm:kv_cache_usage_perc|host_memory_percent)(\{.*\})? (\S+) (\S+)"
    )
    found = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if match := wanted.match(line):
            found.setdefault(match.group(1), []).append((float(match.group(4)), float(match.group(3))))
    return {SeriesKey(name, (("pod", "a"),)): np.array(samples).T for name, samples in found.items()}


@pytest.mark.parametrize("every", [1, 7, 15])
def test_a_real_recording_tells_the_same_when_it_is_scraped_less_often(exposed, every):
    full, thin = SeriesStore(WIDTH, 10_000), SeriesStore(WIDTH, 10_000)
    full.add(batch(*((key, *samples) for key, samples in exposed.items())))
    thin.add(batch(*((key, *samples[:, ::every]) for key, samples in exposed.items())))
    at, counted = exposed[SeriesKey("vllm:num_preemptions_total", (("pod", "a"),))][:, ::every]
    first, last = int(at[0] // WIDTH) + 1, int(at[-1] // WIDTH) - 1
    total = np.interp([(last + 1) * WIDTH, first * WIDTH], at, counted)
    assert thin.values(PREEMPTIONS_ID, first, last).sum() * WIDTH == pytest.approx(total[0] - total[1])
    assert total[0] - total[1] > 10
    assert thin.interval(PREEMPTIONS_ID) == pytest.approx(every * full.interval(PREEMPTIONS_ID), rel=0.02)
    use = [s.values(KV_ID, first, last) for s in (full, thin)]
    assert not np.isnan(use).any()
    assert np.corrcoef(*use)[0, 1] > 0.7

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.statistics.buckets import log_value
from driftwatch.ticks.histograms import HistogramTicks
from driftwatch.ticks.tick import OUTCOMES, joined
from tests.ticks.test_tick import same

BOUNDS = (0.1, 0.25, 1.0, np.inf)
TTFT = "vllm:time_to_first_token_seconds_bucket"
FINISHED = "vllm:request_success_total"


def key(name, **labels):
    return SeriesKey(name, tuple(sorted(labels.items())))


def scraped(at, values, resets=(), every=1, **labels):
    """Scrapes of a histogram that saw ``values[k]`` between ``at[k - 1]`` and ``at[k]``, restarted before some."""
    counted, rows = np.zeros(len(BOUNDS)), []
    for k, seen in enumerate(values):
        counted = counted * (k not in resets) + [sum(v <= bound for v in seen) for bound in BOUNDS]
        rows.append(counted)
    table = np.array(rows)[::every]
    labels = {"model_name": "m"} | labels
    keys = [key(TTFT, le="+Inf" if np.isinf(b) else repr(b), **labels) for b in BOUNDS]
    times = np.asarray(at, float)[::every]
    series = np.repeat(np.arange(len(BOUNDS), dtype=np.int32), len(times))
    return Metrics(np.tile(times, len(BOUNDS)), series, table.T.ravel(), tuple(keys))


def take(metrics, rows):
    return Metrics(metrics.at[rows], metrics.series[rows], metrics.value[rows], metrics.keys)


EVERYTHING = 2**40  # a tick beyond all others


def collected(*batches, **settings):
    builder = HistogramTicks(Config.parse(settings))
    for metrics in batches:
        builder.add(metrics)
    return builder.close(EVERYTHING)


SEEN = st.lists(st.lists(st.sampled_from([0.05, 0.1, 0.2, 0.9, 7.0]), max_size=6), min_size=2, max_size=14)


@given(SEEN, st.sampled_from([1.0, 5.0, 15.0]))
def test_every_observation_is_counted_once_in_its_bucket(values, step):
    ticks = collected(scraped(np.arange(len(values)) * step, values))
    every = [v for seen in values[1:] for v in seen]  # what was counted before the first scrape has no time
    _, bucket, count = ticks.duration("ttft")
    found = dict.fromkeys(bucket.tolist(), 0)
    for b, c in zip(bucket.tolist(), count.tolist(), strict=True):
        found[b] += c
    edges = [0.0, *BOUNDS]
    middles = {b: np.exp(log_value(np.array([b])))[0] for b in found}
    for low, high in pairwise(edges):
        inside = sum(low < v <= high for v in every)
        assert sum(found[b] for b, middle in middles.items() if low < middle <= high) == inside
    assert ticks.count.sum() == len(every)


@settings(max_examples=60)
@given(SEEN, st.sets(st.integers(1, 13), max_size=2), st.lists(st.integers(0, 60), max_size=4), st.data())
def test_neither_the_cut_nor_the_order_in_a_batch_matters(values, resets, cuts, data):
    metrics = scraped(np.arange(len(values)) * 4.0, values, resets)
    whole = collected(metrics)
    in_time = np.argsort(metrics.at, kind="stable")
    edges = sorted({0, len(metrics), *(min(c, len(metrics)) for c in cuts)})
    parts = [np.array(data.draw(st.permutations(in_time[a:b].tolist())), int) for a, b in pairwise(edges)]
    assert same(collected(*(take(metrics, rows) for rows in parts)), whole)


def test_a_repeated_sample_changes_nothing_in_one_batch_or_in_two():
    metrics = scraped([0, 5, 10], [[], [0.2] * 4, [0.2] * 2])
    again = Metrics(
        np.tile(metrics.at, 2), np.tile(metrics.series, 2), np.append(metrics.value, metrics.value * 9), metrics.keys
    )
    assert same(collected(again), collected(metrics))
    assert same(collected(metrics, metrics), collected(metrics))
    last = take(metrics, metrics.at == 10)
    larger = Metrics(last.at, last.series, last.value * 9, last.keys)
    assert same(collected(metrics, larger), collected(metrics))


def test_a_restart_is_no_negative_count_and_loses_nothing():
    values = [[], [0.05] * 6, [0.2] * 9, [0.05] * 2, [7.0] * 3]
    ticks = collected(scraped(np.arange(5) * 5.0, values, resets={3}))
    assert ticks.count.min() > 0
    assert np.bincount(ticks.tick[ticks.row], weights=ticks.count).tolist() == [0, 6, 9, 2, 3]


@pytest.mark.parametrize("every", [1, 3, 7])
def test_the_total_is_the_growth_however_often_it_is_scraped(every):
    rng = np.random.default_rng(0)
    values = [rng.exponential(0.3, rng.poisson(8)) for _ in range(64)]
    metrics = scraped(np.arange(64) * 2.0, values, every=every)
    total = metrics.value[metrics.series == 3]
    ticks = collected(metrics)
    assert ticks.count.sum() == total[-1] - total[0]
    assert len(np.unique(ticks.tick)) <= len(total)


def test_replicas_are_segments_of_one_stream_and_add_up():
    a = scraped([0, 5, 10], [[], [0.2] * 4, []], pod="a")
    b = scraped([1, 6, 11], [[], [0.2] * 3, [0.9]], pod="b")
    both = Metrics(
        np.append(a.at, b.at), np.append(a.series, b.series + 4), np.append(a.value, b.value), a.keys + b.keys
    )
    builder = HistogramTicks(Config())
    builder.add(both)
    ticks = builder.close(EVERYTHING)
    assert set(ticks.stream.tolist()) == {0}
    assert builder.streams.title(0) == "model=m"
    assert {builder.segments.title(int(s)) for s in ticks.segment} == {"replica=a", "replica=b"}
    assert np.bincount(ticks.segment[ticks.row], weights=ticks.count).tolist() == [4, 4]
    assert same(collected(b, a), ticks)


def test_models_beyond_the_limit_are_other():
    parts = [scraped([0, 5], [[], [0.2]], model_name=f"m{k}") for k in range(3)]
    ticks = collected(*parts, streams={"max_streams": 1, "by": ["model"]})
    assert np.bincount(ticks.stream[ticks.row], weights=ticks.count).tolist() == [1, 2]


def test_finished_requests_are_requests_and_how_they_ended():
    grown = {"stop": [0, 5, 9], "length": [2, 3, 3], "abort": [0, 0, 2], "error": [0, 1, 1]}
    keys = tuple(key(FINISHED, finished_reason=reason, model_name="m") for reason in grown)
    metrics = Metrics(
        np.tile([0.0, 5.0, 10.0], 4),
        np.repeat(np.arange(4, dtype=np.int32), 3),
        np.array([*grown.values()], float).ravel(),
        keys,
    )
    ticks = collected(metrics)
    assert (ticks.tick.tolist(), ticks.requests.tolist()) == ([1, 2], [7, 6])
    outcomes = dict(zip(OUTCOMES, ticks.outcomes.T.tolist(), strict=True))
    assert outcomes == {"length_share": [1, 0], "abort_share": [0, 2], "error_share": [1, 0]}


def test_other_series_and_what_is_no_number_are_left_alone():
    nan = scraped([0, 5, 10], [[], [0.2] * 4, [0.2]])
    nan.value[nan.at == 5] = np.nan
    other = Metrics(np.array([0.0, 1.0]), np.zeros(2, np.int32), np.array([1.0, 2.0]), (key("go_goroutines"),))
    ticks = collected(other, nan)
    assert (ticks.tick.tolist(), ticks.count.sum()) == ([2], 5)
    assert len(collected(other)) == len(collected()) == 0
    builder = HistogramTicks(Config())
    builder.add(other)
    assert builder.final is None


def test_a_series_may_have_a_name_of_its_own():
    metrics = scraped([0, 5], [[], [0.2] * 4])
    renamed = Metrics(
        metrics.at, metrics.series, metrics.value, tuple(key("acme_bucket", **dict(k.labels)) for k in metrics.keys)
    )
    assert len(collected(renamed)) == 0
    assert collected(renamed, input={"series": {"acme_bucket": TTFT}}).count.sum() == 4


@given(st.sets(st.floats(1e-4, 1e3), min_size=1, max_size=8))
def test_a_bucket_stands_for_a_value_between_its_bounds(bounds):
    ordered = sorted(bounds)
    keys = tuple(key(TTFT, le=repr(b)) for b in ordered)
    n = len(ordered)
    value = np.column_stack([np.zeros(n), np.arange(1.0, n + 1)]).ravel()
    metrics = Metrics(np.tile([0.0, 5.0], n), np.repeat(np.arange(n, dtype=np.int32), 2), value, keys)
    _, bucket, count = collected(metrics).duration("ttft")
    assert count.sum() == n
    middle = np.repeat(np.exp(log_value(bucket)), count)
    edges = np.array([0.0, *ordered])
    assert (middle >= edges[:-1] * 0.99).all()
    assert (middle <= edges[1:] * 1.01).all()


def test_a_bucket_without_a_bound_is_left_alone():
    metrics = scraped([0, 5, 10], [[], [0.2] * 4, [0.2] * 2])
    odd = tuple(replace(k, labels=tuple((n, "wide" if n == "le" else v) for n, v in k.labels)) for k in metrics.keys)
    assert not len(collected(replace(metrics, keys=odd)))


@settings(max_examples=60)
@given(SEEN, st.sets(st.integers(1, 13), max_size=2), st.lists(st.integers(0, 60), max_size=4))
def test_ticks_handed_out_as_they_become_final_are_those_handed_out_at_the_end(values, resets, cuts):
    """Of two models, scraped one after the other; the second one appears first where the cuts are late."""
    parts = [scraped(np.arange(len(values)) * 4.0 + k, values, resets, model_name=f"m{1 - k}") for k in range(2)]
    builder, whole = HistogramTicks(Config()), HistogramTicks(Config())
    found = []
    for end in (*sorted(cuts), 100):
        for part in parts:
            builder.add(take(part, part.at < end))  # samples that were there before are left alone
        found.append(builder.close())
    for part in parts:
        whole.add(part)
    assert same(joined(found), whole.close(builder.closed))
    assert builder.streams.known == whole.streams.known

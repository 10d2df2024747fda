import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config, Text
from driftwatch.embedding.reading import TextReader
from driftwatch.events.columns import NUMBERS, Coded, concat_requests, requests_of
from driftwatch.events.texts import Texts
from driftwatch.statistics.buckets import bucket_of
from driftwatch.ticks import TickBuilder, merge
from driftwatch.ticks.tick import OUTCOMES, SCALE
from tests.ticks.test_tick import same

WIDTH, LATENESS = 5.0, 10.0
READER = TextReader(Text(dimensions=16))
CONFIG = Config.parse({"streams": {"max_streams": 2, "max_segments": 2}})


def batch(*rows, **common):
    """Requests from dictionaries: numbers, ``id``, ``failed``, ``finish``, and labels."""
    rows = [common | row for row in rows]
    names = ("model", "route", "tenant")
    said = Texts.of(len(rows), response=[row.get("says") for row in rows])
    known = any("says" in row for row in rows)
    return requests_of(
        len(rows),
        **{name: [row.get(name, np.nan) for row in rows] for name in NUMBERS},
        id_hash=[row.get("id", 0) for row in rows],
        failed=[row.get("failed", False) for row in rows],
        finish_reason=Coded.of(row.get("finish") for row in rows),
        labels={name: Coded.of(row.get(name) for row in rows) for name in names if any(name in row for row in rows)},
        scores={"judge": np.array([row.get("judge", np.nan) for row in rows])},
        answers=READER.read(requests_of(len(rows), texts=said)).answers if known else None,
    )


def collected(parts, config=CONFIG):
    """Everything that a builder hands out for these batches, and the builder."""
    builder = TickBuilder(config)
    found = []
    for part in parts:
        builder.add(part)
        found.append(builder.close())
    newest = builder.watermark
    return merge([*found, builder.close(int(newest // WIDTH) if np.isfinite(newest) else None)]), builder


def counters(builder):
    names = [(n.overflow, list(n.known)) for n in (builder.streams, builder.segments)]
    return builder.taken, builder.late, builder.duplicates, names


MAYBE = st.sampled_from([np.nan, 0.0, 1.0, 130.0])
REQUEST = st.fixed_dictionaries(
    {
        "at": st.integers(0, 24).map(lambda k: k * 2.5),
        "took": st.sampled_from([0.5, 0.5, 7.0, 40.0, np.nan]),
        "running": st.integers(0, 9).map(lambda k: k == 0),
        "id": st.sampled_from([0, 0, 1, 2, 3]),
        "model": st.sampled_from([None, "a", "b", "c"]),
        "tenant": st.sampled_from([None, "x", "y", "z"]),
        "says": st.sampled_from([None, "", "Yes.", "It was the best of times"]),
        "judge": st.sampled_from([np.nan, 0.0, 0.5]),
        "prompt_tokens": MAYBE,
        "output_tokens": MAYBE,
        "cached_tokens": MAYBE,
        "ttft": st.sampled_from([np.nan, 0.0, 0.1, 0.1001, 3.0]),
        "failed": st.booleans(),
        "finish": st.sampled_from([None, "stop", "length", "abort", "error"]),
    }
)


def request(row):
    """A row of the strategy as one of `batch`."""
    took = row["took"]
    times = {"started_at": row["at"]} if row["running"] else {"completed_at": row["at"], "started_at": row["at"] - took}
    return row | times | {"latency": np.nan if row["running"] else took}


REQUESTS = st.lists(REQUEST.map(request), min_size=1, max_size=25).map(lambda rows: batch(*rows))


@settings(max_examples=150)
@given(REQUESTS, st.lists(st.integers(0, 25), max_size=5), st.data())
def test_neither_the_cut_nor_the_order_within_the_lateness_leaves_a_trace(requests, cuts, data):
    n = len(requests)
    whole, builder = collected([requests])
    delay = data.draw(st.lists(st.floats(0, LATENESS - 0.01), min_size=n, max_size=n))
    order = np.argsort(requests.at + np.array(delay), kind="stable")
    edges = sorted({0, n, *(min(c, n) for c in cuts)})
    parts, other = collected([requests.take(order[a:b]) for a, b in pairwise(edges)])
    assert same(parts, whole)
    assert counters(other) == counters(builder)
    assert other.late == 0


@settings(max_examples=60)
@given(REQUESTS, st.randoms(use_true_random=False), st.lists(st.integers(0, 25), max_size=5))
def test_no_request_is_lost_silently(requests, random, cuts):
    n = len(requests)
    order = np.array(random.sample(range(n), n))
    edges = sorted({0, n, *(min(c, n) for c in cuts)})
    ticks, builder = collected([requests.take(order[a:b]) for a, b in pairwise(edges)])
    done = int((~np.isnan(requests.completed_at)).sum())
    assert ticks.requests.sum() == builder.taken
    assert done - builder.taken <= builder.late + builder.duplicates <= n - builder.taken


def test_a_request_belongs_to_the_tick_of_its_completion_and_is_begun_in_that_of_its_start():
    ticks, _ = collected([batch({"started_at": 4.0, "completed_at": 21.0, "prompt_tokens": 30, "output_tokens": 12})])
    assert (ticks.tick.tolist(), ticks.requests.tolist()) == ([4], [1])
    assert ticks.flow_known.tolist() == [4, 4]
    assert ticks.flow_tick.tolist() == [0, 4]
    assert ticks.started.tolist() == [1, 0]
    assert ticks.started_tokens.tolist() == [42, 0]
    assert ticks.ended_tokens.tolist() == [0, 42]


def test_a_request_in_flight_is_begun_and_not_completed():
    ticks, builder = collected([batch({"started_at": 11.0, "prompt_tokens": 30}, {"started_at": 12.0})])
    assert len(ticks) == builder.taken == 0
    assert (ticks.flow_tick.tolist(), ticks.started.tolist()) == ([2], [2])
    assert ticks.started_tokens.sum() == ticks.ended_tokens.sum() == 0


def test_an_end_is_booked_on_the_start_that_was_told_of():
    start = {"started_at": 11.0, "id": 7}
    for end in ({"completed_at": 42.0}, {"completed_at": 42.0, "started_at": 17.0}):
        ticks, _ = collected([batch(start, {**start, "started_at": 26.0}, {**end, "id": 7})])
        told = {
            (int(known), int(tick)): int(n)
            for known, tick, n in zip(ticks.flow_known, ticks.flow_tick, ticks.announced, strict=True)
            if n
        }
        assert told == {(2, 2): 1, (8, 2): -1}


def test_without_ids_and_where_the_end_is_known_nothing_is_announced():
    ticks, _ = collected([batch({"started_at": 11.0}, {"started_at": 4.0, "completed_at": 21.0, "id": 3})])
    assert not ticks.announced.any()


def test_without_a_start_no_tokens_are_held():
    ticks, _ = collected([batch({"completed_at": 11.0, "prompt_tokens": 30})])
    assert ticks.requests.tolist() == [1]
    assert len(ticks.flow_tick) == 0


def test_values_are_counted_in_their_buckets_and_what_was_not_measured_is_not():
    rows = [{"ttft": 0.1, "latency": 2.0}, {"ttft": 0.1, "latency": 0.0}, {"ttft": np.nan, "latency": 2.1, "itl": 0.02}]
    ticks, _ = collected([batch(*rows, completed_at=3.0)])
    ((low,), (tenth,), (two,)) = (bucket_of(np.array([v])) for v in (0.02, 0.1, 2.0))
    assert [a.tolist() for a in ticks.duration("ttft")] == [[0], [tenth], [2]]
    assert [a.tolist() for a in ticks.duration("itl")] == [[0], [low], [1]]
    assert ticks.duration("latency")[1].tolist() == [two, bucket_of(np.array([2.1]))[0]]
    assert len(ticks.duration("queue_time")[0]) == 0


def test_tokens_are_summed_in_fixed_point_by_workload():
    rows = [{"prompt_tokens": p, "output_tokens": 9, "cached_tokens": 0} for p in (100, 101, 3000)]
    ticks, _ = collected([batch(*rows, {}, completed_at=3.0)])
    assert ticks.requests.tolist() == [2, 1, 1]  # 100 and 101 share a cell; unknown is a cell of its own
    logs = [round(math.log1p(p) * SCALE) for p in (100, 101, 3000)]
    assert ticks.log_tokens[:, 0].tolist() == [logs[0] + logs[1], logs[2], 0]
    assert ticks.log_tokens[:, 1].tolist() == [2 * round(math.log(10) * SCALE), round(math.log(10) * SCALE), 0]


@pytest.mark.parametrize(
    ("row", "counted"),
    [
        ({"finish": "length"}, "length_share"),
        ({"finish": "max_tokens"}, "length_share"),
        ({"finish": "abort"}, "abort_share"),
        ({"finish": "cancelled"}, "abort_share"),
        ({"finish": "error"}, "error_share"),
        ({"finish": "stop", "failed": True}, "error_share"),
        ({"finish": "stop"}, None),
        ({}, None),
    ],
)
def test_how_a_request_ended(row, counted):
    ticks, _ = collected([batch(row, completed_at=3.0)])
    assert ticks.outcomes.tolist() == [[int(name == counted) for name in OUTCOMES]]


def test_a_tick_is_final_one_lateness_after_its_end():
    builder = TickBuilder(CONFIG)
    assert builder.final is None
    assert len(builder.close()) == 0
    builder.add(batch({"completed_at": 2.0}, {"completed_at": 14.99}))
    assert builder.final == -1
    assert len(builder.close()) == 0
    builder.add(batch({"completed_at": 15.0}))
    assert builder.final == 0
    assert builder.close().tick.tolist() == [0]
    assert len(builder.close()) == 0


def test_rows_of_a_final_tick_are_late_and_counted():
    builder = TickBuilder(CONFIG)
    builder.add(batch({"completed_at": 30.0}))
    first = builder.close()
    builder.add(batch({"completed_at": 19.9}, {"started_at": 3.0}, {"completed_at": 20.0}))
    second = builder.close(6)
    assert builder.late == 2
    assert merge([first, second]).tick.tolist() == [4, 6]
    assert builder.taken == 2


def test_of_one_id_the_first_in_event_time_counts_whatever_came_first():
    first, again = {"id": 7, "completed_at": 8.0, "ttft": 0.1}, {"id": 7, "completed_at": 17.0, "ttft": 9.0}
    for rows in ((first, again), (again, first)):
        for parts in ([batch(*rows)], [batch(row) for row in rows]):
            ticks, builder = collected(parts)
            assert (ticks.tick.tolist(), builder.duplicates, builder.taken) == ([1], 1, 1)
            assert ticks.code.tolist() == [bucket_of(np.array([0.1]))[0]]


@pytest.mark.parametrize("name", ["model", "tenant", "ttft", "cached_tokens", "finish", "failed"])
def test_what_arrived_first_of_one_time_and_id_does_not_matter(name):
    values = {"model": ["b", "a"], "tenant": ["b", None], "finish": ["length", "stop"], "failed": [True, False]}
    a, b = ({"completed_at": 3.0, name: value, "id": 7} for value in values.get(name, [2.0, 1.0]))
    whole, _ = collected([batch(a, b)])
    assert whole.requests.sum() == 1
    assert same(collected([batch(b, a)])[0], whole)
    assert same(collected([batch(b), batch(a)])[0], whole)


def test_an_id_is_remembered_across_ticks_but_only_for_the_lateness():
    builder = TickBuilder(CONFIG)
    found = []
    for at in (1.0, 11.0, 21.5, 32.0, 42.0):  # 10, 10.5, 10.5 and 10 s apart
        builder.add(batch({"id": 7, "completed_at": at}, {"completed_at": at + 20}))
        found.append(builder.close())
    assert builder.duplicates == 2
    assert len(builder._recent_ids) <= 2


def test_an_id_is_remembered_when_a_later_row_of_its_tick_was_handed_out():
    builder = TickBuilder(CONFIG)
    builder.add(batch({"id": 7, "completed_at": 0.5}, {"completed_at": 9.9}, {"completed_at": 24.9}))
    assert builder.close().requests.sum() == 2
    builder.add(batch({"id": 7, "completed_at": 10.4}, {"completed_at": 30.0}))
    assert builder.close(6).requests.sum() == 2
    assert builder.duplicates == 1


def test_without_an_id_nothing_is_a_duplicate():
    _, builder = collected([batch(*[{"id": 0, "completed_at": 3.0}] * 5)])
    assert (builder.taken, builder.duplicates) == (5, 0)


def test_streams_beyond_the_limit_are_other_and_counted():
    rows = [{"completed_at": 1.0 + k, "model": f"m{k % 4}", "tenant": f"t{k % 5}"} for k in range(20)]
    ticks, builder = collected([batch(*rows)])
    assert [builder.streams.title(k) for k in range(3)] == ["model=m0", "model=m1", "other"]
    assert [ticks.of_stream(k).requests.sum() for k in range(3)] == [5, 5, 10]
    assert builder.streams.overflow == 10
    assert builder.segments.overflow == 12
    assert set(ticks.segment.tolist()) == {0, 1, 2}


def test_memory_holds_only_what_is_not_final():
    builder = TickBuilder(CONFIG)
    rng = np.random.default_rng(0)
    for k in range(300):
        at = 2.0 * k + rng.random(50) * LATENESS
        builder.add(requests_of(50, completed_at=at, id_hash=rng.integers(1, 2**60, 50)))
        builder.close()
    assert sum(map(len, builder.waiting)) < 50 * (LATENESS + 2 * WIDTH)
    assert len(builder._recent_ids) < 50 * (LATENESS + 2 * WIDTH)


def test_wild_times_do_not_mix_up_keys():
    """Starts at the epoch and completions in the far future, in streams and segments at once."""
    rows = [
        {
            "completed_at": 1.8e9 * (1 + k % 2),
            "started_at": 1.8e9 * (k % 2),
            "model": f"m{k % 2}",
            "tenant": f"t{k % 2}",
        }
        for k in range(24)
    ]
    ticks, builder = collected([batch(*rows)], Config.parse({"ticks": {"width_s": 0.001, "lateness_s": 0.0}}))
    assert builder.taken == ticks.requests.sum()
    whole, _ = collected([concat_requests([batch(row) for row in rows])])
    assert (whole.requests.sum(), whole.started.sum()) == (24, 24)
    assert len(whole) == len({(r["completed_at"], r["model"]) for r in rows})


def test_a_request_seen_in_flight_and_then_completed_is_one_completed_request():
    rows = [{"id": 7, "started_at": 1.0}, {"id": 7, "started_at": 1.0, "completed_at": 8.0}]
    ticks, builder = collected([batch(*rows)])
    assert (builder.taken, ticks.started.sum()) == (1, 1)


def test_a_completion_does_not_take_the_start_of_another_request():
    rows = [{"id": 1, "started_at": 1.0}, {"id": 2, "started_at": 2.0, "completed_at": 8.0}]
    again = {"id": 1, "started_at": 1.0, "completed_at": 40.0}
    ticks, _ = collected([batch(*rows), batch(again), batch(again | {"completed_at": 55.0})])
    assert ticks.started.sum() == 3  # of 1 when it was in flight, of 2, and of 1 when its id was used again
    assert ticks.requests.sum() == 3

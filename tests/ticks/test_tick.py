from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.statistics.buckets import BUCKETS
from driftwatch.ticks.tick import HISTOGRAMS, SCALE, Ticks, empty, group_by, grouped, merge

SMALL = st.integers(0, 2)
ROW = st.tuples(SMALL, SMALL, SMALL, st.sampled_from([0, 1, 2_097_151]), st.integers(0, 4), st.integers(0, 2**40))
CODES = st.sampled_from([0, BUCKETS - 1, BUCKETS, len(HISTOGRAMS) * BUCKETS - 1])
FLOW = st.tuples(SMALL, SMALL, SMALL, SMALL, st.integers(0, 3), st.integers(0, 99), st.integers(0, 99))


def column(rows, k):
    return np.array([row[k] for row in rows], np.int64)


def made(rows, buckets, flow):
    """Ticks of the plain rows; a bucket names its row by a number of any size."""
    buckets = [(b[0] % len(rows), *b[1:]) for b in buckets] if rows else []
    wide = np.array([[r[5], r[4], 1] for r in rows], np.int64).reshape(-1, 3)
    return grouped(
        **{n: column(rows, k) for k, n in enumerate(("tick", "stream", "segment", "cell", "requests"))},
        log_tokens=wide,
        outcomes=wide // 2,
        **{n: column(buckets, k) for k, n in enumerate(("row", "code", "count"))},
        flow_known=column(flow, 0),
        flow_stream=column(flow, 1),
        flow_segment=column(flow, 2),
        flow_tick=column(flow, 3),
        started=column(flow, 4),
        started_tokens=column(flow, 5),
        ended_tokens=column(flow, 6),
        announced=column(flow, 4),
    )


BUCKET = st.tuples(st.integers(0, 99), CODES, st.integers(1, 9))
TICKS = st.builds(made, st.lists(ROW, max_size=12), st.lists(BUCKET, max_size=12), st.lists(FLOW, max_size=8))


def same(a, b):
    """Bit-identical, types and all."""
    for name in (f.name for f in fields(Ticks) if f.name != "answered"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype == np.int64, name
        np.testing.assert_array_equal(left, right, name)
    one, other = (plain(ticks.answered) for ticks in (a, b))
    assert one.keys() == other.keys()
    for name, left in one.items():
        assert left.dtype == other[name].dtype, name
        np.testing.assert_array_equal(left, other[name], name)
    return True


def plain(answered):
    """Answers as arrays by name."""
    columns = {f.name: getattr(answered, f.name) for f in fields(answered) if f.name not in ("said", "scores")}
    columns |= {f"score {name}": column for name, column in answered.scores.items()}
    return columns | ({} if answered.said is None else answered.said.arrays())


def contents(ticks):
    """The same as three plain dictionaries, added up by brute force."""
    keys = list(zip(ticks.tick, ticks.stream, ticks.segment, ticks.cell, strict=True))
    rows, buckets, flow = {}, {}, {}

    def add(table, key, numbers):
        table[key] = tuple(np.add(table.get(key, 0), numbers).tolist())

    for k, key in enumerate(keys):
        add(rows, key, (ticks.requests[k], *ticks.log_tokens[k], *ticks.outcomes[k]))
    for row, code, count in zip(ticks.row, ticks.code, ticks.count, strict=True):
        add(buckets, (*keys[row], code), (count,))
    for k in range(len(ticks.flow_tick)):
        key = (ticks.flow_known[k], ticks.flow_stream[k], ticks.flow_segment[k], ticks.flow_tick[k])
        add(flow, key, (ticks.started[k], ticks.started_tokens[k], ticks.ended_tokens[k], ticks.announced[k]))
    return rows, buckets, flow


def added(*parts):
    """Contents of several, added up by brute force."""
    total = ({}, {}, {})
    for part in parts:
        for table, found in zip(total, contents(part), strict=True):
            for key, numbers in found.items():
                table[key] = tuple(np.add(table.get(key, 0), numbers).tolist())
    return total


@given(st.lists(TICKS, max_size=4), st.randoms(use_true_random=False))
def test_merging_is_exact_and_the_same_in_any_order(parts, random):
    whole = merge(parts)
    assert contents(whole) == added(*parts)
    assert same(merge(random.sample(parts, len(parts))), whole)


@given(TICKS, TICKS, TICKS)
def test_merging_is_associative_and_of_nothing_it_changes_nothing(a, b, c):
    assert same(merge([merge([a, b]), c]), merge([a, merge([b, c])]))
    assert same(merge([a, empty()]), a)
    assert same(merge([merge([a])]), a)


@given(TICKS)
def test_rows_are_sorted_and_unique(ticks):
    rows = list(zip(ticks.tick, ticks.stream, ticks.segment, ticks.cell, strict=True))
    buckets = list(zip(ticks.row, ticks.code, strict=True))
    flow = list(zip(ticks.flow_known, ticks.flow_stream, ticks.flow_segment, ticks.flow_tick, strict=True))
    for keys in (rows, buckets, flow):
        assert keys == sorted(set(keys))


@given(TICKS)
def test_streams_partition_the_whole(ticks):
    parts = [ticks.of_stream(k) for k in range(4)]
    assert same(merge(parts), ticks)
    for k, part in enumerate(parts):
        assert set(part.stream.tolist()) | set(part.flow_stream.tolist()) <= {k}


@given(TICKS, st.integers(0, 3), st.integers(0, 2))
def test_ticks_partition_the_whole(ticks, cut, stream):
    parts = [ticks.between(-5, cut - 1), ticks.between(cut, cut), ticks.between(cut + 1, 99)]
    assert same(merge(parts), ticks)
    assert set(parts[1].tick.tolist()) | set(parts[1].flow_known.tolist()) <= {cut}
    assert same(parts[0].of_stream(stream), ticks.of_stream(stream).between(-5, cut - 1))


@given(TICKS)
def test_a_duration_is_found_again_under_its_name(ticks):
    found = {}
    for k, name in enumerate(HISTOGRAMS):
        row, bucket, count = ticks.duration(name)
        assert ((bucket >= 0) & (bucket < BUCKETS)).all()
        found |= {(r, k * BUCKETS + b): c for r, b, c in zip(row, bucket, count, strict=True)}
    assert found == dict(zip(zip(ticks.row, ticks.code, strict=True), ticks.count, strict=True))


@given(TICKS)
def test_mean_tokens_are_means(ticks):
    mean = ticks.mean_log_tokens()
    assert mean.shape == (len(ticks), 3)
    for row, total, n in zip(mean, ticks.log_tokens, ticks.requests, strict=True):
        assert np.allclose(row * max(n, 1) * SCALE, total, rtol=1e-12)


def test_a_tick_may_hold_nothing_but_a_beginning():
    began = made([], [], [(5, 0, 0, 3, 1, 0, 0)])
    assert len(began) == 0
    assert merge([began, began]).started.tolist() == [2]
    assert merge([began]).between(5, 5).started.tolist() == [1]


WILD = st.integers(-(2**60), 2**60) | SMALL


@settings(max_examples=200)
@given(st.lists(st.tuples(WILD, WILD, WILD), max_size=20))
def test_groups_are_those_of_sorting_tuples_however_wild_the_keys(rows):
    keys = [column(rows, k) for k in range(3)]
    first, group = group_by(*keys)
    order = sorted(set(rows))
    assert [rows[k] for k in first] == order
    assert [order[k] for k in group] == rows
    assert [rows.index(row) for row in order] == first.tolist()

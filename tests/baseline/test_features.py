import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.baseline.features import FEATURES, LOAD_SPAN, Seen, load_of, unpack, used, work_of, workload_of
from driftwatch.statistics.buckets import CELLS, UNKNOWN_CELL, cell_of
from driftwatch.ticks import TickBuilder
from tests.ticks.test_builder import CONFIG, batch

COUNTS = st.lists(st.integers(0, 50).map(float) | st.just(math.nan), min_size=1, max_size=30)
NOTHING = np.empty(0)


@given(COUNTS)
def test_the_load_is_the_mean_of_the_last_ticks_that_are_known(counts):
    found = load_of(np.array(counts), NOTHING)
    for k in range(len(counts)):
        known = [c for c in counts[max(0, k - LOAD_SPAN + 1) : k + 1] if not math.isnan(c)]
        assert found[k] == pytest.approx(math.log((sum(known) / len(known) if known else 0.0) + 0.5))


@given(COUNTS, COUNTS)
def test_the_load_does_not_see_where_the_ticks_were_cut(earlier, later):
    counts, cut = np.array(earlier + later), len(earlier)
    parts = load_of(counts[:cut], NOTHING), load_of(counts[cut:], counts[:cut][-(LOAD_SPAN - 1) :])
    assert np.array_equal(np.concatenate(parts), load_of(counts, NOTHING))


def test_each_signal_is_judged_by_what_it_is_given():
    def names(*given):
        return [name for name, is_used in zip(FEATURES, used(given), strict=True) if is_used]

    assert names() == ["one"]
    assert names("prompt") == ["one", "prompt", "prompt_squared"]
    assert names("cached") == ["one", "prefill", "prefill_squared"]
    assert names("prompt", "output", "cached", "load") == list(FEATURES)


def test_work_is_what_the_cache_leaves_of_prompts_and_what_is_generated():
    builder = TickBuilder(CONFIG)
    rows = [{"prompt_tokens": 99, "output_tokens": 9, "cached_tokens": 60}, {"prompt_tokens": 9}, {}]
    builder.add(batch(*rows, completed_at=1.0))
    ticks = builder.close(0)
    assert work_of(ticks, np.array([3.0, 0.0]), 0) == pytest.approx([3 + (99 - 60) + 9 + 9, 0.0], rel=1e-5)
    assert np.isnan(work_of(ticks, np.array([np.nan]), 0)).all()


def test_a_design_is_centred_and_what_is_not_known_is_average():
    builder = TickBuilder(CONFIG)
    rows = [{"prompt_tokens": 99, "output_tokens": 9}, {"prompt_tokens": 9, "cached_tokens": 4}]
    builder.add(batch(*rows, completed_at=1.0))
    ticks = builder.close(0)
    workload = workload_of(ticks, np.array([2.0]), 0)
    by_prompt = np.argsort(workload.logs[:, 0])
    design = workload.design(np.array([math.log(10), math.log(2), math.log(5), 1.5, 1.0]))[by_prompt]
    assert design == pytest.approx(
        np.array(
            [
                [1, 0, 0, math.log(6 / 5), 0, 0, math.log(6 / 5) ** 2, 0.5],
                [1, math.log(10), math.log(5), 0, math.log(10) ** 2, math.log(5) ** 2, 0, 0.5],
            ]
        ),
        abs=1e-5,
    )
    assert workload.between(0, 0).requests.tolist() == [1, 1]
    assert len(workload.between(1, 9).tick) == 0


@given(st.lists(st.tuples(*[st.integers(0, CELLS - 1)] * 3), max_size=9))
def test_cells_are_unpacked_as_they_were_packed(cells):
    packed = np.array([(a * CELLS + b) * CELLS + c for a, b, c in cells], np.int64)
    assert unpack(packed).tolist() == [list(c) for c in cells]


def seen_of(prompts):
    seen = Seen.nothing()
    seen.add(cells_of(prompts), np.ones(len(prompts)))
    return seen


def cells_of(prompts):
    cells = cell_of(np.array(prompts, float))
    return np.stack([cells, np.full(len(cells), 20), np.full(len(cells), UNKNOWN_CELL)], axis=1)


def test_the_learnt_range_leaves_out_its_ends_and_reaches_a_cell_further():
    seen = seen_of(np.concatenate([np.full(3, 10), np.linspace(100, 1000, 994), np.full(3, 90_000)]))
    inside = seen.covers(cells_of([10, 60, 90, 100, 500, 1000, 1150, 1500, 90_000, np.nan]))
    assert inside.tolist() == [False, False, True, True, True, True, True, False, False, False]


def test_what_was_never_known_is_inside_only_if_it_was_unknown_while_learning():
    seen = seen_of([100, 200, np.nan])
    assert seen.covers(cells_of([150, np.nan])).tolist() == [True, True]
    assert not Seen.nothing().covers(cells_of([150, np.nan])).any()
    known = cells_of([150])
    known[:, 2] = 20  # cached tokens were never known, and now they are
    assert not seen.covers(known).any()

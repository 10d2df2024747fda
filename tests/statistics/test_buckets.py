import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.buckets import BUCKETS, CELLS, UNKNOWN_CELL, WIDTH, bucket_of, cell_of, log_value

MEASURABLE = st.floats(2e-9, 5e8)


@given(st.lists(MEASURABLE, min_size=1))
def test_a_value_is_known_to_within_half_a_bucket(values):
    values = np.array(values)
    assert np.abs(log_value(bucket_of(values)) - np.log(values)).max() <= WIDTH / 2 + 1e-12


@given(st.lists(MEASURABLE, min_size=2))
def test_a_larger_value_is_never_in_a_smaller_bucket(values):
    assert (np.diff(bucket_of(np.sort(np.array(values)))) >= 0).all()


def test_what_lies_outside_goes_into_the_end_buckets():
    assert bucket_of(np.array([0.0, 5e-324, 1e-30, 1e30, np.inf])).tolist() == [0, 0, 0, BUCKETS - 1, BUCKETS - 1]


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint16])
def test_buckets_of_any_integer_type_have_values(kind):
    assert log_value(np.array([0, BUCKETS - 1], kind)).tolist() == pytest.approx(
        [-BUCKETS / 2 * WIDTH, (BUCKETS / 2 - 1) * WIDTH]
    )


def test_of_nothing_there_is_nothing():
    assert len(bucket_of(np.empty(0))) == len(cell_of(np.empty(0))) == len(log_value(np.empty(0))) == 0


@given(st.lists(st.integers(0, 10**9), min_size=2))
def test_cells_grow_with_the_tokens_and_never_mean_unknown(tokens):
    cells = cell_of(np.sort(np.array(tokens, float)))
    assert (np.diff(cells) >= 0).all()
    assert cells.min() >= 0
    assert cells.max() < UNKNOWN_CELL


@given(st.integers(1, 10**8))
def test_four_cells_make_an_octave(tokens):
    cells = cell_of(np.array([tokens, 2.0 * tokens + 1.0]))
    assert cells[1] - cells[0] == 4


def test_the_end_cells():
    assert cell_of(np.array([np.nan, 0.0, 1e300])).tolist() == [UNKNOWN_CELL, 0, CELLS - 2]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.embedding import vectors_of
from driftwatch.embedding.protocol import LONGEST
from driftwatch.errors import InputError

ROWS = st.one_of(
    st.none(),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
    st.lists(st.one_of(st.floats(), st.integers(), st.none(), st.text(max_size=2), st.booleans()), max_size=4),
    st.one_of(
        st.text(max_size=3), st.integers(), st.binary(max_size=3), st.dictionaries(st.text(max_size=1), st.floats())
    ),
    st.lists(st.lists(st.floats(), max_size=2), max_size=2),
)


@given(st.lists(ROWS, max_size=8), st.sampled_from([None, 3]))
def test_every_row_is_a_vector_or_missing_or_counted(rows, dimensions):
    found = vectors_of(rows, len(rows), dimensions)
    assert found.matrix.dtype == np.float32
    assert len(found.matrix) == len(rows)
    absent = np.isnan(found.matrix).all(axis=1)
    assert np.isfinite(found.matrix[~absent]).all()
    missing = sum(row is None for row in rows)
    unsaid = sum(isinstance(row, list) and bool(row) and all(x != x for x in row) for row in rows)
    assert missing <= absent.sum() - sum(found.refused.values()) <= missing + unsaid


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int8", "uint64"])
def test_arrays_of_any_number_type(kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    for value in (array, list(array), array.tolist(), tuple(array)):
        found = vectors_of(value, 2)
        assert found.matrix.dtype == np.float32
        assert found.matrix.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert not found.refused


def test_the_caller_keeps_its_array():
    array = np.array([[1.0, np.inf]], np.float32)
    assert np.isnan(vectors_of(array, 1).matrix).all()
    assert array[0, 0] == 1.0


def test_columns_of_objects_are_read_by_row():
    column = np.empty(3, object)
    column[:] = [[1.0, 2.0], None, np.array([3.0, 4.0], np.float16)]
    found = vectors_of(column, 3)
    np.testing.assert_array_equal(found.matrix, [[1, 2], [np.nan, np.nan], [3, 4]])


def test_no_vectors_at_all():
    assert vectors_of(None, 3, 5).matrix.shape == (3, 5)
    assert vectors_of([None, None], 2).matrix.shape == (2, 0)
    assert vectors_of([], 0, 4).matrix.shape == (0, 4)
    assert np.isnan(vectors_of(None, 3, 5).matrix).all()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1.0], "1 dimensions, not 2"),
        ([1.0, np.nan], "not finite"),
        ([1.0, 1e300], "not finite"),
        (["0.1", "0.2"], "not a list of numbers"),
        ([1.0, None], "not a list of numbers"),
        ([True, False], "not a list of numbers"),
        ([1j, 2j], "not a list of numbers"),
        ([[1.0, 2.0]], "not a list of numbers"),
        ([[1.0], [2.0, 3.0]], "not a list of numbers"),
        (b"ab", "not a list of numbers"),
        (0.5, "not a list of numbers"),
        ([], "no dimensions"),
        (np.zeros(LONGEST + 1), f"more than {LONGEST} dimensions"),
    ],
)
def test_a_bad_row_is_left_out_and_counted(row, reason):
    found = vectors_of([[1.0, 2.0], row, [3.0, 4.0]], 3)
    assert dict(found.refused) == {reason: 1}
    assert np.isnan(found.matrix[1]).all()
    assert found.matrix[[0, 2]].tolist() == [[1, 2], [3, 4]]


def test_no_reason_holds_a_value():
    found = vectors_of([["my secret"], {"my secret": 1}, [1.0]], 3)
    assert "secret" not in str(found.refused)


def test_most_rows_say_how_many_dimensions_there_are_unless_the_caller_does():
    rows = [[1.0], [1.0, 2.0], [3.0, 4.0]]
    assert vectors_of(rows, 3).matrix.shape == (3, 2)
    assert vectors_of(rows, 3, 1).matrix[0].tolist() == [1.0]
    for tie in ([8, 16], [16, 8]):
        assert vectors_of([np.zeros(length) for length in tie], 2).matrix.shape == (2, 8)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.zeros((2, 3)), "shape \\(2, 3\\)"),
        (np.zeros(3), "shape \\(3,\\)"),
        (np.zeros((3, 2), complex), "complex128"),
        (np.zeros((3, 2), bool), "bool"),
        (np.zeros((3, 0)), "0 dimensions, not 1 to"),
        (np.zeros((3, LONGEST + 1)), "dimensions"),
        ([[1.0]], "1 vectors for 3 rows"),
        (0.5, "float is not 3 vectors"),
    ],
)
def test_what_is_wrong_as_a_whole_is_an_error(value, match):
    with pytest.raises(InputError, match=match):
        vectors_of(value, 3)


def test_an_array_of_other_dimensions_is_another_encoder():
    with pytest.raises(InputError, match="5 dimensions, not 4: was the encoder changed"):
        vectors_of(np.zeros((3, 5)), 3, 4)

"""Products of whole numbers: the same to the bit however rows are cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.exact import product, whole, whole_matrix


@given(st.integers(0, 99), st.integers(0, 200), st.integers(0, 200))
def test_a_row_is_the_same_whatever_is_beside_it(seed, a, b):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-(2**15), 2**15, (200, 300)).astype(float)
    matrix = rng.integers(-(2**15), 2**15, (300, 40)).astype(float)
    first, last = sorted((a, b))
    assert np.array_equal(product(rows[first:last], matrix), product(rows, matrix)[first:last])


def test_many_rows_at_once_are_the_same_as_few():
    rng = np.random.default_rng(1)
    rows = rng.integers(-(2**15), 2**15, (5000, 64)).astype(float)
    matrix = rng.integers(-(2**15), 2**15, (64, 16)).astype(float)
    assert np.array_equal(product(rows, matrix)[:100], product(rows[:100], matrix))
    exact = [sum(int(x) * int(y) for x, y in zip(rows[7], column, strict=True)) for column in matrix.T]
    assert product(rows, matrix)[7].tolist() == exact


def test_whole_numbers_are_near_what_they_stand_for():
    matrix = np.random.default_rng(2).normal(size=(9, 9))
    steps, step = whole_matrix(matrix)
    assert np.abs(steps * step - matrix).max() <= step / 2 + 1e-12
    assert np.abs(steps).max() <= 2**15
    assert whole(np.array([1.0, -0.5])).tolist() == [1024.0, -512.0]
    assert whole_matrix(np.zeros((2, 2)))[1] == 1.0

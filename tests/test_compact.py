"""Columns that are compressed come back as they were."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from driftwatch.detectors.learnt import Learnt
from driftwatch.state.compact import compressed, expanded, single

WHOLE = arrays.arrays(np.int64, st.shared(st.integers(0, 40), key="n"), elements=st.integers(-(2**61), 2**61))
BROKEN = arrays.arrays(np.float32, st.shared(st.integers(0, 40), key="n"), elements=st.floats(width=32))


@given(st.lists(WHOLE | BROKEN, min_size=1, max_size=5))
def test_what_is_compressed_comes_back(columns):
    kinds, data = compressed(columns)
    found = expanded(kinds, len(columns[0]), data)
    assert len(found) == len(columns)
    for one, other in zip(found, columns, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@given(arrays.arrays(np.float64, st.integers(0, 9), elements=st.floats()))
def test_numbers_are_good_to_seven_digits_and_finite_ones_stay_finite(values):
    kept = single(values)
    assert np.array_equal(np.isnan(kept), np.isnan(values))
    usual = (np.abs(values) < 1e38) & (np.abs(values) > 1e-30)
    np.testing.assert_allclose(kept[usual], values[usual], rtol=1e-7)
    assert np.isfinite(kept[np.isfinite(values)]).all()


@given(st.integers(100, 600), st.lists(st.integers(0, 300), max_size=12), st.booleans())
def test_the_newest_values_are_kept_however_they_came(capacity, lengths, pairs):
    every = np.random.default_rng(0).normal(size=(sum(lengths), 2) if pairs else sum(lengths)).astype(np.float32)
    shape = every.shape[1:]
    whole, parts = Learnt(capacity, *shape), Learnt(capacity, *shape)
    whole.add(every)
    for part in np.split(every, np.cumsum(lengths)):
        parts.add(part)
    assert np.array_equal(parts.values, whole.values)
    assert np.array_equal(parts.values, every[len(every) - len(parts) :])
    assert min(capacity - parts.block + 1, len(every)) <= len(parts) <= capacity
    np.testing.assert_allclose(parts.sums, every[len(every) - len(parts) :].sum(axis=0, dtype=np.float64), atol=1e-9)
    again = Learnt(capacity, *shape)
    again.values = parts.parts()["values"]
    again.add(every[:100])
    parts.add(every[:100])
    assert np.array_equal(again.values, parts.values)
    assert np.array_equal(again.sums, parts.sums)

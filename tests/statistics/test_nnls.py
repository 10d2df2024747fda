from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.nnls import nnls


def brute_force(x, y):
    """The best of all least squares solutions on subsets of the columns that are non-negative."""
    k = x.shape[1]
    best, least = np.zeros(k), y @ y
    for used in chain.from_iterable(combinations(range(k), size) for size in range(1, k + 1)):
        part = np.linalg.lstsq(x[:, used], y, rcond=None)[0]
        error = ((y - x[:, used] @ part) ** 2).sum()
        if (part >= 0).all() and error < least - 1e-12:
            best, least = np.zeros(k), error
            best[list(used)] = part
    return best, least


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_it_is_as_good_as_trying_everything(k, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(12, k)), rng.normal(size=12)
    found = nnls(x.T @ x, x.T @ y, sweeps=5000)
    _, least = brute_force(x, y)
    assert (found >= 0).all()
    assert ((y - x @ found) ** 2).sum() == pytest.approx(least, abs=1e-6)


def test_many_problems_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 20, 4)), rng.normal(size=(7, 20))
    gram, moment = np.einsum("bni,bnj->bij", x, x), np.einsum("bni,bn->bi", x, y)
    together = nnls(gram, moment)
    assert together == pytest.approx(np.stack([nnls(g, m) for g, m in zip(gram, moment, strict=True)]), abs=1e-6)


def test_a_column_of_zeros_gets_nothing():
    assert nnls(np.diag([0.0, 2.0]), np.array([0.0, 4.0])).tolist() == [0.0, 2.0]

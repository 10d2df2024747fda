from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.normal import normal_quantile, normal_tail
from driftwatch.statistics.normal import uniform_of as drawn


def uniform_of(seed, position):
    return drawn(np.uint64(seed % 2**64), position)


@given(st.floats(-30, 30))
def test_tails_agree_with_the_quantiles(z):
    assert normal_tail(np.array([[z]]))[0, 0] == pytest.approx(NormalDist().cdf(-z), rel=1e-9, abs=1e-15)


@given(st.floats(1e-300, 1 - 1e-15))
def test_quantiles_agree_with_the_standard_library(p):
    assert normal_quantile(np.array([p]))[0] == pytest.approx(NormalDist().inv_cdf(p), rel=1e-12, abs=1e-14)


def test_quantiles_grow_and_are_symmetric():
    p = np.concatenate([np.logspace(-15, -1, 400), np.linspace(0.1, 0.5, 400)])
    found = normal_quantile(p)
    assert (np.diff(found) >= 0).all()
    assert found == pytest.approx(-normal_quantile(1 - p), abs=0.1, rel=1e-3)
    assert normal_quantile(p[400:]) == pytest.approx(-normal_quantile(1 - p[400:]), abs=1e-12)


def test_seeds_and_positions_broadcast():
    position = np.arange(5)[:, None]
    found = drawn(np.array([3, 8], np.uint64), position)
    assert found.shape == (5, 2)
    assert np.array_equal(found[:, 1], uniform_of(8, np.arange(5)))


def test_a_position_has_one_number_whatever_is_asked_with_it():
    position = np.arange(-500, 500)
    whole = uniform_of(3, position)
    assert np.array_equal(np.concatenate([uniform_of(3, part) for part in np.array_split(position, 7)]), whole)


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-(2**62), 2**62))
def test_the_numbers_are_those_of_splitmix64(seed, position):
    word = 2**64 - 1
    x = (position + seed) * 0x9E3779B97F4A7C15 & word
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & word
    x = (x ^ x >> 27) * 0x94D049BB133111EB & word
    assert uniform_of(seed, np.array([position]))[0] == ((x ^ x >> 31) >> 11) / 2**53


@pytest.mark.parametrize("seed", [0, 1, 2**40, 2**64 - 1, -7])
def test_the_numbers_are_uniform_and_unrelated(seed):
    u = uniform_of(seed, np.arange(1_000_000, 1_100_000))
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, 20, (0, 1))[0]
    assert ((counts - 5000) ** 2 / 5000).sum() < 45  # chi-squared with 19 degrees: 1 in 1500
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.015
    assert abs(np.corrcoef(u, uniform_of(seed + 2**20, np.arange(1_000_000, 1_100_000)))[0, 1]) < 0.015

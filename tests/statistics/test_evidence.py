import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.evidence import accumulate, change_time, mixture

FACTORS = st.lists(st.tuples(st.floats(-50, 50), st.floats(-3, 3)), max_size=40).map(
    lambda rows: np.array(rows).reshape(-1, 2)
)
STARTS = st.tuples(*[st.floats(-50, 50) | st.just(-math.inf)] * 2).map(np.array)
NOTHING = np.full(2, -np.inf)


def gaussian_bets(x, shifts):
    """Log likelihood ratios of a move of the mean, for each shift; shape (..., k)."""
    return np.multiply.outer(x, shifts) - 0.5 * shifts**2


@given(FACTORS, STARTS)
def test_the_closed_form_is_the_recursion(log_factors, log_start):
    found, log_r = accumulate(log_factors, log_start), log_start
    assert found.shape == log_factors.shape
    for k, step in enumerate(log_factors):
        log_r = np.logaddexp(0.0, log_r) + step
        assert found[k] == pytest.approx(log_r, rel=1e-9, abs=1e-9)


@given(FACTORS, st.integers(0, 40))
def test_it_can_be_cut_anywhere(log_factors, cut):
    whole = accumulate(log_factors, NOTHING)
    first = accumulate(log_factors[:cut], NOTHING)
    rest = accumulate(log_factors[cut:], first[-1] if len(first) else NOTHING)
    assert np.allclose(np.concatenate([first, rest]), whole, rtol=0, atol=1e-9)


def test_under_no_change_its_mean_is_the_number_of_steps():
    paths = np.array(list(product([1.7, 0.3], repeat=10)))  # every path of a fair bet, so no chance is left in it
    mean = np.mean([np.exp(accumulate(np.log(path)[:, None], NOTHING[:1])).ravel() for path in paths], axis=0)
    assert mean == pytest.approx(np.arange(1, 11))


def test_long_series_neither_overflow_nor_lose_the_present():
    n = 200_000
    for step, end in ((1.0, n + math.log(1 / (1 - math.exp(-1)))), (-1.0, -math.log(math.e - 1)), (0.0, math.log(n))):
        assert accumulate(np.full((n, 1), step), NOTHING[:1])[-1, 0] == pytest.approx(end, abs=1e-6)
    log_factors = np.concatenate([np.full((n, 1), -5.0), np.full((10, 1), 2.0)])
    late = accumulate(log_factors, NOTHING[:1])[-10:]
    assert np.allclose(late, accumulate(log_factors[-30:], NOTHING[:1])[-10:], atol=1e-6)


def test_a_mixture_is_a_mean():
    r = np.random.default_rng(0).random((5, 3, 4)) * 1e3
    assert np.exp(mixture(np.log(r))) == pytest.approx(r.mean(axis=-1))
    assert mixture(np.full((2, 3), -np.inf)).tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("log_threshold", [math.log(500), math.log(2000)])
def test_false_alarms_keep_the_promise(log_threshold):
    """P(alarm by m) <= m / A for iid noise whose distribution is known, from 12,000 healthy streams."""
    rng, streams, m, shifts = np.random.default_rng(1), 12_000, 100, np.array([0.25, 0.5, 1.0, 2.0])
    x = rng.normal(size=(m, streams))
    bets = np.concatenate([gaussian_bets(x, shifts), gaussian_bets(-x, shifts)], axis=-1)
    flat = bets.reshape(m, -1)
    log_e = mixture(accumulate(flat, np.full(flat.shape[1], -np.inf)).reshape(bets.shape))
    alarmed = (log_e.max(axis=0) >= log_threshold).mean()
    bound = m / math.exp(log_threshold)
    assert alarmed <= bound
    assert alarmed > bound / 10  # else it would keep the promise by saying nothing


@given(FACTORS.filter(len), st.floats(0.5, 0.99))
def test_the_change_time_is_the_posterior_under_a_flat_prior(log_factors, level):
    weight = [sum(math.exp(min(s, 600)) for s in log_factors[k:].sum(axis=0)) for k in range(len(log_factors))]
    cumulative = np.cumsum(weight) / np.sum(weight)
    found = change_time(log_factors, level)
    assert 0 <= found.low <= found.middle <= found.high < len(log_factors)
    for position, mass in (
        (found.middle, 0.5),
        (found.low, (1 - level) / 2),
        (found.high, (1 + level) / 2),
    ):
        assert cumulative[position] >= mass - 1e-9
        assert position == 0 or cumulative[position - 1] <= mass + 1e-9


def test_nine_of_ten_intervals_hold_the_change():
    rng, shift, n, trials = np.random.default_rng(2), np.array([1.0]), 60, 1500
    hits, widths = 0, []
    for change in rng.integers(0, n, trials):
        found = change_time(gaussian_bets(rng.normal(size=n) + (np.arange(n) >= change), shift))
        hits += found.low <= change <= found.high
        widths.append(found.high - found.low)
    assert hits / trials > 0.9 - 3 * math.sqrt(0.09 / trials)
    assert np.median(widths) < n / 3

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.evidence import CEILING, accumulate, change_time

STEP = st.tuples(st.floats(-6.0, 7.0), st.floats(-3.0, 3.0))
FACTORS = st.lists(STEP, max_size=120).map(lambda rows: np.exp(np.array(rows).reshape(-1, 1, 2)))
STARTS = st.tuples(*[st.floats(0.0, 1e20)] * 2).map(lambda start: np.array([start]))
WEIGHTS = np.array([0.75, 0.25])
NOTHING = np.zeros((1, 2))


def gaussian_bets(x, shifts):
    """Log likelihood ratios of a move of the mean, for each shift; shape (..., k)."""
    return np.multiply.outer(x, shifts) - 0.5 * shifts**2


def looped(factors, start, seen=None):
    """The recursion itself: the weighted sum after each step, and R after the last."""
    r, totals = start.copy(), []
    for k, step in enumerate(factors):
        for row in range(len(r)):
            if seen is None or seen[k, row]:
                r[row] = np.minimum((1.0 + r[row]) * step[row], CEILING)
        totals.append(r @ WEIGHTS)
    return np.array(totals).reshape(len(factors), len(start)), r


@given(FACTORS, STARTS)
def test_blocks_are_the_recursion(factors, start):
    (total, end), (expected, last) = accumulate(factors, start, WEIGHTS), looped(factors, start)
    assert total.shape == (len(factors), 1)
    assert np.allclose(total, expected, rtol=1e-9)
    assert np.allclose(end, last, rtol=1e-9)


@given(FACTORS, st.integers(0, 120))
def test_it_can_be_cut_anywhere(factors, cut):
    whole, _ = accumulate(factors, NOTHING, WEIGHTS)
    first, between = accumulate(factors[:cut], NOTHING, WEIGHTS)
    rest, _ = accumulate(factors[cut:], between, WEIGHTS)
    assert np.allclose(np.concatenate([first, rest]), whole, rtol=1e-9)


@given(st.integers(0, 999), st.integers(0, 200))
def test_where_nothing_is_seen_nothing_changes(seed, n):
    rng = np.random.default_rng(seed)
    factors, seen = np.exp(rng.normal(size=(n, 3, 2))), rng.random((n, 3)) < 0.6
    (total, end), (expected, last) = (
        accumulate(factors, np.ones((3, 2)), WEIGHTS, seen),
        looped(factors, np.ones((3, 2)), seen),
    )
    assert np.allclose(total, expected, rtol=1e-9)
    assert np.allclose(end, last, rtol=1e-9)


def test_under_no_change_its_mean_is_the_number_of_steps():
    paths = np.array(list(product([1.7, 0.3], repeat=10)))  # every path of a fair bet, so no chance is left in it
    total, _ = accumulate(paths.T[..., None], np.zeros((len(paths), 1)), np.ones(1))
    assert total.mean(axis=1) == pytest.approx(np.arange(1, 11))


def test_a_long_rise_ends_at_the_ceiling_and_comes_down_from_there():
    up, down = np.full((900, 1, 1), math.e), np.full((400, 1, 1), math.exp(-1))
    total, end = accumulate(np.concatenate([up, down]), np.zeros((1, 1)), np.ones(1))
    assert np.isfinite(total).all()
    assert total.max() == CEILING
    assert end[0, 0] == pytest.approx(1 / (math.e - 1), rel=1e-6)
    assert total[900 + 100, 0] == pytest.approx(CEILING * math.exp(-101), rel=1e-9)


@pytest.mark.parametrize("log_threshold", [math.log(500), math.log(2000)])
def test_false_alarms_keep_the_promise(log_threshold):
    """P(alarm by m) <= m / A for iid noise whose distribution is known, from 12,000 healthy streams."""
    rng, streams, m, shifts = np.random.default_rng(1), 12_000, 100, np.array([0.25, 0.5, 1.0, 2.0])
    x = rng.normal(size=(m, streams))
    bets = np.concatenate([gaussian_bets(x, shifts), gaussian_bets(-x, shifts)], axis=-1)
    total, _ = accumulate(np.exp(bets), np.zeros(bets.shape[1:]), np.full(8, 1 / 8))
    alarmed = (np.log(total).max(axis=0) >= log_threshold).mean()
    bound = m / math.exp(log_threshold)
    assert alarmed <= bound
    assert alarmed > bound / 10  # else it would keep the promise by saying nothing


@given(FACTORS.filter(len), st.floats(0.5, 0.99))
def test_the_change_time_is_the_posterior_under_a_flat_prior(factors, level):
    log_factors = np.log(factors[:, 0])
    lapsing = np.log(0.8 * factors[:, 0] + 0.2)
    weight = [sum(math.exp(min(s, 600)) for s in lapsing[k:].sum(axis=0)) for k in range(len(lapsing))]
    cumulative = np.cumsum(weight) / np.sum(weight)
    found = change_time(log_factors, level=level)
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

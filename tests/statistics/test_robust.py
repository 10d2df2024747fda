import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.robust import Gram, gram, huber_fit, huber_weights, midmean, solve, spread, sums

VALUES = st.lists(st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6), st.integers(1, 9)), max_size=40)


def columns(rows):
    group, value, count = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(group, np.int64), np.array(value, float), np.array(count, float)


def middle_half(values):
    """The mean of the middle half, by brute force: each value four times, then a quarter off at each end."""
    every = np.sort(np.repeat(values, 4))
    return every[len(values) : 3 * len(values)].mean()


@given(VALUES)
def test_the_midmean_is_the_mean_of_the_middle_half(rows):
    group, value, count = columns(rows)
    for k, found in enumerate(midmean(group, value, count, 5)):
        inside = np.repeat(value[group == k], count[group == k].astype(int))
        assert np.isnan(found) if not len(inside) else found == pytest.approx(middle_half(inside), rel=1e-9, abs=1e-6)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_midmean_forgets_the_order_and_ignores_other_groups(rows, random):
    whole = midmean(*columns(rows), 4)
    shuffled = random.sample(rows, len(rows))
    assert midmean(*columns(shuffled), 4) == pytest.approx(
        whole, rel=1e-12, abs=1e-8, nan_ok=True
    )  # but for the last digits
    for k in range(4):
        alone = midmean(*columns([row for row in shuffled if row[0] == k]), 4)
        assert alone[k] == pytest.approx(whole[k], rel=1e-12, abs=1e-8, nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=9), st.lists(st.floats(-1e12, 1e12), max_size=2))
def test_fewer_wild_values_than_a_quarter_cannot_move_the_midmean_out_of_the_rest(tame, wild):
    values = np.array(tame + wild)
    found = midmean(np.zeros(len(values), int), values, np.ones(len(values)), 1)[0]
    assert min(tame) - 1e-9 <= found <= max(tame) + 1e-9


def test_sums_are_floats_even_of_nothing():
    assert sums(np.empty(0, int), np.empty(0, int), 3).dtype == np.float64
    assert sums(np.array([2, 2]), np.array([1, 4]), 3).tolist() == [0, 0, 5]


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(1, 5)), min_size=1), st.floats(0.1, 1e3))
def test_spread_follows_the_scale_and_a_weight_repeats_a_value(rows, scale):
    value, count = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    every = np.abs(np.repeat(value, count))
    weighted = spread(value, count.astype(float)) / 1.4826
    assert (every <= weighted * (1 + 1e-12)).mean() >= 0.5
    assert (every >= weighted * (1 - 1e-12)).mean() >= 0.5
    assert spread(value * scale) == pytest.approx(spread(value) * scale)


def test_spread_of_a_normal_is_its_standard_deviation_and_a_third_of_wild_values_does_not_matter_much():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2, 20_000)
    assert spread(noise) == pytest.approx(2.0, rel=0.03)
    noise[:6000] = 1e9
    assert spread(noise) < 4.5
    assert spread(np.empty(0)) == spread(np.empty(0), np.empty(0)) == 0.0


def test_data_can_be_summed_up_in_parts():
    rng = np.random.default_rng(1)
    x, y, w = rng.normal(size=(50, 3)), rng.normal(size=50), rng.random(50)
    whole, parts = gram(x, y, w), gram(x[:20], y[:20], w[:20]) + gram(x[20:], y[20:], w[20:])
    assert np.allclose(whole.xx, (x * w[:, None]).T @ x)
    assert np.allclose(whole.xy, (x * w[:, None]).T @ y)
    assert np.allclose(whole.xx, parts.xx)
    assert np.allclose(whole.xy, parts.xy)
    assert whole.weight == pytest.approx(parts.weight)


def test_without_a_sign_the_solution_is_that_of_ridge_regression():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(80, 3)), rng.normal(size=80)
    ridge = np.array([0.1, 2.0, 30.0])
    found = solve(gram(x, y, np.ones(80)), ridge, np.zeros(3, bool))
    augmented = np.vstack([x, np.diag(np.sqrt(ridge))])
    assert found == pytest.approx(np.linalg.lstsq(augmented, np.append(y, np.zeros(3)))[0])


@given(st.integers(0, 2**32 - 1))
def test_a_coefficient_with_a_sign_is_zero_or_positive_and_the_rest_is_refitted(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    ridge, signed = np.full(3, 0.01), np.array([False, False, True])
    data = gram(x, y, np.ones(30))
    found, free = solve(data, ridge, signed), solve(data, ridge, np.zeros(3, bool))
    if free[2] >= 0:
        assert found == pytest.approx(free)
    else:
        without = Gram(data.xx[:2, :2], data.xy[:2], data.weight)
        assert found.tolist() == pytest.approx([*solve(without, ridge[:2], signed[:2]), 0.0])


def test_a_pull_is_bounded():
    residual = np.array([-1e9, -1.0, 0.0, 1e-300, 1.0, 1e9])
    pull = residual * huber_weights(residual, 1.0)
    assert pull == pytest.approx([-1.345, -1.0, 0.0, 0.0, 1.0, 1.345])


def test_a_huber_fit_finds_the_line_that_least_squares_misses():
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(400), rng.normal(size=400)])
    y = x @ [1.0, 0.5] + rng.normal(0, 0.1, 400)
    wild = rng.random(400) < 0.15
    y[wild] += 50 * np.abs(x[wild, 1])
    ridge, signed = np.full(2, 1e-9), np.zeros(2, bool)
    plain = solve(gram(x, y, np.ones(400)), ridge, signed)
    found, scale = huber_fit(x, y, np.ones(400), ridge, signed)
    assert np.abs(plain - [1.0, 0.5]).max() > 1.0
    assert found == pytest.approx([1.0, 0.5], abs=0.06)
    assert scale == pytest.approx(0.1, rel=0.5)


def test_a_count_stands_for_as_many_rows():
    rng = np.random.default_rng(4)
    x, counts = np.column_stack([np.ones(60), rng.normal(size=60)]), rng.integers(1, 4, 60)
    y = x @ [0.3, -1.0] + rng.standard_t(2, 60)
    ridge, signed = np.full(2, 0.1), np.zeros(2, bool)
    counted = huber_fit(x, y, counts.astype(float), ridge, signed)
    repeated = huber_fit(np.repeat(x, counts, axis=0), np.repeat(y, counts), np.ones(counts.sum()), ridge, signed)
    assert counted[0] == pytest.approx(repeated[0], rel=0.02)


def test_a_perfect_fit_is_no_trouble():
    x = np.column_stack([np.ones(20), np.arange(20.0)])
    found, scale = huber_fit(x, x @ [2.0, 3.0], np.ones(20), np.full(2, 1e-9), np.zeros(2, bool))
    assert found == pytest.approx([2.0, 3.0])
    assert scale == pytest.approx(0.0, abs=1e-6)

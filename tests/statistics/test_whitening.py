import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.statistics.whitening import (
    SPANS,
    Whitening,
    fit_persistence,
    inflation,
    long_run_variance,
    past_means,
    winsorised,
)

SERIES = st.lists(st.floats(-100, 100), max_size=30)


def remembering(n, memory, seed):
    """An AR(1) series with innovations of variance 1."""
    noise = np.random.default_rng(seed).normal(size=n + 200)
    for k in range(1, len(noise)):
        noise[k] += memory * noise[k - 1]
    return noise[200:]


@given(SERIES, SERIES)
def test_past_means_are_what_a_loop_says(values, history):
    before = [0.0] * max(SPANS) + history
    found = past_means(np.array(values), np.array(history))
    for k in range(len(values)):
        past = before + values[:k]
        assert found[k] == pytest.approx([np.mean(past[-span:]) for span in SPANS], abs=1e-9)
    assert found.shape == (len(values), len(SPANS))


@given(SERIES, st.integers(0, 30))
def test_past_means_do_not_see_where_a_series_was_cut(values, cut):
    values = np.array(values)
    whole = past_means(values, np.empty(0))
    parts = past_means(values[:cut], np.empty(0)), past_means(values[cut:], values[:cut][-max(SPANS) :])
    assert np.allclose(whole, np.concatenate(parts), atol=1e-12)


def test_white_noise_has_no_memory_and_a_first_order_memory_is_found():
    white = [fit_persistence(remembering(4000, 0.0, seed)) for seed in range(8)]
    short = [fit_persistence(remembering(4000, 0.6, seed)) for seed in range(8)]
    assert np.sum(white, axis=1).max() < 0.1
    assert np.mean(short, axis=0) == pytest.approx([0.57, 0.02], abs=0.06)


@given(st.lists(st.floats(-10, 10), max_size=60))
@settings(max_examples=200)
def test_a_memory_is_never_negative_and_never_whole(values):
    found = fit_persistence(np.array(values))
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.sum() <= 0.9 + 1e-12


def test_a_random_walk_and_an_alternating_series_are_the_extremes():
    assert fit_persistence(np.cumsum(remembering(2000, 0.0, 1))).sum() == pytest.approx(0.9, abs=0.05)
    assert fit_persistence(np.tile([1.0, -1.0], 500)).tolist() == [0.0, 0.0]


def test_one_wild_value_does_not_make_a_memory():
    noise = remembering(1000, 0.0, 2)
    wild = noise.copy()
    wild[500:503] = 1e6
    assert fit_persistence(winsorised(wild)).sum() < fit_persistence(noise).sum() + 0.1


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_unit_does_not_matter(scale):
    series = remembering(2000, 0.5, 3)
    assert fit_persistence(series * scale) == pytest.approx(fit_persistence(series), rel=1e-6)
    assert long_run_variance(7.0 + series * scale) == pytest.approx(long_run_variance(series) * scale**2)
    found, same = Whitening.fit(7.0 + series * scale), Whitening.fit(series)
    assert found.taps == pytest.approx(same.taps, abs=1e-6)
    assert (found.worth, found.effective) == pytest.approx((same.worth, same.effective), abs=1e-6)


@pytest.mark.parametrize("memory", [0.0, 0.3, 0.6])
def test_the_long_run_variance_is_that_of_theory(memory):
    found = np.mean([long_run_variance(remembering(8000, memory, seed)) for seed in range(20)])
    assert found == pytest.approx(1.0 / (1.0 - memory) ** 2, rel=0.12)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_it_is_the_variance_of_a_mean(memory):
    means = [remembering(2000, memory, seed).mean() for seed in range(300)]
    claimed = long_run_variance(remembering(2000, memory, 999)) / 2000
    assert np.var(means) == pytest.approx(claimed, rel=0.35)


@given(st.lists(st.floats(-1e3, 1e3), max_size=50))
def test_the_long_run_variance_is_never_below_a_tenth_of_the_variance(values):
    values = np.array(values)
    assert long_run_variance(values) >= 0.1 * (np.var(values) if len(values) > 1 else 0.0) - 1e-9


@given(st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=80))
def test_a_worth_is_a_share(values):
    found = Whitening.fit(np.array(values))
    assert 0.0 <= found.worth <= 1.0
    assert 0.0 <= found.effective <= 1.0
    assert np.isfinite(found.taps).all()
    assert found.taps.sum() >= 0.1 - 1e-12


def test_dependent_ticks_tell_less_of_the_level():
    told = [Whitening.fit(remembering(8000, memory, 5)).effective for memory in (0.0, 0.3, 0.6, 0.9)]
    assert told == pytest.approx([1.0, 0.7 / 1.3, 0.4 / 1.6, 0.1 / 1.9], abs=0.15)
    assert told == sorted(told, reverse=True)


def test_what_is_left_after_whitening_is_white_again():
    for memory in (0.3, 0.7, 0.9):
        series = remembering(4000, memory, 7)
        white = np.convolve(series, Whitening.fit(series).taps, "valid")
        assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.06


def test_the_evidence_of_a_short_past_is_worth_less_unless_it_is_worth_a_hundred():
    short, long = (Whitening.fit(np.random.default_rng(8).normal(size=n)).worth for n in (30, 300))
    assert 0.6 < short < 0.9
    assert long > 0.9


def test_chance_is_no_inflation_and_a_slow_swing_is():
    chance = [inflation(np.random.default_rng(seed).normal(size=300)) for seed in range(200)]
    assert np.median(chance) == 1.0
    assert np.quantile(chance, 0.95) < 1.5
    swing = np.sin(2 * np.pi * np.arange(600) / 288)
    slow = [inflation(np.random.default_rng(seed).normal(size=600) + 0.5 * swing) for seed in range(50)]
    assert np.median(slow) > 2.0


def test_a_constant_is_white():
    assert Whitening.fit(np.zeros(50)).worth == 1.0
    assert inflation(np.zeros(50)) == inflation(np.empty(0)) == 1.0

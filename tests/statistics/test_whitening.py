import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.statistics.whitening import (
    SPANS,
    effective_share,
    fit_persistence,
    long_run_variance,
    past_means,
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
    assert fit_persistence(wild).sum() < fit_persistence(noise).sum() + 0.1


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_unit_does_not_matter(scale):
    series = remembering(2000, 0.5, 3)
    assert fit_persistence(series * scale) == pytest.approx(fit_persistence(series), rel=1e-6)
    assert long_run_variance(7.0 + series * scale) == pytest.approx(long_run_variance(series) * scale**2)
    assert effective_share(7.0 + series * scale) == pytest.approx(effective_share(series))


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


@given(st.lists(st.floats(-1e3, 1e3), max_size=50))
def test_a_share_is_a_share(values):
    assert 0.0 <= effective_share(np.array(values)) <= 1.0


def test_dependent_values_are_worth_less_and_so_are_few():
    worth = [effective_share(remembering(8000, memory, 5)) for memory in (0.0, 0.3, 0.6, 0.9)]
    assert worth == pytest.approx([1.0, 0.7 / 1.3, 0.4 / 1.6, 0.1 / 1.9], abs=0.15)
    assert worth == sorted(worth, reverse=True)
    assert effective_share(remembering(20, 0.0, 6)) < 0.8
    assert effective_share(np.zeros(50)) == effective_share(np.empty(0)) == 1.0

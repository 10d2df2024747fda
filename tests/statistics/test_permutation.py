import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.statistics.permutation import association_test, block_length, block_orders, partial_correlations

LAGS = (0, 1, 2, 4)


def remembering(n, memory, rng):
    series = rng.normal(size=n + 200)
    for i in range(1, n + 200):
        series[i] = memory * series[i - 1] + np.sqrt(1 - memory**2) * series[i]
    return series[200:]


def lagged(series, n):
    return [series[len(series) - n - lag : len(series) - lag] for lag in LAGS]


def run(effect, candidates, seed, controls=None):
    n = len(effect)
    views = np.array([view for series in candidates for view in lagged(series, n)])
    owner = np.repeat(np.arange(len(candidates)), len(LAGS))
    controls = np.empty((n, 0)) if controls is None else controls
    return association_test(effect, views, owner, controls=controls, count=199, rng=np.random.default_rng(seed))


@pytest.mark.parametrize(("memory", "noise", "held"), [(0.0, 0, 1), (0.9, 0, 1), (0.9, 0.7, 1), (0.9, 0.5, 6)])
def test_unrelated_series_with_a_memory_pass_as_rarely_as_promised(memory, noise, held):
    rng, rejected, rounds = np.random.default_rng(3), 0, 150
    for seed in range(rounds):
        effect = remembering(72, memory, rng) + noise * rng.normal(size=72)
        others = [np.repeat(remembering(84, memory, rng)[::held], held)[:84] for _ in range(3)]
        rejected += run(effect, others, seed).familywise.min() <= 0.05
    assert rejected / rounds <= 0.12  # 5% nominal; 0.12 is 4 standard errors away


def test_two_times_of_other_level_and_spread_prove_nothing():
    rng, rejected, rounds = np.random.default_rng(6), 0, 150
    spread, level = np.r_[np.full(60, 0.2), np.full(40, 1.0)], np.r_[np.zeros(60), np.ones(40)]
    for seed in range(rounds):
        effect, other = (level + spread * remembering(100, 0.7, rng) for _ in range(2))
        found = association_test(
            effect,
            other[None],
            np.zeros(1, int),
            controls=level[:, None],
            count=199,
            rng=np.random.default_rng(seed),
            healthy=60,
        )
        rejected += float(found.single[0]) <= 0.05
    assert rejected / rounds <= 0.12  # 5% nominal


def test_a_plain_correlation_test_would_not_do():
    rng, rejected = np.random.default_rng(4), 0
    for _ in range(100):
        r = np.corrcoef(remembering(72, 0.9, rng), remembering(72, 0.9, rng))[0, 1]
        rejected += abs(r) > 1.96 / 72**0.5
    assert rejected > 30


def test_a_real_relation_is_found_with_its_lag():
    found, lags = 0, []
    for seed in range(30):
        rng = np.random.default_rng([5, seed])
        cause = remembering(84, 0.8, rng)
        effect = cause[10:82] + 0.5 * remembering(72, 0.8, rng)
        result = run(effect, [remembering(84, 0.9, rng), cause], seed)
        found += result.familywise[1] <= 0.05
        lags.append(LAGS[int(result.view[1]) - len(LAGS)])
    assert found >= 28
    assert np.median(lags) == 2


def test_what_the_controls_explain_is_no_relation():
    rejected = 0
    for seed in range(60):
        rng = np.random.default_rng([6, seed])
        common = remembering(84, 0.7, rng)
        effect, bystander = common[12:] + 0.5 * rng.normal(size=72), common + 0.5 * rng.normal(size=84)
        rejected += run(effect, [bystander], seed, common[12:, None]).single[0] <= 0.05
    assert rejected <= 9


def test_only_going_up_with_the_effect_counts():
    rng = np.random.default_rng(7)
    cause = remembering(84, 0.5, rng)
    assert run(-cause[12:] + 0.1 * rng.normal(size=72), [cause], 0).single[0] > 0.2


def test_p_values_allow_for_the_choice_among_series():
    rng = np.random.default_rng(8)
    result = run(remembering(72, 0.5, rng), [remembering(84, 0.5, rng) for _ in range(5)], 0)
    assert (result.familywise >= result.single).all()
    assert (result.single >= 1 / 200).all()


def test_a_constant_view_and_a_constant_effect_are_harmless():
    flat = run(np.zeros(40), [np.ones(60)], 0)
    assert flat.single[0] == 1.0
    assert np.isfinite(partial_correlations(np.arange(40.0), np.ones((1, 40)), np.empty((40, 0)))).all()


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_an_order_has_every_point_once(n, block, seed):
    orders = block_orders(n, block, 5, np.random.default_rng(seed))
    assert (np.sort(orders, axis=1) == np.arange(n)).all()


def test_blocks_stay_together():
    order = block_orders(60, 10, 50, np.random.default_rng(0))
    neighbours = (np.diff(order, axis=1) % 60 == 1).mean()
    assert neighbours > 0.85


def test_longer_memories_get_longer_blocks():
    rng = np.random.default_rng(9)
    short, long = (remembering(400, memory, rng) for memory in (0.2, 0.95))
    assert block_length(short, short[None]) < block_length(long, long[None]) <= 100

import numpy as np
import pytest

from driftwatch.baseline.warmup import find_step, independent, outages


def remembering(n, memory, seed, size=0.2):
    noise = np.random.default_rng(seed).normal(0, size * np.sqrt(1 - memory**2), n + 100)
    for k in range(1, len(noise)):
        noise[k] += memory * noise[k - 1]
    return noise[100:]


def share_of_steps(memory, n, step=0.0, since=None, margin=0.1):
    found = 0
    for seed in range(200):
        value = remembering(n, memory, seed) + step * (np.arange(n) >= (n // 2 if since is None else since))
        found += find_step(np.arange(n), value, margin) is not None
    return found / 200


@pytest.mark.parametrize(
    ("memory", "n", "at_most"),
    [
        (0.0, 48, 0.01),
        (0.5, 48, 0.01),
        (0.7, 48, 0.03),
        (0.9, 240, 0.01),
        (0.9, 48, 0.15),  # nobody can tell swings as long as the warm-up from a step
        (0.97, 240, 0.1),
    ],
)
def test_slow_noise_is_not_taken_for_a_step(memory, n, at_most):
    assert share_of_steps(memory, n) <= at_most


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_a_step_is_found(memory):
    assert share_of_steps(memory, 96, step=1.2) >= 0.95


def test_a_rise_in_the_last_few_ticks_of_dependent_noise_is_not_a_step_yet():
    assert share_of_steps(0.5, 200, step=0.7, since=191) <= 0.08
    assert share_of_steps(0.5, 200, step=0.7, since=150) >= 0.5


@pytest.mark.parametrize("size", [0.8, -0.8])
def test_a_step_has_its_tick_and_its_size(size):
    tick = np.arange(500, 596)[np.random.default_rng(0).random(96) < 0.8]
    value = remembering(len(tick), 0.2, 1, size=0.15) + size * (tick >= 560)
    step = find_step(tick, value, 0.1)
    assert step.tick == tick[tick >= 560][0]
    assert step.size == pytest.approx(size, abs=0.1)
    assert step.p_value < 0.001


def test_a_step_within_twice_the_margin_does_not_matter():
    value = remembering(96, 0.0, 2, size=0.02) + 0.15 * (np.arange(96) >= 40)
    assert find_step(np.arange(96), value, 0.05) is not None
    assert find_step(np.arange(96), value, 0.1) is None


def test_neither_a_constant_nor_a_few_values_have_a_step():
    assert find_step(np.arange(100), np.full(100, 0.3), 0.0) is None
    few = np.repeat([0.0, 9.0], 15)
    assert find_step(np.arange(30), few, 0.1) is None
    assert find_step(np.empty(0, int), np.empty(0), 0.1) is None


def test_a_burst_is_no_step():
    value = remembering(120, 0.0, 3)
    value[50:54] += 5.0
    assert find_step(np.arange(120), value, 0.1) is None


def down(requests, failed=None):
    requests = np.array(requests, float)
    failed = np.zeros(len(requests)) if failed is None else np.array(failed, float)
    return np.flatnonzero(outages(requests, failed)).tolist()


def test_six_ticks_without_requests_are_an_outage_and_five_are_none():
    assert down([9] * 10 + [0] * 5 + [9] * 10) == []
    assert down([9] * 10 + [0] * 6 + [9] * 10) == list(range(10, 16))
    assert down([0] * 7 + [9] * 20 + [0] * 8) == [*range(7), *range(27, 35)]


def test_where_most_requests_failed_the_service_was_down():
    assert down([8, 8, 8, 8], [0, 4, 5, 8]) == [2, 3]
    assert down([1, 0], [1, 0]) == [0]


def test_sparse_traffic_has_no_outages_of_silence():
    assert down([1] * 10 + [0] * 9 + [2] * 10) == []
    assert down([1, 0, 0, 0, 0, 0, 0, 0, 1]) == []


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_what_neighbours_repeat_counts_once(memory):
    n, rng, worth = 600, np.random.default_rng(1), []
    for _ in range(20):
        value = rng.normal(size=n)
        for k in range(1, n):
            value[k] += memory * value[k - 1]
        worth.append(independent(value))
    assert np.median(worth) / n == pytest.approx((1 - memory) / (1 + memory), abs=0.12)


def test_too_few_values_count_as_they_are():
    assert independent(np.repeat([1.0, 2.0], 5)) == 10.0
    assert independent(np.empty(0)) == 0.0

"""The share of a tick's requests that fall behind the rest, and where that begins."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.baseline.learnt import arrays_of, take_arrays
from driftwatch.baseline.tails import Tail, apart
from driftwatch.statistics.robust import midmean, sums
from tests.baseline.streams import FIRST, LEARN, learnt, rest_judged
from tests.traffic import some_slower, traffic

TAILS = ("ttft_tail", "itl_tail", "latency_tail")


def distances(residual):
    """Of ticks in rows, each with as many requests as there are columns."""
    ticks, n = residual.shape
    row = np.repeat(np.arange(ticks), n)
    middle = midmean(row, residual.ravel(), np.ones(ticks * n), ticks)
    return apart(residual.ravel(), middle[row], sums(row, np.ones(ticks * n), ticks)[row])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 20, 100])
@pytest.mark.parametrize("heavy", [False, True])
def test_a_distance_means_the_same_however_many_requests_a_tick_has(n, heavy):
    rng = np.random.default_rng(n)
    noise = rng.standard_t(4, (20_000 // n, n)) / 1.2 if heavy else rng.normal(0, 1, (20_000 // n, n))
    assert (distances(noise) > 1.645).mean() == pytest.approx((noise > 1.645).mean(), abs=0.012)


def test_what_a_tick_shares_is_taken_off():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.2, (2000, 20))
    moody = noise + rng.normal(0, 0.3, (2000, 1))
    assert np.quantile(moody, 0.95) > 1.6 * np.quantile(noise, 0.95)
    assert np.quantile(distances(moody), 0.95) == pytest.approx(np.quantile(noise, 0.95), rel=0.05)


def test_a_request_alone_in_its_tick_lies_at_its_own_residual():
    assert apart(np.array([-0.3, 2.0]), np.array([-0.3, 2.0]), np.ones(2)) == pytest.approx([-0.3, 2.0])


def test_nothing_is_slow_before_anything_is_learnt():
    tail = Tail.nothing()
    tail.settle()
    assert tail.point == np.inf


@given(st.lists(st.floats(-60, 60), min_size=1, max_size=200), st.integers(0, 200))
def test_at_most_one_in_twenty_lies_beyond_the_point_however_they_were_learnt(residuals, cut):
    residuals = np.array(residuals)
    whole, parts = Tail.nothing(), Tail.nothing()
    whole.learn(residuals, np.ones(len(residuals)))
    for part in (residuals[cut:], residuals[:cut]):
        parts.learn(part, np.ones(len(part)))
    whole.settle()
    parts.settle()
    inside = np.abs(residuals) < 20
    assert (residuals[inside] > whole.point).sum() <= 0.05 * (len(residuals) + 1)
    assert whole.point == parts.point
    again = Tail.of_arrays("apart", whole.arrays("apart"))
    assert (again.point, again.counts.tolist()) == (whole.point, whole.counts.tolist())


def test_the_point_is_found_again_only_when_it_is_settled():
    tail = Tail.nothing()
    tail.learn(np.linspace(0, 1, 1000), np.ones(1000))
    tail.settle()
    before = tail.point
    tail.learn(np.linspace(1, 2, 1000), np.ones(1000))
    assert (before, tail.point) == (pytest.approx(0.95, abs=0.03), before)
    tail.settle()
    assert tail.point == pytest.approx(1.9, abs=0.04)


def judged(requests, until=LEARN):
    """Share of slow requests by signal, and the tracks themselves, of what follows the warm-up."""
    baseline, warm, rest = learnt(requests, until)
    assert warm is not None
    tracks = baseline.judge(rest, FIRST + until, int(rest.tick[-1])).tracks
    return {name: tracks[name].value.sum() / tracks[name].total.sum() for name in TAILS}, tracks


def test_one_in_twenty_of_a_healthy_stream_is_slow():
    for seed, rate, sampling in ((0, 4.0, 0.02), (1, 4.0, 0.02), (2, 0.5, 0.04), (3, 20.0, 0.02)):
        shares, tracks = judged(traffic(seed, ticks=500, rate=rate))
        for name in TAILS:
            assert shares[name] == pytest.approx(0.05, abs=sampling)
            np.testing.assert_array_equal(tracks[name].total, tracks[name.removesuffix("_tail")].total)
            np.testing.assert_array_equal(tracks[name].tick, tracks[name.removesuffix("_tail")].tick)
            assert ((tracks[name].value >= 0) & (tracks[name].value <= tracks[name].total)).all()


@pytest.mark.parametrize("slower", [0.8, 1.2])
def test_what_slows_all_requests_is_not_of_the_tail(slower):
    shares, _ = judged(traffic(4, ticks=300, rate=8.0, slower=slower, since=LEARN))
    assert max(shares.values()) < 0.08


def test_a_tenth_that_takes_four_times_as_long_is_the_tail_and_not_the_middle():
    shares, tracks = judged(some_slower(traffic(5, ticks=300), 0.1, 4.0, LEARN))
    for name in TAILS:
        assert shares[name] == pytest.approx(0.145, abs=0.025)
        middle = tracks[name.removesuffix("_tail")]
        assert abs(np.average(middle.value, weights=middle.total)) < np.log(1.1)


def test_a_tick_is_slow_where_its_middle_is_half_as_long_again():
    quick, slow, burst = (
        rest_judged(traffic(5, ticks=300, rate=8.0, slower=factor, since=LEARN)).tracks["ttft_bursts"]
        for factor in (1.0, 1.25, 2.0)
    )
    assert quick.value.sum() / quick.total.sum() < 0.01
    assert slow.value.sum() / slow.total.sum() < 0.2
    assert burst.value.sum() / burst.total.sum() > 0.9
    assert set(burst.total) == {1.0}


def test_ticks_of_a_few_noisy_requests_are_not_slow():
    track = rest_judged(traffic(6, ticks=900, rate=0.3), until=10 * LEARN).tracks["ttft_bursts"]
    assert track.value.sum() / track.total.sum() < 0.05


def test_a_learnt_model_that_knows_no_tail_is_refused():
    baseline, _, _ = learnt(traffic(6))
    arrays = arrays_of(baseline)
    del arrays["model.ttft.apart"]
    with pytest.raises(KeyError, match="apart"):
        take_arrays(learnt(traffic(6))[0], arrays)


@pytest.mark.parametrize("factor", [1.0, 1.03, 1.08])
def test_where_all_take_the_same_time_nobody_is_slow_by_a_hair(factor):
    """Ties: the 95% point is the value itself, and a few requests lie a bucket above it."""
    requests = traffic(7, ticks=300)
    same = np.ones(len(requests))
    shares, _ = judged(some_slower(replace(requests, ttft=same, itl=same, latency=same), 0.1, factor, LEARN))
    assert set(shares.values()) == {0.0}


def test_requests_outside_the_learnt_range_are_neither_judged_nor_learnt():
    requests = traffic(8)
    late = requests.at >= (FIRST + LEARN) * 5.0
    huge = late & (np.random.default_rng(0).random(len(requests)) < 0.2)
    longer = np.where(huge, 60_000.0, requests.prompt_tokens)
    strange = replace(requests, prompt_tokens=longer, ttft=np.where(huge, 900.0, requests.ttft))
    shares, _ = judged(strange)
    assert shares["ttft_tail"] < 0.08
    baseline, _, rest = learnt(strange)
    counted = baseline.models["ttft"].tail.counts.sum()
    baseline.judge(rest, FIRST + LEARN, int(rest.tick[-1]))
    baseline.learn(2**40, None)
    assert baseline.models["ttft"].tail.counts.sum() - counted <= (late & ~huge).sum()

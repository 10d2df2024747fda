import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.statistics.ranks import BINS, LAG, Past, allowance


def past_of(learnt, series=1):
    past = Past(series)
    for k in range(series):
        past.scale(k, 0.0, 1.0)
        past.count(k, learnt[:, k])
    return past


def counted(past, learnt, x, margin, tie):
    """What `Past.rank` says, one value after the other."""

    def bin_of(value):
        return int(past.bins(np.array([[value]]))[0, 0])

    known = [bin_of(value) for value in learnt]
    found = []
    for value, u in zip(x, tie, strict=True):
        before = known[:-LAG]
        above, beneath = bin_of(value - margin), bin_of(value + margin)
        up = sum(b > above for b in before) + u * (sum(b == above for b in before) + 1)
        down = sum(b < beneath for b in before) + (1 - u) * (sum(b == beneath for b in before) + 1)
        found.append((up / (len(before) + 1), down / (len(before) + 1)))
        known.append(bin_of(value))
    return found


@settings(max_examples=30)
@given(
    seed=st.integers(0, 999),
    n=st.sampled_from([1, 2, 31, 32, 33, 64, 150]),
    margin=st.sampled_from([0.0, 0.3, 50.0]),
    coarse=st.booleans(),
)
def test_ranks_are_what_counting_says(seed, n, margin, coarse):
    rng = np.random.default_rng(seed)
    learnt, x, tie = rng.normal(size=(60, 2)), rng.normal(size=(n, 2)) * 4, rng.random((n, 2))
    if coarse:
        learnt, x = np.round(learnt), np.round(x)
    past = past_of(learnt, 2)
    found = past.rank(x, np.full(2, margin), tie)
    for k in range(2):
        assert np.allclose(found[:, k], counted(past, learnt[:, k], x[:, k], margin, tie[:, k]))
    assert past.total.tolist() == [60 - LAG + n] * 2


@given(st.integers(0, 999), st.lists(st.integers(0, 200), max_size=4))
def test_any_cut_gives_the_same_ranks(seed, cuts):
    rng = np.random.default_rng(seed)
    learnt, x, tie = rng.normal(size=(60, 3)), rng.normal(size=(200, 3)), rng.random((200, 3))
    whole = past_of(learnt, 3).rank(x, np.full(3, 0.1), tie)
    past, parts = past_of(learnt, 3), []
    for part, ties in zip(np.split(x, sorted(cuts)), np.split(tie, sorted(cuts)), strict=True):
        if len(part):
            parts.append(past.rank(part, np.full(3, 0.1), ties))
    assert np.array_equal(np.concatenate(parts), whole)


def test_what_is_not_seen_is_not_counted():
    rng = np.random.default_rng(1)
    learnt, x, tie = rng.normal(size=(60, 2)), rng.normal(size=(80, 2)), rng.random((80, 2))
    seen = np.arange(80)[:, None] < [80, 33]
    past, short = past_of(learnt, 2), past_of(learnt, 2)
    found = past.rank(np.where(seen, x, 99.0), np.zeros(2), tie, seen)
    expected = short.rank(x[:33], np.zeros(2), tie[:33])
    assert np.array_equal(found[:33], expected)
    assert np.array_equal(past.below[1], short.below[1])
    assert np.array_equal(past.newest[:, 1], short.newest[:, 1])
    assert past.total.tolist() == [60 - LAG + 80, 60 - LAG + 33]


@pytest.mark.parametrize("draw", ["normal", "few values", "heavy"])
def test_ranks_of_exchangeable_values_are_uniform_and_unrelated(draw):
    rng = np.random.default_rng(2)
    x = {
        "normal": lambda n: rng.normal(size=(n, 400)),
        "few values": lambda n: rng.poisson(0.3, (n, 400)) * 1.0,
        "heavy": lambda n: rng.standard_cauchy((n, 400)),
    }[draw]
    past = past_of(x(100), 400)
    p = past.rank(x(200), np.zeros(400), rng.random((200, 400)))[..., 0].ravel()
    counts = np.histogram(p, 20, (0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 60
    assert p.min() > 0
    assert p.max() < 1


def test_a_margin_only_makes_p_values_larger():
    rng = np.random.default_rng(3)
    learnt, x, tie = rng.normal(size=(100, 1)), rng.normal(size=(300, 1)), rng.random((300, 1))
    plain, wide = (past_of(learnt).rank(x, np.array([margin]), tie) for margin in (0.0, 0.5))
    assert (wide >= plain - 1.0 / 60).all()
    assert (wide.mean(axis=0) > plain.mean(axis=0)).all()


def test_wild_values_go_into_the_end_bins():
    past = Past(1)
    past.scale(0, 0.0, 1.0)
    assert past.bins(np.array([[-1e300], [1e300]])).ravel().tolist() == [0, BINS - 1]


def test_a_longer_past_may_claim_more():
    assert [round(allowance(n), 2) for n in (12, 36, 138, 10**6)] == [0.5, 0.75, 0.89, 1.0]

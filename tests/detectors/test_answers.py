"""Evidence by the answer, time by the tick: what a tick of many answers is worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.detectors import AnswerDetector, state_of, take_state
from driftwatch.detectors.memory import HEAD_START

LEARN = 300


def detector(series=1, margin=0.0):
    return AnswerDetector(margin=np.full(series, margin), seeds=np.arange(series) + 3)


def rows(rng, ticks, each, level=0.0, first=0, series=1):
    tick = np.repeat(np.arange(first, first + ticks), each)
    return tick, rng.normal(level, 1.0, (len(tick), series)), np.ones((len(tick), series))


def learnt(rng, each, **settings):
    found = detector(**settings)
    found.update(*rows(rng, LEARN, each, series=found.series))
    found.learn(LEARN)
    return found


def test_a_tick_of_many_answers_tells_as_much_as_they_do():
    ticks = {}
    for each in (1, 4, 16):
        rng = np.random.default_rng(0)
        found = learnt(rng, each)
        log_e = found.update(*rows(rng, 300, each, level=0.8, first=LEARN))[:, 0]
        ticks[each] = int(np.argmax(log_e > 9))
    assert 0 <= ticks[16] < ticks[4] < ticks[1]
    assert ticks[1] > 2 * ticks[4]


@pytest.mark.parametrize("each", [1, 5])
def test_the_run_length_is_counted_in_ticks(each):
    arl, watched, series = 1000, 1200, 300
    rng = np.random.default_rng(each)
    found = learnt(rng, each, series=series)
    log_e = np.concatenate(
        [found.update(*rows(rng, 100, each, first=LEARN + k, series=series)) for k in range(0, watched, 100)]
    )
    crossed = log_e > np.log(arl)
    first = np.where(crossed.any(axis=0), crossed.argmax(axis=0), watched)
    alarms = int((first < watched).sum())
    assert first.sum() / max(alarms, 1) >= 0.9 * (arl - HEAD_START)


@given(st.lists(st.integers(1, 39), max_size=6), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_any_cut_between_ticks_gives_the_same_evidence(cuts, seed):
    rng = np.random.default_rng(seed)
    tick = np.sort(rng.integers(LEARN, LEARN + 40, 150))
    value = rng.normal(0.3, 1.0, (150, 2))
    value[rng.random((150, 2)) < 0.2] = np.nan
    whole, parts = (learnt(np.random.default_rng(1), 3, series=2) for _ in range(2))
    expected = whole.update(tick, value, np.ones_like(value))
    edges = np.searchsorted(tick, sorted(LEARN + c for c in cuts))
    pieces = zip(np.split(tick, edges), np.split(value, edges), strict=True)
    found = np.concatenate([parts.update(t, v, np.ones_like(v)) for t, v in pieces])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    last = LEARN + 39
    for k in range(2):
        one, other = whole.describe(k, last), parts.describe(k, last)
        assert (one.onset, one.count) == (other.onset, other.count)
        assert (one.size, one.log_e) == (pytest.approx(other.size), pytest.approx(other.log_e))


def test_the_move_is_that_of_an_answer_whatever_the_number_in_a_tick():
    for each in (1, 12):
        rng = np.random.default_rng(7)
        found = learnt(rng, each)
        found.update(*rows(rng, 150, each, level=0.5, first=LEARN))
        shift = found.describe(0, LEARN + 149)
        assert shift.size == pytest.approx(0.5, abs=0.2)
        assert abs(shift.onset - LEARN) <= 12
        assert shift.count == pytest.approx(150 * each, rel=0.2)


def test_answers_without_a_number_are_no_evidence():
    rng = np.random.default_rng(2)
    found = learnt(rng, 2)
    tick, value, total = rows(rng, 10, 2, first=LEARN)
    assert np.all(found.update(tick, np.full_like(value, np.nan), total) == -np.inf)


def test_its_state_can_be_taken_up():
    rng = np.random.default_rng(3)
    one, other = learnt(rng, 4), detector()
    take_state(other, state_of(one))
    more = rows(rng, 20, 4, level=1.0, first=LEARN)
    np.testing.assert_array_equal(one.update(*more), other.update(*more))

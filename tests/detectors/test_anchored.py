"""The slow time scale: spans of ticks, and a reference that stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.detectors import AnchoredDetector, LocationDetector, ProportionDetector, median_of, sum_of

SPAN, ENOUGH, DAY = 12, 60, 24 * 12
ALARM = 19.0 - np.log(SPAN)


def anchored(series=1, margin=0.1, span=SPAN):
    inner = LocationDetector(margin=np.full(series, margin), seeds=np.arange(series), anchored=True)
    return AnchoredDetector(inner, span=span, fold=median_of, enough=ENOUGH)


def fast(series=1, margin=0.1):
    return LocationDetector(margin=np.full(series, margin), seeds=np.arange(series), capacity=DAY)


def played(detector, value, step=DAY):
    """Feed and learn day by day, as an engine does while it has no doubt."""
    log_e = []
    for start in range(0, len(value), step):
        part = value[start : start + step]
        log_e.append(detector.update(np.arange(start, start + len(part)), part, np.ones(part.shape)))
        detector.learn(start + len(part))
    return np.concatenate(log_e)


def creeping(seed, days, a_day, since=6, series=1):
    rise = np.maximum(np.arange(days * DAY) / DAY - since, 0.0) * a_day
    return np.random.default_rng(seed).normal(0, 0.3, (days * DAY, series)) + rise[:, None]


def test_a_creep_of_days_is_seen_where_a_test_that_goes_on_learning_forgives_it():
    value = creeping(0, 40, 0.02)
    assert played(fast(), value).max() < 19.0
    detector = anchored()
    log_e = played(detector, value)[:, 0]
    first = int(np.argmax(log_e >= ALARM))
    assert 8 * DAY < first < 20 * DAY  # the margin of 0.1 is reached after 11 days
    shift = detector.describe(0, len(value) - 1)
    assert shift.size > 0.1
    assert shift.onset_low <= shift.onset <= shift.onset_high
    assert shift.onset % SPAN == 0


def test_a_creep_within_the_margin_is_no_harm():
    value = creeping(1, 60, 0.0, series=20)
    value[6 * DAY :] += 0.09
    assert played(anchored(20), value).max() < ALARM


def test_it_stops_learning_when_it_has_enough():
    detector = anchored()
    played(detector, creeping(3, 30, 0.0))
    assert ENOUGH <= len(detector.learnt[0]) < ENOUGH + DAY // SPAN + 1
    before = detector.learnt[0].copy()
    played(detector, creeping(4, 10, 0.0))
    assert np.array_equal(detector.learnt[0], before)
    assert len(detector.inner.waiting) == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 20 * DAY), max_size=8), gaps=st.booleans())
def test_any_cut_tells_the_same(seed, cuts, gaps):
    value = creeping(seed, 20, 0.05)
    rng = np.random.default_rng(seed)
    tick = np.flatnonzero(rng.random(len(value)) < (0.3 if gaps else 1.0))
    found = []
    for edges in ([], sorted(cuts)):
        detector, log_e = anchored(), []
        for day in range(20):
            rows = tick[(tick >= day * DAY) & (tick < (day + 1) * DAY)]
            parts = np.split(rows, np.searchsorted(rows, edges))
            log_e += [detector.update(part, value[part], np.ones((len(part), 1))) for part in parts]
            detector.learn((day + 1) * DAY)
        found.append((np.concatenate(log_e), detector.describe(0, int(tick[-1]))))
    assert np.allclose(found[0][0], found[1][0], rtol=1e-9)
    assert found[0][1] == found[1][1]


def test_a_span_is_judged_when_it_is_over():
    detector = anchored()
    played(detector, creeping(5, 6, 0.0))
    start = 6 * DAY
    log_e = detector.update(np.arange(start, start + 30), np.zeros((30, 1)), np.ones((30, 1)))[:, 0]
    assert np.flatnonzero(np.isfinite(log_e)).tolist() == [11, 23]
    late = detector.update(np.array([start + 50]), np.zeros((1, 1)), np.ones((1, 1)))[:, 0]
    assert np.isfinite(late).all()  # what was open is over now


def test_shares_creep_too():
    rng, days = np.random.default_rng(6), 30
    share = 0.05 + np.maximum(np.arange(days * DAY) / DAY - 6, 0.0)[:, None] * 0.004
    hits = rng.binomial(10, share).astype(float)
    detector = AnchoredDetector(ProportionDetector(margin=np.array([0.03])), span=SPAN, fold=sum_of, enough=ENOUGH)
    log_e = []
    for start in range(0, days * DAY, DAY):
        rows = slice(start, start + DAY)
        log_e.append(detector.update(np.arange(start, start + DAY), hits[rows], np.full((DAY, 1), 10.0)))
        detector.learn(start + DAY)
    log_e = np.concatenate(log_e)[:, 0]
    assert log_e[: 10 * DAY].max() < ALARM
    assert log_e.max() > ALARM


@pytest.mark.parametrize("fold", [median_of, sum_of])
def test_where_nothing_was_seen_a_span_has_nothing(fold):
    value, total = fold(np.array([[np.nan, 1.0], [np.nan, np.nan]]), np.array([[5.0, 2.0], [0.0, 3.0]]))
    assert np.isnan(value[0])
    assert value[1] == 1.0
    assert total.tolist() == [0.0, 2.0]

"""What every detector promises; which ones there are is said in cases.py."""

import math
import pickle
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.detectors import LocationDetector, ProportionDetector
from driftwatch.detectors.protocol import KEPT
from tests.detectors.cases import LEARN, every, learnt, pieces, stream

ALARM = 18.2  # the default log threshold
EPOCH = 24


def played(detector, parts, boundaries=()):
    """Update with each part; learn, and look, at ticks that do not depend on the parts, as an engine does."""
    log_e, seen = [], {}
    for part in parts:
        evidence = detector.update(*part)
        assert evidence.tick is part[0]
        log_e.append(evidence.log_e)
        seen |= {t: (detector.describe(t), detector.evidence(t)) for t in part[0].tolist() if t % 7 == 0}
        if len(part[0]) and int(part[0][-1]) + 1 in boundaries:
            detector.learn(int(part[0][-1]) + 1 - EPOCH)
    return np.concatenate(log_e), seen


def close(a, b):
    """The same description, but for the last digits."""
    if a is None or b is None:
        return a is b
    return astuple(a) == pytest.approx(astuple(b), rel=1e-9, abs=1e-9, nan_ok=True)


@every
@settings(max_examples=12)
@given(
    seed=st.integers(0, 999),
    since=st.integers(LEARN, LEARN + 80),
    up=st.booleans(),
    cuts=st.lists(st.integers(LEARN, LEARN + 120), max_size=12),
)
def test_any_cut_gives_the_same_evidence_and_the_same_words(case, seed, since, up, cuts):
    rows = stream(case, LEARN + 120, seed, [(since, case.up if up else case.down)])
    epochs = set(range(LEARN + EPOCH, LEARN + 121, EPOCH))
    found = []
    for edges in (epochs, epochs | set(cuts), set(range(LEARN, LEARN + 120))):
        detector, after = learnt(case, rows)
        parts = [part for part in pieces(after, edges) if len(part[0])]
        ends = {max(int(t) for t in after[0] if t < end) + 1 for end in epochs}
        found.append(played(detector, parts, ends))
    for log_e, seen in found[1:]:
        assert np.allclose(log_e, found[0][0], rtol=1e-9, atol=1e-9)
        for t, (shift, evidence) in seen.items():
            assert close(shift, found[0][1][t][0])
            assert evidence == pytest.approx(found[0][1][t][1], rel=1e-9, abs=1e-9)


@every
def test_a_change_that_lasts_is_told_the_same_however_it_was_cut(case):
    n = LEARN + KEPT + 700
    rows = stream(case, n, 1, [(LEARN + 60, case.moved), (n - 300, case.healthy)])
    found = []
    for edges in (range(LEARN + 8, n - 200, 8), range(LEARN + 24, n - 200, 24), [LEARN + 500, n - 350]):
        detector, after = learnt(case, rows)
        first = None
        for part in pieces(after, edges):
            detector.update(*part)
            if first is None and part[0][-1] >= LEARN + 100:
                first = detector.describe(LEARN + 100)
        found.append([detector.again(first, t) for t in (int(rows[0][-1]), n - 100)] + [detector.describe(n - 100)])
    for other in found[1:]:
        assert all(close(a, b) for a, b in zip(other, found[0], strict=True))


@every
def test_words_about_a_tick_do_not_know_what_came_after(case):
    rows = stream(case, LEARN + 200, 2, [(LEARN + 50, case.up), (LEARN + 120, case.down)])
    knows, after = learnt(case, rows)
    knows.update(*after)
    before, _ = learnt(case, rows)
    parts = pieces(after, range(LEARN, LEARN + 200, 10))
    for part in parts:
        before.update(*part)
        for tick in part[0].tolist():
            assert close(knows.describe(tick), before.describe(tick))


@every
@pytest.mark.parametrize("way", ["up", "down"])
def test_an_obvious_change_is_found_sized_and_dated(case, way):
    level = getattr(case, way)
    if level == case.healthy:
        pytest.skip("there is no room for a move this way")
    size = level - case.healthy
    for seed in range(5):
        detector, after = learnt(case, stream(case, LEARN + 100, seed, [(LEARN + 40, level)]))
        log_e = detector.update(*after).log_e
        first = int(after[0][np.argmax(log_e >= ALARM)])
        assert log_e.max() >= ALARM
        assert LEARN + 40 <= first <= LEARN + 80
        shift = detector.describe(int(after[0][-1]))
        assert shift.onset_low <= shift.onset <= shift.onset_high
        assert abs(shift.onset - LEARN - 40) <= 8
        assert abs(shift.size - size) <= 4 * shift.error
        assert shift.exceeds(case.margin)
        assert shift.log_e == pytest.approx(log_e[-1])
        assert shift.evidence == detector.evidence(int(after[0][-1])) == pytest.approx(log_e[-1] - math.log(len(log_e)))
        assert shift.count == after[2][after[0] >= shift.onset].sum()
        assert shift.reference == pytest.approx(case.healthy, abs=0.1)


@every
def test_nine_of_ten_intervals_hold_the_change(case):
    held, told = 0, 0
    for seed in range(60):
        since = LEARN + 10 + seed
        rows = stream(case, since + 30, 100 + seed, [(since, case.moved)])
        detector, after = learnt(case, rows)
        detector.update(*after)
        shift = detector.describe(int(after[0][-1]))
        told += shift.log_e > ALARM
        held += shift.onset_low <= after[0][after[0] >= since][0] <= shift.onset_high
    assert told >= 50
    assert held / 60 >= 0.9 - 3 * math.sqrt(0.09 / 60)


@every
def test_false_alarms_keep_the_promise(case):
    """P(alarm by m) <= m / A on healthy streams with a large reference and no margin; R / m is an e-value."""
    streams, m, bound = 200, 100, 0.25
    detector, _ = learnt(case, stream(case, 6000, 3), 6000)
    fresh = case.make(margin=0.0)
    fresh.restore(detector.learnt)
    saved = pickle.dumps(fresh)
    alarmed, e_values = 0, []
    for seed in range(streams):
        clone, healthy = pickle.loads(saved), stream(case, m, 1000 + seed)
        alarmed += clone.update(*healthy).log_e.max() >= math.log(m / bound)
        e_values.append(math.exp(clone.evidence(int(healthy[0][-1]))))
    assert alarmed / streams <= bound
    assert np.mean(e_values) <= 1.0 + 3.0 * np.std(e_values) / math.sqrt(streams)


@every
@pytest.mark.parametrize("side", [-1, 0, 1])
def test_every_bet_is_fair_up_to_the_margin(case, side):
    """The mean of each factor is at most 1 as long as the move is within the margin, to 4 standard errors."""
    level = case.healthy + 0.999 * side * case.margin
    if not 0 <= level <= 1 and isinstance(case.make(margin=0.1), ProportionDetector):
        pytest.skip("no such share")
    detector, _ = learnt(case, stream(case, 20_000, 4), 20_000, capacity=50_000)
    rng, n = np.random.default_rng(5), 40_000
    detector.restart()
    detector.update(np.arange(30_000, 30_000 + n), *case.draw(rng, np.full(n, level)))
    factors = np.exp(detector.memory.factors[-n:])
    tolerance = 4.0 * factors.std(axis=0) / math.sqrt(n) + 1e-12 + case.slack * (side != 0)
    assert (factors.mean(axis=0) <= 1.0 + tolerance).all()


@every
def test_nothing_is_said_before_something_is_learnt(case):
    detector = case.make(margin=case.margin)
    rows = stream(case, 100, 6, [(50, case.up)])
    for part in pieces(rows, [3, 30]):
        assert detector.update(*part).log_e.tolist() == [-np.inf] * len(part[0])
        assert detector.describe(int(part[0][-1])) is None
        assert detector.evidence(int(part[0][-1])) == -np.inf
    assert not detector.ready
    detector.learn(0)
    assert not detector.ready
    detector.learn(100)
    assert detector.ready
    assert detector.describe(int(rows[0][-1])) is None


@every
def test_it_learns_what_came_before_and_was_not_to_be_skipped(case):
    rows = stream(case, 300, 7, [(100, case.up), (140, case.healthy)])
    healthy = (rows[0] < 100) | (rows[0] > 139)
    plain, _ = learnt(case, tuple(column[healthy & (rows[0] < LEARN)] for column in rows))
    detector = case.make(margin=case.margin)
    for part in pieces(rows, [50, 120, 250]):
        detector.update(*part)
    detector.learn(90)
    assert len(detector.learnt) == (rows[0] < 90).sum()
    detector.learn(LEARN, (100, 139))
    assert np.array_equal(detector.learnt, plain.learnt)
    detector.learn(LEARN)
    assert np.array_equal(detector.learnt, plain.learnt)
    detector.learn(300)
    assert len(detector.learnt) == healthy.sum()


@every
def test_what_one_learnt_another_takes_over(case):
    rows = stream(case, LEARN + 60, 8)
    source, after = learnt(case, rows)
    once, twice = case.make(margin=case.margin), case.make(margin=case.margin)
    once.restore(source.learnt.copy())
    twice.restore(learnt(case, stream(case, 400, 9, [(0, case.down)]), 400)[0].learnt)
    twice.restore(source.learnt.copy())
    assert once.ready
    assert np.array_equal(once.learnt, source.learnt)
    assert np.array_equal(twice.learnt, source.learnt)
    expected = once.update(*after).log_e
    assert np.array_equal(twice.update(*after).log_e, expected)
    assert expected[-1] == pytest.approx(source.update(*after).log_e[-1], abs=1.0)
    assert once.describe(int(after[0][-1])).reference == source.describe(int(after[0][-1])).reference


@every
def test_after_a_restart_evidence_begins_at_nothing_and_what_was_learnt_stays(case):
    rows = stream(
        case, LEARN + 150, 10, [(LEARN + 20, case.moved), (LEARN + 60, case.healthy), (LEARN + 120, case.moved)]
    )
    detector, after = learnt(case, rows)
    bad, good, again = pieces(after, [LEARN + 66, LEARN + 118])
    assert detector.update(*bad).log_e.max() > ALARM
    reference = detector.learnt.copy()
    detector.restart()
    assert detector.describe(int(bad[0][-1])) is None
    assert detector.evidence(int(bad[0][-1])) == -np.inf
    assert detector.ready
    assert np.array_equal(detector.learnt, reference)
    quiet = detector.update(*good).log_e
    assert quiet[0] < math.log(20)
    assert quiet.max() < 10
    assert detector.update(*again).log_e[-1] > ALARM
    shift = detector.describe(int(again[0][-1]))
    assert abs(shift.onset - (LEARN + 120)) <= 3


@every
def test_the_same_change_later_keeps_its_onset_and_takes_what_came(case):
    detector, after = learnt(case, stream(case, LEARN + 150, 11, [(LEARN + 20, case.moved)]))
    detector.update(*after)
    first = detector.describe(LEARN + 60)
    later = detector.again(first, LEARN + 149)
    assert (later.onset, later.onset_low, later.onset_high) == (first.onset, first.onset_low, first.onset_high)
    assert later.count > first.count
    assert later.error < first.error
    assert later.log_e > first.log_e
    assert (later.size, later.error) == detector.recent(first.onset, LEARN + 149)
    assert all(map(math.isnan, detector.recent(LEARN + 500, LEARN + 600)))


@every
def test_memory_is_bounded(case):
    detector, _ = learnt(case, stream(case, LEARN, 12), capacity=300)
    sizes = []
    rng = np.random.default_rng(13)
    for k in range(240):
        tick = LEARN + k * EPOCH + np.arange(EPOCH)
        detector.update(tick, *case.draw(rng, np.full(EPOCH, case.healthy)))
        detector.learn(int(tick[-1]) + 1 - EPOCH, (int(tick[0]) - 40, int(tick[0]) - 30) if k % 10 == 0 else None)
        sizes.append(len(pickle.dumps(detector)))
    assert len(detector.learnt) == 300
    assert max(sizes[120:]) <= sizes[119] * 1.01


@every
@pytest.mark.parametrize("n", range(13))
def test_few_observations_are_no_trouble(case, n):
    rows = stream(case, 60, 14)
    detector = case.make(margin=case.margin)
    detector.update(*(column[:n] for column in rows))
    detector.learn(99)
    log_e = detector.update(*(column[n:] for column in rows)).log_e
    assert not np.isnan(log_e).any()
    assert (log_e < ALARM).all()


@every
def test_nothing_comes_of_nothing(case):
    nothing = (np.empty(0, np.int64), np.empty(0), np.empty(0))
    detector = case.make(margin=case.margin)
    detector.restart()
    detector.learn(10)
    assert len(detector.update(*nothing).log_e) == 0
    assert detector.describe(5) is None
    assert not detector.ready
    detector, after = learnt(case, stream(case, LEARN + 60, 15))
    plain, _ = learnt(case, stream(case, LEARN + 60, 15))
    for part in pieces(after, [LEARN + 30]):
        assert len(detector.update(*nothing).log_e) == 0
        assert np.array_equal(detector.update(*part).log_e, plain.update(*part).log_e)
    assert detector.describe(-5) is None


@every
def test_a_constant_is_quiet_until_it_changes(case):
    rng = np.random.default_rng(16)
    value, total = (np.full(3000, column[0]) for column in case.draw(rng, np.full(1, case.healthy)))
    detector = case.make(margin=case.margin)
    detector.update(np.arange(200), value[:200], total[:200])
    detector.learn(200)
    log_e = detector.update(np.arange(200, 3000), value[200:], total[200:]).log_e
    assert np.isfinite(log_e).all()
    assert log_e.max() < ALARM
    moved = case.draw(rng, np.full(60, case.moved))
    assert detector.update(np.arange(3000, 3060), *moved).log_e[-1] > ALARM


@every
def test_evidence_is_never_without_a_number(case):
    """Every kind of stream at once: ties, gaps, empty ticks, wild values, both ways."""
    rows = stream(case, LEARN + 300, 17, [(LEARN + 50, case.up), (LEARN + 100, case.down), (LEARN + 150, case.healthy)])
    detector, (tick, value, total) = learnt(case, rows)
    if isinstance(detector, LocationDetector):
        value[::17], value[5::17] = 1e12, -1e12
    else:
        value[::17], total[::17] = 0.0, 0.0
        total[5::17] = 1e9
    for part in pieces((tick, value, total), range(LEARN, LEARN + 300, 7)):
        log_e = detector.update(*part).log_e
        assert np.isfinite(log_e).all()
        for t in part[0].tolist():
            shift = detector.describe(t)
            assert shift.onset_low <= shift.onset <= shift.onset_high <= t
            assert math.isfinite(shift.log_e)
            assert math.isfinite(shift.size) or shift.count == 0


def test_edges_are_cut_where_they_should_be():
    rows = (np.array([1, 2, 5, 9]), np.arange(4.0), np.ones(4))
    assert [part[0].tolist() for part in pieces(rows, [2, 3, 6])] == [[1], [2], [5], [9]]

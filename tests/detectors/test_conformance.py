"""What every detector promises; which ones there are is said in cases.py."""

import math
import pickle
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.detectors import LocationDetector, state_of, take_state
from driftwatch.detectors.memory import KEPT
from driftwatch.errors import StateError
from tests.detectors.cases import LEARN, every, learnt, pieces, stream

ALARM = 18.2  # the default log threshold
EPOCH = 24


def played(detector, parts, boundaries=()):
    """Update with each part; learn, and look, at ticks that do not depend on the parts, as an engine does."""
    log_e, seen = [], {}
    for part in parts:
        log_e.append(detector.update(*part))
        seen |= {t: (detector.describe(0, t), detector.evidence(t)[0]) for t in part[0].tolist() if t % 7 == 0}
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
@settings(max_examples=10)
@given(seed=st.integers(0, 999), cuts=st.lists(st.integers(0, 1500), max_size=4))
def test_long_chunks_and_short_ones_are_the_same(case, seed, cuts):
    """Long chunks are worked through in slabs and blocks, short ones step by step."""
    rows = stream(case, LEARN + 1500, seed, [(LEARN + 700, case.moved), (LEARN + 760, case.healthy)], series=2)
    found = []
    for edges in ([], [LEARN + cut for cut in cuts]):
        detector, after = learnt(case, rows)
        found.append(np.concatenate([detector.update(*part) for part in pieces(after, edges)]))
    assert np.allclose(found[1], found[0], rtol=1e-9, atol=1e-9)


@every
def test_a_series_does_not_know_its_neighbours(case):
    """Columns with gaps of their own, one of them never measured, say what each says alone."""
    tick, value, total = stream(case, LEARN + 200, 21, [(LEARN + 60, case.moved)], series=4)
    gone = np.random.default_rng(22).random(value.shape) < [0.0, 0.3, 0.95, 1.0]
    value, total = np.where(gone, np.nan, value), np.where(gone, 0.0, total)
    together, after = learnt(case, (tick, value, total))
    log_e = np.concatenate([together.update(*part) for part in pieces(after, [LEARN + 50, LEARN + 51, LEARN + 130])])
    for k in range(4):
        alone = case.fresh(4)  # the seed goes by the column
        only = np.where(np.arange(4) == k, value, np.nan), np.where(np.arange(4) == k, total, 0.0)
        before, rest = pieces((tick, *only), [LEARN])
        alone.update(*before)
        alone.learn(LEARN)
        assert np.allclose(alone.update(*rest)[:, k], log_e[:, k], rtol=1e-9, atol=1e-9)
        assert np.isneginf(log_e[np.isnan(after[1][:, k]), k]).all()
        assert close(alone.describe(k, LEARN + 150), together.describe(k, LEARN + 150))
    assert log_e[:, 0].max() > ALARM
    assert not together.ready(3)


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
                first = detector.describe(0, LEARN + 100)
        last = int(rows[0][-1])
        found.append([detector.again(0, first, t) for t in (last, n - 100)] + [detector.describe(0, n - 100)])
    for other in found[1:]:
        assert all(close(a, b) for a, b in zip(other, found[0], strict=True))


@every
def test_words_about_a_tick_do_not_know_what_came_after(case):
    rows = stream(case, LEARN + 200, 2, [(LEARN + 50, case.up), (LEARN + 120, case.down)])
    knows, after = learnt(case, rows)
    knows.update(*after)
    before, _ = learnt(case, rows)
    for part in pieces(after, range(LEARN, LEARN + 200, 10)):
        before.update(*part)
        for tick in part[0].tolist():
            assert close(knows.describe(0, tick), before.describe(0, tick))


@every
@pytest.mark.parametrize("way", ["up", "down"])
def test_an_obvious_change_is_found_sized_and_dated(case, way):
    level = getattr(case, way)
    if level == case.healthy:
        pytest.skip("there is no room for a move this way")
    healthy, moved = (case.draw(np.random.default_rng(9), np.full((9999, 1), x)) for x in (case.healthy, level))
    size = level - case.healthy if case.shares else float(np.median(moved[0]) - np.median(healthy[0]))
    for seed in range(5):
        detector, after = learnt(case, stream(case, LEARN + 100, seed, [(LEARN + 40, level)]))
        log_e = detector.update(*after)[:, 0]
        first = int(after[0][np.argmax(log_e >= ALARM)])
        assert log_e.max() >= ALARM
        assert LEARN + 40 <= first <= LEARN + 80
        shift = detector.describe(0, int(after[0][-1]))
        assert shift.onset_low <= shift.onset <= shift.onset_high
        assert abs(shift.onset - LEARN - 40) <= 8
        assert abs(shift.size - size) <= 4 * shift.error + 0.25 * abs(size)
        assert shift.exceeds(case.margin)
        assert shift.log_e == pytest.approx(log_e[-1])
        assert shift.evidence == detector.evidence(int(after[0][-1]))[0]
        assert log_e[-1] - math.log(3 * (len(log_e) + EPOCH)) < shift.evidence < log_e[-1] - math.log(len(log_e))
        assert shift.count == after[2][after[0] >= shift.onset].sum()


@every
def test_nine_of_ten_intervals_hold_the_change(case):
    held, told = 0, 0
    for seed in range(60):
        since = LEARN + 10 + seed
        rows = stream(case, since + 30, 100 + seed, [(since, case.moved)])
        detector, after = learnt(case, rows)
        detector.update(*after)
        shift = detector.describe(0, int(after[0][-1]))
        told += shift.log_e > ALARM
        held += shift.onset_low <= after[0][after[0] >= since][0] <= shift.onset_high
    assert told >= 50
    assert held / 60 >= 0.9 - 3 * math.sqrt(0.09 / 60)


@every
@pytest.mark.parametrize("learning", [300, 6000])
def test_false_alarms_keep_the_promise(case, learning):
    """P(alarm by m) <= (head start + m) / A on healthy streams, without a margin; R over its mean is an e-value."""
    runs, m, bound = 400, 100, 0.25
    detector, after = learnt(case, stream(case, learning + m, 3, series=runs), learning, margin=0.0)
    log_e = detector.update(*after)
    allowed = bound + 3.0 * math.sqrt(bound * (1 - bound) / runs) * (case.slack > 0)
    assert (log_e.max(axis=0) >= math.log((m + EPOCH) / bound)).mean() <= allowed
    e_values = np.exp(detector.evidence(int(after[0][-1])))
    assert np.mean(e_values) <= 1.0 + 3.0 * np.std(e_values) / math.sqrt(runs)


@every
@pytest.mark.parametrize("side", [-1, 0, 1])
def test_every_bet_is_fair_up_to_the_margin(case, side):
    """The mean of each factor is at most 1 as long as the move is within the margin, to 4 standard errors."""
    level = case.healthy + 0.999 * side * case.margin
    detector, _ = learnt(case, stream(case, 20_000, 4), 20_000, capacity=50_000)
    if not 0 <= level <= 1 and case.shares:
        pytest.skip("no such share")
    rng, n = np.random.default_rng(5), 40_000
    factors = []
    memory = getattr(detector, "inner", detector).memory
    bet = memory.bet
    memory.bet = lambda f, seen: (factors.append(f[:, 0]), bet(f, seen))[1]
    detector.update(np.arange(30_000, 30_000 + n), *case.draw(rng, np.full((n, 1), level)))
    factors = np.concatenate(factors)
    tolerance = 4.0 * factors.std(axis=0) / math.sqrt(n) + 1e-12 + case.slack * (side != 0)
    assert (factors.mean(axis=0) <= 1.0 + tolerance).all()


@every
def test_nothing_is_said_before_something_is_learnt(case):
    detector = case.fresh()
    rows = stream(case, 100, 6, [(50, case.up)])
    for part in pieces(rows, [3, 30]):
        assert np.isneginf(detector.update(*part)).all()
        assert detector.describe(0, int(part[0][-1])) is None
        assert detector.evidence(int(part[0][-1])).tolist() == [-np.inf]
    assert not detector.ready(0)
    detector.learn(0)
    assert not detector.ready(0)
    detector.learn(100)
    assert detector.ready(0)
    assert detector.describe(0, int(rows[0][-1])) is None
    assert 0 < detector.effective(0) <= 100


@every
def test_it_learns_what_came_before_and_was_not_to_be_skipped(case):
    rows = stream(case, 300, 7, [(100, case.up), (140, case.healthy)])
    healthy = (rows[0] < 100) | (rows[0] > 139)
    plain, _ = learnt(case, tuple(column[healthy & (rows[0] < LEARN)] for column in rows))
    detector = case.fresh()
    for part in pieces(rows, [50, 120, 250]):
        detector.update(*part)
    detector.learn(90)
    assert len(detector.learnt[0]) == (rows[0] < 90).sum()
    detector.learn(LEARN, (100, 139))
    assert np.array_equal(detector.learnt[0], plain.learnt[0])
    detector.learn(LEARN)
    assert np.array_equal(detector.learnt[0], plain.learnt[0])
    detector.learn(300)
    assert len(detector.learnt[0]) == healthy.sum()


@every
def test_what_is_to_be_skipped_is_forgotten_though_it_is_new(case):
    """An incident's ticks leave no trace in what later ones are compared with."""
    quiet, after = learnt(case, stream(case, LEARN + 150, 23))
    troubled, _ = learnt(case, stream(case, LEARN + 150, 23))
    before, trouble, later = pieces(after, [LEARN + 24, LEARN + 72])
    loud = case.draw(np.random.default_rng(24), np.full((len(trouble[0]), 1), case.moved))
    for detector in (quiet, troubled):
        detector.update(*before)
    assert troubled.update(trouble[0], *loud).max() > ALARM
    for detector in (quiet, troubled):
        detector.learn(LEARN, (LEARN + 24, LEARN + 71))
        detector.restart(0)
    if isinstance(troubled, LocationDetector):
        assert np.array_equal(troubled.past.total, quiet.past.total)
    assert np.allclose(troubled.update(*later), quiet.update(*later), atol=1.0)


@every
def test_what_one_learnt_another_takes_over(case):
    rows = stream(case, LEARN + 60, 8)
    source, after = learnt(case, rows)
    once, twice = case.fresh(), case.fresh()
    once.restore(0, source.learnt[0].copy())
    twice.restore(0, learnt(case, stream(case, 400, 9, [(0, case.down)]), 400)[0].learnt[0])
    twice.restore(0, source.learnt[0].copy())
    assert once.ready(0)
    assert np.array_equal(once.learnt[0], source.learnt[0])
    assert np.array_equal(twice.learnt[0], source.learnt[0])
    expected = once.update(*after)[:, 0]
    assert np.array_equal(twice.update(*after)[:, 0], expected)
    assert expected[-1] == pytest.approx(source.update(*after)[-1, 0], abs=1.0)
    assert once.describe(0, int(after[0][-1])).reference == source.describe(0, int(after[0][-1])).reference


@every
@pytest.mark.parametrize("n", [1, 7, 30])
def test_a_short_past_is_taken_over_as_far_as_it_goes(case, n):
    source = case.fresh()
    source.restore(0, learnt(case, stream(case, LEARN, 27))[0].learnt[0][:n])
    for part in pieces(stream(case, 60, 28), [24, 48]):
        assert not np.isnan(source.update(*part)).any()
        source.learn(int(part[0][-1]) + 1)
    assert source.ready(0)


@every
def test_a_state_that_is_saved_and_taken_up_goes_on_as_if_nothing_had_happened(case, tmp_path):
    rows = stream(case, LEARN + 260, 25, [(LEARN + 60, case.moved), (LEARN + 110, case.healthy)], series=2)
    old, after = learnt(case, rows)
    before, rest = pieces(after, [LEARN + 77])
    old.update(*before)
    old.learn(LEARN + 24)
    np.savez(tmp_path / "state.npz", **state_of(old))
    new = case.fresh(2)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
        take_state(new, saved)
    for part in pieces(rest, range(LEARN + 96, LEARN + 260, 24)):
        assert np.array_equal(new.update(*part), old.update(*part))
        last = int(part[0][-1])
        assert close(new.describe(0, last), old.describe(0, last))
        for detector in (old, new):
            detector.learn(last - 24, (LEARN + 60, LEARN + 110))
            detector.restart(1)
    assert np.array_equal(new.evidence(last), old.evidence(last))


@every
def test_a_state_of_another_is_refused(case):
    arrays = state_of(learnt(case, stream(case, LEARN, 26))[0])
    arrays.pop(next(key for key in arrays if "below" in key or "share" in key))
    with pytest.raises(StateError, match="lacks"):
        take_state(case.fresh(), arrays)


@every
def test_after_a_restart_evidence_begins_at_nothing_and_what_was_learnt_stays(case):
    moves = [(LEARN + 24, case.moved), (LEARN + 72, case.healthy), (LEARN + 120, case.moved)]
    rows = stream(case, LEARN + 150, 10, moves)
    detector, after = learnt(case, rows)
    bad, good, again = pieces(after, [LEARN + 72, LEARN + 120])
    assert detector.update(*bad).max() > ALARM
    reference = detector.learnt[0].copy()
    detector.learn(LEARN, (LEARN + 24, LEARN + 71))
    detector.restart(0)
    assert detector.describe(0, int(bad[0][-1])) is None
    assert detector.evidence(int(bad[0][-1])).tolist() == [-np.inf]
    assert detector.ready(0)
    assert np.array_equal(detector.learnt[0], reference)
    quiet = detector.update(*good)
    assert quiet[0] < math.log(20 * EPOCH)
    assert quiet.max() < 10
    assert detector.update(*again)[-1] > ALARM
    shift = detector.describe(0, int(again[0][-1]))
    assert abs(shift.onset - (LEARN + 120)) <= 3


@every
def test_the_same_change_later_keeps_its_onset_and_takes_what_came(case):
    detector, after = learnt(case, stream(case, LEARN + 80, 11, [(LEARN + 20, case.moved)]))
    detector.update(*after)
    first = detector.describe(0, LEARN + 40)
    later = detector.again(0, first, LEARN + 79)
    assert (later.onset, later.onset_low, later.onset_high) == (first.onset, first.onset_low, first.onset_high)
    assert later.count > first.count
    assert later.log_e > first.log_e
    recent = detector.recent(0, first.onset, LEARN + 79)
    assert (later.size, later.error) == (recent.size, recent.error)
    nothing = detector.recent(0, LEARN + 500, LEARN + 600)
    assert math.isnan(nothing.size)
    assert math.isnan(nothing.error)


@every
def test_in_how_many_ticks_it_moved_is_told(case):
    rows = stream(case, LEARN + 100, 17, [(LEARN + 40, case.moved), (LEARN + 70, case.healthy)])
    detector, after = learnt(case, rows)
    detector.update(*after)
    lasted = detector.moves(0, LEARN + 40, LEARN + 69).lasted
    assert 18 < lasted <= 30
    assert detector.moves(0, LEARN + 40, LEARN + 99).lasted < 40
    one = next(int(t) for t in rows[0] if t >= LEARN + 50)
    assert detector.moves(0, one, one).lasted == 1
    assert detector.moves(0, LEARN + 500, LEARN + 600).lasted == 0


@every
def test_memory_is_bounded(case):
    detector, _ = learnt(case, stream(case, LEARN, 12), capacity=300)
    sizes = []
    rng = np.random.default_rng(13)
    for k in range(240):
        tick = LEARN + k * EPOCH + np.arange(EPOCH)
        detector.update(tick, *case.draw(rng, np.full((EPOCH, 1), case.healthy)))
        detector.learn(int(tick[-1]) + 1 - EPOCH, (int(tick[0]) - 40, int(tick[0]) - 30) if k % 10 == 0 else None)
        sizes.append(len(pickle.dumps(detector)))
    assert len(detector.learnt[0]) <= 300 * 1.25 + EPOCH
    assert max(sizes[120:]) <= max(sizes[:120]) * 1.01


@every
def test_evidence_has_a_ceiling(case):
    detector, _ = learnt(case, stream(case, LEARN, 12))
    found = []
    for n in (700, 24, 24, 1):
        tick = LEARN + sum(len(part) for part in found) + np.arange(n)
        value, total = case.draw(np.random.default_rng(14), np.full((n, 1), case.moved))
        detector.learn(LEARN, (LEARN, int(tick[-1])))  # an incident that lasts
        found.append(detector.update(tick, value, total))
    assert np.isfinite(np.concatenate(found)).all()
    assert ALARM < found[-1][-1, 0] < 310


@every
@pytest.mark.parametrize("n", range(13))
def test_few_observations_are_no_trouble(case, n):
    rows = stream(case, 60, 14)
    detector = case.fresh()
    detector.update(*(column[:n] for column in rows))
    detector.learn(99)
    log_e = detector.update(*(column[n:] for column in rows))
    assert not np.isnan(log_e).any()
    assert (log_e < ALARM).all()


@every
def test_nothing_comes_of_nothing(case):
    nothing = (np.empty(0, np.int64), np.empty((0, 1)), np.empty((0, 1)))
    detector = case.fresh()
    detector.restart(0)
    detector.learn(10)
    assert detector.update(*nothing).shape == (0, 1)
    assert detector.describe(0, 5) is None
    assert not detector.ready(0)
    detector, after = learnt(case, stream(case, LEARN + 60, 15))
    plain, _ = learnt(case, stream(case, LEARN + 60, 15))
    for part in pieces(after, [LEARN + 30]):
        assert len(detector.update(*nothing)) == 0
        assert np.array_equal(detector.update(*part), plain.update(*part))
    assert detector.describe(0, -5) is None


@every
def test_a_constant_is_quiet_until_it_changes(case):
    rng = np.random.default_rng(16)
    value, total = (np.full((3000, 1), column[0, 0]) for column in case.draw(rng, np.full((1, 1), case.healthy)))
    detector = case.fresh()
    detector.update(np.arange(200), value[:200], total[:200])
    detector.learn(200)
    log_e = detector.update(np.arange(200, 3000), value[200:], total[200:])
    assert np.isfinite(log_e).all()
    assert log_e.max() < ALARM
    moved = case.draw(rng, np.full((60, 1), case.moved))
    assert detector.update(np.arange(3000, 3060), *moved)[-1, 0] > ALARM


@every
def test_evidence_is_never_without_a_number(case):
    """Every kind of stream at once: ties, gaps, empty ticks, wild values, both ways."""
    rows = stream(case, LEARN + 300, 17, [(LEARN + 50, case.up), (LEARN + 100, case.down), (LEARN + 150, case.healthy)])
    detector, (tick, value, total) = learnt(case, rows)
    shares = case.shares
    if shares:
        value[::17], total[::17] = 0.0, 0.0
        total[5::17] = 1e9
    else:
        value[::17], value[5::17] = 1e12, -1e12
    value[3::29] = np.nan
    for part in pieces((tick, value, total), range(LEARN, LEARN + 300, 7)):
        log_e = detector.update(*part)[:, 0]
        told = ~np.isnan(part[1][:, 0]) & ((part[2][:, 0] > 0) | (not shares))
        assert np.isfinite(log_e[told]).all()
        assert np.isneginf(log_e[~told]).all()
        for t in part[0][told].tolist():
            shift = detector.describe(0, t)
            assert shift.onset_low <= shift.onset <= shift.onset_high <= t
            assert math.isfinite(shift.log_e)
            assert math.isfinite(shift.size) or shift.count == 0


def test_edges_are_cut_where_they_should_be():
    rows = (np.array([1, 2, 5, 9]), np.arange(4.0), np.ones(4))
    assert [part[0].tolist() for part in pieces(rows, [2, 3, 6])] == [[1], [2], [5], [9]]

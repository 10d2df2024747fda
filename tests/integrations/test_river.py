import math
import pickle
import subprocess
import sys
from dataclasses import astuple
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("river")

from river import drift, naive_bayes
from river.checks import common

from driftwatch.detectors.memory import KEPT
from driftwatch.integrations.river import LocationDrift, ProportionDrift, RiverDetector

DRIFTS = pytest.mark.parametrize("kind", [LocationDrift, ProportionDrift])
GUESTS = pytest.mark.parametrize(
    "make",
    [drift.ADWIN, drift.PageHinkley, partial(drift.KSWIN, seed=1, alpha=1e-4)],
    ids=["ADWIN", "PageHinkley", "KSWIN"],
)
CONVENTIONS = [  # those of river's checks that are not about predictions
    common.check_repr,
    common.check_str,
    common.check_doc,
    common.check_clone_same_class,
    common.check_clone_is_idempotent,
    common.check_clone_changes_memory_addresses,
    common.check_clone_with_new_params_applies,
    common.check_get_params_matches_signature,
    common.check_init_has_default_params_for_tests,
    common.check_init_default_params_are_not_mutable,
    common.check_mutate_can_be_idempotent,
    common.check_pickling_supports_roundtrip,
    common.check_repr_roundtrips_clone,
]
ARL = 10_000.0


def drawn(kind, seed, *stretches):
    """Values of one stretch after the other: (how many, how far from healthy, from 0 to 1)."""
    rng = np.random.default_rng(seed)
    if kind is LocationDrift:
        return np.concatenate([rng.normal(2.0 * far, 1.0, n) for n, far in stretches])
    return np.concatenate([(rng.random(n) < 0.1 + 0.5 * far) * 1.0 for n, far in stretches])


def state(detector):
    return detector.drift_detected, detector.warning_detected, detector.shift, detector.evidence, detector.n_ignored


class TestDrifts:
    """Ours in river's shape."""

    @DRIFTS
    @settings(max_examples=8, deadline=None)
    @given(
        seed=st.integers(0, 999),
        first=st.integers(350, 450),
        odd=st.dictionaries(st.integers(0, 999), st.sampled_from([math.nan, math.inf, -math.inf]), max_size=30),
        cuts=st.lists(st.integers(0, 1000), max_size=5),
    )
    def test_many_at_once_are_as_one_after_the_other(self, kind, seed, first, odd, cuts):
        values = drawn(kind, seed, (first, 0), (250, 1), (1000 - first - 250, 0))
        values[list(odd)] = list(odd.values())
        one, many = kind(learn=100), kind(learn=100)
        found, at = [], {}
        for k, value in enumerate(values.tolist()):
            one.update(value)
            found.append(one.drift_detected)
            at[k + 1] = state(one)
        edges = [0, *sorted(cuts), 1000]
        flags = []
        for start, end in pairwise(edges):
            flags.append(many.update_many(values[start:end]))
            if end > 0:
                drifted, warned, shift, evidence, ignored = state(many)
                assert (drifted, warned, ignored) == (at[end][0], at[end][1], at[end][4])
                assert evidence == pytest.approx(at[end][3], rel=1e-9, abs=1e-9)
                assert (shift is None) == (at[end][2] is None)
                assert shift is None or astuple(shift) == pytest.approx(astuple(at[end][2]), rel=1e-9)
        assert np.concatenate(flags).tolist() == found
        assert any(found)

    @DRIFTS
    def test_each_drift_is_found_and_dated_and_the_new_level_is_learnt(self, kind):
        for seed in range(5):
            detector = kind(arl=1e6)
            at = np.flatnonzero(detector.update_many(drawn(kind, seed, (800, 0), (60, 1)))).tolist()
            assert len(at) == 1
            assert 800 < at[0] < 860
            assert abs(detector.onset - 800) <= 20
            assert detector.shift.onset_low <= detector.onset <= detector.shift.onset_high <= at[0]
            assert detector.shift.size > 0.2
            assert not detector.update_many(drawn(kind, 10 + seed, (800, 1))).any()
            assert detector.update_many(drawn(kind, 20 + seed, (60, 0))).sum() == 1
            assert abs(detector.onset - 1660) <= 20
            assert detector.shift.size < -0.2

    @DRIFTS
    def test_a_drift_is_said_once_and_then_it_learns(self, kind):
        detector = kind()
        assert detector.evidence == -math.inf
        detector.update_many(drawn(kind, 1, (600, 0)))
        assert math.isfinite(detector.evidence)
        assert detector.onset is None
        said = []
        for value in drawn(kind, 2, (60, 1)).tolist():
            detector.update(value)
            said.append((detector.warning_detected, detector.drift_detected))
            if detector.drift_detected:
                assert detector.shift.evidence == detector.evidence > 2
        warned, drifted = np.array(said).T
        assert drifted.sum() == 1
        assert warned[: np.argmax(drifted)].any()
        assert not (warned & drifted).any()
        assert not warned[np.argmax(drifted) :].any()
        assert detector.evidence == -math.inf

    @DRIFTS
    def test_false_alarms_keep_the_promise(self, kind):
        runs, m, arl = 60, 1000, 4000
        alarmed = np.mean([kind(arl=arl).update_many(drawn(kind, 100 + k, (300 + m, 0))).any() for k in range(runs)])
        bound = (m + 40) / arl
        assert alarmed <= bound + 3 * math.sqrt(bound * (1 - bound) / runs)

    @DRIFTS
    def test_what_is_no_number_is_ignored_and_counted(self, kind):
        values = drawn(kind, 3, (600, 0), (60, 1))
        gaps = np.sort(np.random.default_rng(4).integers(0, 600, 300))
        broken = np.insert(values, gaps, np.resize([math.nan, math.inf, -math.inf], 300))
        plain, patient = kind(), kind()
        found, late = plain.update_many(values), patient.update_many(broken)
        assert patient.n_ignored == 300
        assert plain.n_ignored == 0
        assert found.sum() == late.sum() == 1
        assert abs(np.argmax(late) - 300 - np.argmax(found)) <= 5  # ties are broken by place

    @pytest.mark.filterwarnings("error")
    def test_values_beyond_measure_are_no_trouble(self):
        values = drawn(LocationDrift, 5, (3000, 0))
        for k, far in enumerate([1e308, -1e308, 5e-324, 1e150]):
            values[k::9] = far
        detector = LocationDrift()
        detector.update_many(values)
        assert math.isfinite(detector.evidence)

    @DRIFTS
    def test_memory_is_bounded(self, kind):
        detector = kind(arl=1e12, learn=50)
        sizes = []
        for k in range(30):
            detector.update_many(drawn(kind, k, (2000, 0)))
            sizes.append(len(pickle.dumps(detector)))
        assert max(sizes[15:]) <= 1.1 * max(sizes[:15])
        assert max(sizes) < 2_000_000

    @DRIFTS
    def test_a_warning_that_lasts_does_not_keep_it_from_learning(self, kind):
        detector = kind(arl=1e300, warn=1.001)
        detector.update_many(drawn(kind, 6, (20_000, 0)))
        assert detector.warning_detected
        assert len(detector._detector.waiting) < 6000

    @DRIFTS
    def test_a_pickle_goes_on_where_it_was(self, kind):
        detector = kind()
        detector.update_many(drawn(kind, 7, (700, 0)))
        copy = pickle.loads(pickle.dumps(detector))
        rest = drawn(kind, 8, (50, 0), (50, 1))
        assert np.array_equal(detector.update_many(rest), copy.update_many(rest))
        assert state(detector) == state(copy)
        assert detector.onset is not None

    @DRIFTS
    def test_it_keeps_rivers_conventions(self, kind):
        model = kind(arl=5000, margin=0.01)
        for check in CONVENTIONS:
            check(model.clone())
        model.update_many(drawn(kind, 9, (400, 0)))
        clone = model.clone({"learn": 60})
        assert (clone.arl, clone.margin, clone.learn) == (5000, 0.01, 60)
        assert clone.evidence == -math.inf

    def test_a_classifier_is_trained_anew_when_its_errors_drift(self):
        rng = np.random.default_rng(10)
        plain = naive_bayes.GaussianNB()
        detector = ProportionDrift(learn=200)
        watched = drift.DriftRetrainingClassifier(naive_bayes.GaussianNB(), detector)
        right = {plain: 0, watched: 0}
        for k in range(1600):
            y = bool(rng.random() < 0.5)
            x = {"x": float(rng.normal(2.0 * (y if k < 800 else not y), 1.0))}
            for model in right:
                right[model] += k >= 900 and model.predict_one(x) == y
                model.learn_one(x, y)
        assert abs(detector.onset - 800) < 20
        assert right[watched] > 500
        assert right[plain] < 450

    @DRIFTS
    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"arl": 100}, "arl is 100: .* at least 500"),
            ({"arl": math.nan}, "arl is nan"),
            ({"margin": -0.1}, r"margin is -0\.1: it must not be negative"),
            ({"learn": 10}, "learn is 10: at least 50"),
            ({"warn": 20_000}, "warn is 20000: .* at most arl"),
        ],
    )
    def test_a_parameter_out_of_range_is_an_error_that_says_so(self, kind, wrong, words):
        with pytest.raises(ValueError, match=words):
            kind(**wrong)

    def test_values_that_are_none_of_its_kind_are_an_error(self):
        with pytest.raises(ValueError, match="a value of 2: a share takes 0 and 1"):
            ProportionDrift().update(2)
        with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
            LocationDrift().update_many([[1.0, 2.0]])

    def test_without_river_it_says_which_extra_to_install(self, root):
        code = (
            "import sys; sys.modules['river'] = None\n"
            "from driftwatch.errors import MissingExtra\n"
            "try: import driftwatch.integrations.river\n"
            "except MissingExtra as error: print(error)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
        assert "pip install 'driftwatch-serving[river]'" in done.stdout


LEARN = 200


def rows(seed, moved=400, n=600, series=1):
    """Ticks (a few are missing), values that move by 3 at a tick, totals."""
    rng = np.random.default_rng(seed)
    tick = np.flatnonzero(rng.random(n) < 0.9)
    value = rng.normal(0.0, 1.0, (len(tick), series)) + 3.0 * (tick >= moved)[:, None]
    return tick, value, np.full(value.shape, 7.0)


def pieces(table, cuts):
    edges = np.searchsorted(table[0], sorted(cuts))
    return [tuple(part) for part in zip(*(np.split(column, edges) for column in table), strict=True)]


def learnt(make, table, **options):
    detector = RiverDetector(make, arl=ARL, series=table[1].shape[1], **options)
    before, after = pieces(table, [LEARN])
    detector.update(*before)
    detector.learn(LEARN)
    return detector, after


def same(a, b):
    return a is b if a is None or b is None else astuple(a) == pytest.approx(astuple(b), nan_ok=True)


@GUESTS
class TestGuests:
    """River's as one of ours."""

    def test_a_change_is_found_where_river_finds_it(self, make):
        detector, after = learnt(make, rows(1))
        log_e = detector.update(*after)[:, 0]
        own = make()
        said = []
        for value in [*detector.learnt[0].tolist(), *after[1][:, 0].tolist()]:
            own.update(value)
            said.append(own.drift_detected)
        assert np.array_equal(log_e == math.log(ARL), said[-len(log_e) :])
        assert set(log_e.tolist()) == {0.0, math.log(ARL)}
        found = int(after[0][np.argmax(log_e)])
        assert 400 <= found < 460
        shift = detector.describe(0, found)
        assert shift.log_e == pytest.approx(math.log(ARL))
        assert shift.onset == shift.onset_low <= shift.onset_high == found
        assert shift.evidence == detector.evidence(found)[0] < math.log(ARL)
        later = detector.again(0, shift, int(after[0][-1]))
        assert (later.onset, later.log_e) == (shift.onset, log_e[-1])
        assert later.size == pytest.approx(3.0, abs=0.5)
        assert later.exceeds(1.0)
        assert later.count == after[2][after[0] >= shift.onset].sum()

    @settings(max_examples=10, deadline=None)
    @given(seed=st.integers(0, 99), cuts=st.lists(st.integers(LEARN, 600), max_size=6))
    def test_any_cut_gives_the_same_evidence_and_the_same_words(self, make, seed, cuts):
        found = []
        for edges in ([300, 500], [300, 500, *cuts]):
            detector, after = learnt(make, rows(seed))
            log_e = []
            for part in pieces(after, edges):
                log_e.append(detector.update(*part))
                if len(part[0]) and part[0][-1] + 12 > 300 > part[0][-1]:
                    detector.learn(250)
            found.append((np.concatenate(log_e), [detector.describe(0, t) for t in range(0, 620, 7)]))
        assert np.array_equal(found[0][0], found[1][0])
        assert all(same(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))

    def test_words_about_a_tick_do_not_know_what_came_after(self, make):
        table = rows(2)
        knows, after = learnt(make, table)
        knows.update(*after)
        before, _ = learnt(make, table)
        told = 0
        for part in pieces(after, range(LEARN, 600, 10)):
            before.update(*part)
            for tick in part[0].tolist():
                assert same(knows.describe(0, tick), before.describe(0, tick))
                assert before.evidence(tick).tolist() == knows.evidence(tick).tolist()
                told += before.describe(0, tick) is not None
        assert told > 50

    def test_nothing_is_said_before_something_is_learnt(self, make):
        detector = RiverDetector(make, arl=ARL)
        for part in pieces(rows(3), [3, 300]):
            assert np.isneginf(detector.update(*part)).all()
            assert detector.describe(0, int(part[0][-1])) is None
            assert np.isneginf(detector.evidence(int(part[0][-1]))).all()
        detector.learn(0)
        assert not detector.ready(0)
        detector.learn(100)
        assert detector.ready(0)
        assert detector.effective(0) == len(detector.learnt[0]) == (rows(3)[0] < 100).sum()

    @pytest.mark.parametrize("n", range(6))
    def test_few_observations_are_no_trouble(self, make, n):
        table = rows(4, n=60)
        detector = RiverDetector(make, arl=ARL)
        for part in pieces(table, [int(table[0][n])]):
            log_e = detector.update(*part)
            detector.learn(int(table[0][n]))
        assert (np.isneginf(log_e) if n == 0 else log_e == 0.0).all()
        assert detector.update(np.empty(0, np.int64), np.empty((0, 1)), np.empty((0, 1))).shape == (0, 1)

    def test_what_is_to_be_skipped_is_not_learnt(self, make):
        table = rows(5)
        detector, after = learnt(make, table)
        detector.update(*after)
        detector.learn(600, (400, 599))
        detector.learn(600)
        assert len(detector.learnt[0]) == (table[0] < 400).sum()
        assert len(detector.waiting) == 0

    def test_after_a_restart_what_was_learnt_is_healthy_again(self, make):
        table = rows(6)
        detector, after = learnt(make, table)
        detector.update(*after)
        assert detector.describe(0, 599) is not None
        detector.learn(600, (400, 599))
        detector.restart(0)
        assert detector.describe(0, 599) is None
        assert np.isneginf(detector.evidence(599)).all()
        rng = np.random.default_rng(7)
        calm, ones = rng.normal(0, 1, (100, 1)), np.ones((100, 1))
        assert (detector.update(np.arange(600, 700), calm, ones) == 0.0).all()
        assert detector.update(np.arange(700, 800), calm + 3.0, ones).max() == math.log(ARL)
        assert 600 <= detector.describe(0, 799).onset <= detector.describe(0, 799).onset_high < 760

    def test_what_one_learnt_another_takes_over(self, make):
        source, after = learnt(make, rows(8))
        other = RiverDetector(make, arl=ARL)
        other.restore(0, source.learnt[0])
        assert np.array_equal(other.update(*after), source.update(*after))

    def test_what_is_no_number_is_not_fed(self, make):
        """One NaN silences ADWIN for good."""
        tick, value, total = rows(9)
        value[::5], value[1::17] = np.nan, np.inf
        detector, after = learnt(make, (tick, value, total))
        log_e = detector.update(*after)
        assert np.isneginf(log_e[~np.isfinite(after[1])]).all()
        assert log_e.max() == math.log(ARL)
        assert 400 <= after[0][np.argmax(log_e)] < 480

    def test_a_series_does_not_know_its_neighbours(self, make):
        tick, value, total = rows(10, series=3)
        value[:, 2] = np.nan
        together, after = learnt(make, (tick, value, total))
        log_e = together.update(*after)
        for k in range(2):
            alone, own = learnt(make, (tick, value[:, [k]], total[:, [k]]))
            assert np.array_equal(alone.update(*own)[:, 0], log_e[:, k])
        assert not together.ready(2)

    def test_memory_is_bounded(self, make):
        detector, _ = learnt(make, rows(11), capacity=300)
        rng = np.random.default_rng(12)
        sizes = []
        for k in range(40):
            tick = 600 + 96 * k + np.arange(96)
            detector.update(tick, rng.normal(0, 1, (96, 1)), np.ones((96, 1)))
            detector.learn(int(tick[0]))
            sizes.append(len(pickle.dumps(detector)))
        assert len(detector.learnt[0]) == 300
        assert len(detector.memory.rows) < 2 * KEPT
        assert max(sizes[20:]) <= 1.02 * max(sizes[:20])


def test_the_onset_is_where_adwins_window_begins():
    early = []
    for seed in range(11):
        detector, after = learnt(drift.ADWIN, rows(seed))
        log_e = detector.update(*after)[:, 0]
        shift = detector.describe(0, int(after[0][np.argmax(log_e)]))
        early.append(400 - shift.onset)
        assert shift.onset_low - 5 <= 400 <= shift.onset_high
    assert abs(np.median(early)) <= 25  # its window is made of whole buckets
    detector, after = learnt(drift.PageHinkley, rows(1))
    found = int(after[0][np.argmax(detector.update(*after)[:, 0])])
    assert detector.describe(0, found).onset == found


def test_counts_are_fed_as_shares():
    rng = np.random.default_rng(13)
    tick = np.arange(600)
    total = rng.poisson(10, (600, 1)).astype(float)
    value = rng.binomial(total.astype(int), np.where(tick < 400, 0.1, 0.6)[:, None]).astype(float)
    detector, after = learnt(drift.ADWIN, (tick, value, total), share=True)
    log_e = detector.update(*after)
    assert np.array_equal(np.isneginf(log_e), after[2] == 0)
    found = 200 + int(np.argmax(log_e))
    assert 400 <= found < 460
    shift = detector.again(0, detector.describe(0, found), 599)
    assert shift.size == pytest.approx(0.5, abs=0.12)
    assert shift.reference == pytest.approx(0.1, abs=0.03)

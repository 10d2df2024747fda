"""What is usual for answers: learnt from some, shown by others, in order, saved by nobody's words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.baseline.response.direction import Direction
from driftwatch.baseline.response.kinds import KINDS, centres_of, kind_of
from driftwatch.baseline.response.model import ResponseModel
from driftwatch.baseline.response.saved import arrays_of, take_arrays
from driftwatch.baseline.response.stream import ResponseBaseline, sampled
from driftwatch.baseline.response.tracks import Rows
from driftwatch.config import Text
from driftwatch.embedding.reading import TextReader
from driftwatch.events.texts import Answers
from driftwatch.ticks.answered import Answered, join_answered
from tests.spoken import spoken


def answers(seed=0, ticks=120, rate=1.0, **faults):
    found = TextReader(Text(dimensions=64)).read(spoken(seed, ticks, rate=rate, **faults)).answers
    assert found is not None
    return found


def answered(said: Answers, each: int = 4, first: int = 0) -> Answered:
    n = len(said)
    one = np.zeros(n, np.int64)
    ids = np.arange(1 + first * each, n + 1 + first * each).astype(np.uint64)
    return Answered(first + np.arange(n) // each, one, one, np.arange(n), ids, one - 1, one - 1, said)


@pytest.fixture(scope="module")
def model():
    return ResponseModel.fit(answers(0))


@given(st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=20, deadline=None)
def test_a_row_is_judged_the_same_whatever_is_beside_it(model, a, b):
    first, last = sorted((a, b))
    said = answers(1)
    whole, part = model.judge(said), model.judge(said.take(slice(first, last)))
    for name in ("prompt", "answer", "match", "spread", "novelty", "kind"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[first:last])


def test_what_is_left_of_healthy_answers_is_small_and_of_others_is_large(model):
    usual, other = model.judge(answers(2)), model.judge(answers(3, other="bad3", since=0))
    assert model.said.directions.shape[1] <= 48
    assert usual.answer.shape[1] <= len(model.said.centre)
    assert np.linalg.norm(usual.answer.mean(axis=0)) < 1.0
    assert np.linalg.norm(other.answer.mean(axis=0)) > 2 * np.linalg.norm(usual.answer.mean(axis=0))


def test_answers_without_vectors_or_without_words_are_judged_too():
    for settings_ in (Text(encoder="none"), Text(dimensions=16)):
        found = TextReader(settings_).read(spoken(4, 120)).answers
        left = ResponseModel.fit(found).judge(found)
        assert np.isfinite(left.answer).all()
        assert np.isfinite(left.spread).all()


def test_kinds_are_shared_out_and_stay():
    points = np.random.default_rng(0).normal(size=(400, 20))
    centres = centres_of(points)
    share = np.bincount(kind_of(points, centres), minlength=KINDS) / 400
    assert (share > 0.03).all()
    np.testing.assert_array_equal(centres, centres_of(points))


def test_a_direction_is_fair_though_the_vectors_have_a_mean_of_their_own():
    rng = np.random.default_rng(1)
    bias = rng.normal(0, 0.15, 64)
    means = []
    for _ in range(60):
        direction = Direction.none(np.ones(64), 60.0)
        scores = direction.score(rng.normal(size=(240, 64)) + bias, np.arange(0, 240, 4))
        means.append(np.nanmean(scores))
    assert abs(np.mean(means)) < 3 * np.std(means) / np.sqrt(len(means)) + 0.02
    assert np.std(scores[40:]) == pytest.approx(1.0, abs=0.15)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(0, 30))
@settings(max_examples=50, deadline=None)
def test_a_direction_is_the_same_however_ticks_are_cut(sizes, cut):
    vectors = np.random.default_rng(3).normal(size=(sum(sizes), 8))
    begins = np.cumsum([0, *sizes])
    whole, parts = Direction.none(np.ones(8), 30.0), Direction.none(np.ones(8), 30.0)
    pieces = [(0, min(cut, len(sizes))), (min(cut, len(sizes)), len(sizes))]
    scores = [parts.score(vectors[begins[a] : begins[b]], begins[a:b] - begins[a]) for a, b in pieces]
    np.testing.assert_array_equal(np.concatenate(scores), whole.score(vectors, begins[:-1]))


def test_a_direction_goes_on_from_its_arrays():
    rng = np.random.default_rng(2)
    one = Direction.none(np.ones(8), 30.0)
    one.score(rng.normal(size=(45, 8)), np.arange(0, 45, 5))
    other = Direction.of_arrays(one.arrays())
    more = rng.normal(size=(5, 8)), np.zeros(1, np.intp)
    np.testing.assert_array_equal(one.score(*more), other.score(*more))


def test_tracks_count_what_is_known():
    rows = Rows.of(np.array([3, 3, 4, 6]), np.array([1, 0, 0, 1]))
    hits, values = np.array([1.0, 0.0, np.nan, 1.0]), np.array([1.0, 3.0, np.nan, np.nan])
    share = rows.shares({"a": hits, "nothing": np.full(4, np.nan)})
    assert (share["a"].tick.tolist(), share["a"].value.tolist()) == ([3, 6], [1.0, 1.0])
    assert share["a"].total.tolist() == [2.0, 1.0]
    assert list(share) == ["a"]
    mean = rows.means({"b": values}, {"b": values + 1.0})["b"]
    assert (mean.tick.tolist(), mean.value.tolist(), mean.raw.tolist()) == ([3], [2.0], [3.0])
    parts = rows.segments({"c": np.array([2.0, 1.0, 5.0, np.nan]), "nothing": np.full(4, np.nan)})
    assert list(zip(parts["c"].tick, parts["c"].segment, parts["c"].total, strict=True)) == [
        (3, 0, 1.0),
        (3, 1, 2.0),
        (4, 0, 5.0),
    ]
    assert list(parts) == ["c"]


@given(st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=30)
def test_a_sample_of_a_tick_does_not_depend_on_the_order(most, seed):
    rng = np.random.default_rng(seed)
    said = answered(answers(5, ticks=20), each=30)
    shuffled = said.take(rng.permutation(len(said)))
    again = join_answered([shuffled.take(slice(0, 50)), shuffled.take(slice(50, None))])
    one, other = (
        x.take(sampled(x, most)) for x in (join_answered([said.take(slice(0, 9)), said.take(slice(9, None))]), again)
    )
    assert one.id_hash.tolist() == other.id_hash.tolist()
    assert np.bincount(one.tick).max() <= most


@pytest.mark.parametrize("each", [1, 4, 16, 60])
def test_it_starts_however_busy_the_stream_is(each):
    baseline = ResponseBaseline(Text(dimensions=64))
    said = answers(6, ticks=60 * each, rate=1.0)
    started = None
    for first in range(0, len(said) // each, 24):
        piece = said.take(slice(first * each, (first + 24) * each))
        if len(piece):
            baseline.hear(answered(piece, each, first))
            started = started or baseline.start()
    assert started is not None
    assert {"answer_shift", "topic", "cut_share"} <= started.tracks.keys()


def test_it_holds_a_bounded_number_of_answers():
    baseline = ResponseBaseline(Text(dimensions=64))
    said = answers(7, ticks=120, rate=4.0)
    for first in range(0, 3000, 24):
        rows = np.arange(24 * 30) % len(said)
        baseline.hear(answered(said.take(rows), 30, first))
        baseline.start()
        held = sum(map(len, baseline.waiting)) + len(baseline.known) + len(baseline.recent)
        assert held <= 2.5 * baseline.settings.reference
        assert len(baseline.early) <= 2000


def test_a_new_fit_replaces_the_old_when_as_much_was_learnt_again():
    baseline = ResponseBaseline(Text(dimensions=64, reference=400))
    said = answers(8, ticks=300, rate=2.0)
    found = []
    for first in range(0, len(said) // 8, 24):
        baseline.hear(answered(said.take(slice(first * 8, (first + 24) * 8)), 8, first))
        baseline.start()
        found.append(baseline.learn(first, None, refit=True))
    again = [judged for judged in found if judged is not None]
    assert again
    assert all(judged.each is not None and np.isfinite(judged.each.values["answer_spread"]).any() for judged in again)


def test_nothing_of_an_incident_is_learnt():
    baseline = ResponseBaseline(Text(dimensions=64))
    said = answers(9, ticks=120)
    for first in range(0, 120, 24):
        baseline.hear(answered(said.take(slice(first * 4, (first + 24) * 4)), 4, first))
        baseline.start()
    known = len(baseline.known) + sum(map(len, baseline.waiting))
    baseline.hear(answered(said.take(slice(0, 96)), 4, 200))
    baseline.learn(400, (190, 500), refit=True)
    assert len(baseline.known) == known
    assert not (baseline.known.tick >= 190).any()


def test_all_that_was_learnt_goes_through_a_file_and_goes_on(tmp_path):
    one = ResponseBaseline(Text(dimensions=64))
    said = answers(12, ticks=150)
    for first in range(0, 120, 24):
        one.hear(answered(said.take(slice(first * 4, (first + 24) * 4)), 4, first))
        one.start()
        one.learn(first, None, refit=True)
    np.savez(tmp_path / "learnt.npz", **arrays_of(one))
    other = ResponseBaseline(Text(dimensions=64))
    with np.load(tmp_path / "learnt.npz", allow_pickle=False) as arrays:
        take_arrays(other, dict(arrays))
    more = answered(said.take(slice(480, 560)), 4, 120)
    expected, found = one.hear(more), other.hear(more)
    assert expected.tracks.keys() == found.tracks.keys()
    for name, track in expected.tracks.items():
        np.testing.assert_array_equal(found.tracks[name].value, track.value, err_msg=name)
    assert arrays_of(ResponseBaseline(Text())) == {}


@pytest.mark.parametrize("least", [100, 300, 400])
def test_a_busy_stream_is_learnt_however_many_answers_that_takes(least):
    baseline = ResponseBaseline(Text(dimensions=64, reference=400, min_answers=least))
    said = answers(6, ticks=300, rate=2.0)
    for first in range(0, 264, 24):
        baseline.hear(answered(said.take((np.arange(24 * 16) + 16 * first) % len(said)), 16, first))
    assert baseline.start() is not None

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.embedding import NearDuplicates, features
from driftwatch.embedding.characters import Characters
from driftwatch.embedding.duplicates import SKETCH, sketch
from driftwatch.embedding.words import words_of
from tests.embedding.strategies import TEXTS

CANNED = "We have received your request and will come back to you as soon as we can, thank you for waiting."


def judged(pairs, window=256):
    return NearDuplicates(window).update(features([a for a, _ in pairs], [b for _, b in pairs])).tolist()


def other(k):
    return " ".join(f"{word}{k}" for word in CANNED.split())


STREAMS = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b", "c"]), st.one_of(TEXTS, st.sampled_from([CANNED, CANNED + " Bye.", other(1)]))
    ),
    max_size=150,
)


@settings(max_examples=50)
@given(STREAMS, st.lists(st.integers(0, 150), max_size=4), st.sampled_from([1, 2, 40, 100]))
def test_cutting_changes_nothing(pairs, cuts, window):
    one, many = NearDuplicates(window), NearDuplicates(window)
    whole = one.update(features([a for a, _ in pairs], [b for _, b in pairs]))
    edges = [0, *sorted(cuts), len(pairs)]
    parts = [pairs[a:b] for a, b in pairwise(edges)]
    found = [many.update(features([a for a, _ in part], [b for _, b in part])) for part in parts]
    np.testing.assert_array_equal(whole, np.concatenate([np.empty(0), *found]))
    np.testing.assert_array_equal(one.sketches, many.sketches)
    assert len(one.prompts) <= window


@settings(max_examples=30)
@given(STREAMS, st.sampled_from([1, 3, 70]))
def test_it_says_what_a_loop_over_pairs_says(pairs, window):
    found = features([a for a, _ in pairs], [b for _, b in pairs])
    none = np.uint32(0xFFFFFFFF)
    expected = []
    for i, own in enumerate(found.sketches):
        if pairs[i][0] is None or (own != none).sum() < 8:
            expected.append(np.nan)
            continue
        near = False
        for j in range(max(i - window, 0), i):
            past = found.sketches[j]
            filled = (own != none) | (past != none)
            same = ((own == past) & filled).sum() >= 0.5 * filled.sum()
            near |= pairs[j][0] not in (None, pairs[i][0]) and (past != none).sum() >= 8 and bool(same)
        expected.append(float(near))
    np.testing.assert_array_equal(judged(pairs, window), expected)


def test_the_same_answer_to_another_prompt():
    assert judged([("a", CANNED), ("b", CANNED), ("c", CANNED.replace("soon", "fast"))]) == [0.0, 1.0, 1.0]


def test_the_same_answer_to_the_same_prompt_is_no_news():
    assert judged([("a", CANNED), ("a", CANNED), (None, CANNED), ("b", other(1))])[:2] == [0.0, 0.0]


def test_an_unknown_prompt_may_be_the_same():
    assert np.isnan(judged([("a", CANNED), (None, CANNED)])[1])
    assert judged([(None, CANNED), ("a", CANNED)])[1] == 0.0


def test_different_answers_are_different():
    assert judged([(f"p{k}", other(k)) for k in range(200)]) == [0.0] * 200


def test_short_answers_are_often_the_same_for_good_reason():
    assert np.isnan(judged([("a", "Yes, it is."), ("b", "Yes, it is.")])).all()


@pytest.mark.parametrize(("between", "found"), [(9, 1.0), (10, 0.0)])
def test_the_window_forgets(between, found):
    pairs = [("a", CANNED), *((f"p{k}", other(k)) for k in range(between)), ("b", CANNED)]
    assert judged(pairs, window=10)[-1] == found


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 responses"):
        NearDuplicates(0)


def test_what_sketches_share_is_what_texts_share():
    rng = np.random.default_rng(7)
    agree, truth = [], []
    for _ in range(300):
        words = [f"w{k}" for k in range(80)]
        changed = [word if keep else "x" + word for word, keep in zip(words, rng.random(80) > 0.1, strict=True)]
        runs = [set(zip(w, w[1:], w[2:], strict=False)) for w in (words, changed)]
        truth.append(len(runs[0] & runs[1]) / len(runs[0] | runs[1]))
        one, two = sketch(words_of(Characters.of([" ".join(words), " ".join(changed)])))
        agree.append((one == two).mean())
    assert np.mean(agree) == pytest.approx(np.mean(truth), abs=0.04)


def near_share(shared, first, second):
    """How often two answers are near that have so many words of so many in common."""
    found = []
    for k in range(150):
        common = [f"c{k}w{word}" for word in range(shared)]
        pair = [[*common, *(f"{side}{k}w{word}" for word in range(n))] for side, n in (("x", first), ("y", second))]
        found.append(judged([("a", " ".join(pair[0])), ("b", " ".join(pair[1]))])[1])
    return np.mean(found)


def test_near_is_half_in_common():
    assert near_share(60, 40, 40) < 0.45  # 43% of all runs
    assert near_share(75, 25, 25) > 0.75  # 60%


def test_a_short_answer_within_a_long_one_is_another():
    assert near_share(14, 0, 20) < 0.4


def test_nothing_keeps_text():
    seen = NearDuplicates()
    found = features(["secret prompt"], [CANNED])
    seen.update(found)
    kept = [seen.sketches, seen.prompts, *(getattr(found, name) for name in found.__dataclass_fields__)]
    assert {array.dtype.kind for array in kept} <= {"f", "u"}
    assert seen.sketches.shape == (1, SKETCH)

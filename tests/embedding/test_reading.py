"""Texts become numbers, and are let go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Text
from driftwatch.embedding.characters import Characters
from driftwatch.embedding.phrases import PHRASES, phrases_in, unpacked
from driftwatch.embedding.projection import WIDEST
from driftwatch.embedding.reading import LENGTH_ONE, TextReader, measured
from driftwatch.embedding.repeats import Repeats
from driftwatch.embedding.text import features
from driftwatch.embedding.words import words_of
from driftwatch.events.columns import requests_of
from driftwatch.events.texts import Answers, Texts, join_answers
from driftwatch.state import pack, unpack
from tests.embedding.strategies import PAIRS


def read(n, settings=None, **columns):
    requests = requests_of(n, completed_at=np.arange(float(n)), texts=Texts.of(n, **columns))
    return TextReader(settings or Text(dimensions=32)).read(requests)


@settings(max_examples=40)
@given(PAIRS)
def test_features_come_back_as_they_were(pairs):
    prompts, responses = [a for a, _ in pairs], [b for _, b in pairs]
    found = measured(read(len(pairs), prompt=prompts, response=responses).answers)
    for name, column in features(prompts, responses).columns().items():
        np.testing.assert_allclose(found[name], column, rtol=1e-6, atol=1.0 if name in ("words", "lines") else 2e-6)


def test_nothing_of_a_text_is_left():
    secret = "the launch code is plum pudding seventeen"
    requests = read(2, prompt=[secret, None], response=["Certainly! It is " + secret, None], name=["r1", None])
    assert requests.texts is None
    everything = b"".join(column.tobytes() for column in requests.answers.arrays().values())
    for word in ("plum", "pudding", "launch", "seventeen"):
        assert word.encode() not in everything
    assert requests.answers.name.tolist() == [b"r1", b""]


def test_the_beginning_of_an_answer_is_kept_only_where_that_is_asked_for():
    kept = read(1, Text(dimensions=32, keep_text=True), response=["Plum pudding.\ud800" + "x" * 2000])
    assert kept.answers.excerpt[0].startswith(b"Plum pudding.")
    assert len(kept.answers.excerpt[0]) == 600


def test_the_public_list_has_what_assistants_say_and_each_once():
    assert len(set(PHRASES)) == len(PHRASES) > 200
    texts = ["Certainly! Here is a list, as an AI language model.", "Plum pudding"]
    found = unpacked(phrases_in(words_of(Characters.of(texts))))
    said = {PHRASES[k] for k in np.flatnonzero(found[0])}
    assert {"certainly", "here is", "as an", "an ai", "language model", "list"} <= said
    assert not found[1].any()


@given(
    st.lists(st.sampled_from([None, [1.0, 0.0], [0.0, 3.0], [1.0], "no", [float("nan"), 1.0]]), min_size=1, max_size=9)
)
def test_vectors_that_are_brought_win_and_bad_ones_are_counted(vectors):
    reader = TextReader(Text(dimensions=32))
    texts = Texts.of(len(vectors), response=["Yes."] * len(vectors), response_vector=vectors)
    found = reader.read(requests_of(len(vectors), texts=texts)).answers.response
    for row, vector in zip(found, vectors, strict=True):
        if vector in ([1.0, 0.0], [0.0, 3.0]) and found.shape[1] == 2:
            assert np.linalg.norm(row.astype(float)) == pytest.approx(LENGTH_ONE, rel=0.02)
        elif vector is None and any(v is not None for v in vectors):
            assert not row.any()
    assert sum(reader.refused.values()) <= len(vectors)


def test_long_vectors_are_shortened_and_keep_their_distances():
    rng = np.random.default_rng(0)
    long = rng.normal(size=(40, 1536)).astype(np.float32)
    short = read(40, response_vector=list(long)).answers.response.astype(float) / LENGTH_ONE
    assert short.shape == (40, WIDEST)
    unit = long / np.linalg.norm(long, axis=1, keepdims=True)
    assert np.abs(short @ short.T - unit @ unit.T).max() < 0.25


def test_a_budget_takes_fewer_documents():
    n = 4000
    texts = Texts.of(n, response=["Yes, of course."] * n)
    requests = requests_of(n, completed_at=np.arange(n) / 20, id_hash=np.arange(1, n + 1), texts=texts)
    reader = TextReader(Text(dimensions=32, documents_per_s=2.0))
    taken = reader.read(requests).answers.response.any(axis=1).sum()
    assert 200 < taken < 600


def test_a_budget_goes_on_where_it_was_left():
    n = 4000
    texts = Texts.of(n, response=["Yes, of course."] * n)
    requests = requests_of(n, completed_at=np.arange(n) / 20, id_hash=np.arange(1, n + 1), texts=texts)
    settings = Text(dimensions=32, documents_per_s=2.0)
    one, other = TextReader(settings), TextReader(settings)
    whole = TextReader(settings).read(requests).answers.response
    first = one.read(requests.take(slice(0, 1500))).answers.response
    other.take(unpack(*pack(one.keep())))
    np.testing.assert_array_equal(
        np.concatenate([first, other.read(requests.take(slice(1500, n))).answers.response]), whole
    )


def test_batches_join_though_one_has_no_vectors():
    one = read(2, response=["Yes.", "No."]).answers
    other = read(1, Text(encoder="none"), response=["Maybe."]).answers
    both = join_answers([(one, 2), (None, 1), (other, 1)])
    assert isinstance(both, Answers)
    assert both.response.shape == (4, 32)
    assert not both.response[2:].any()
    assert both.read().tolist() == [True, True, False, True]


@pytest.mark.parametrize("cut", [0, 1, 7, 20])
def test_repeats_are_counted_the_same_however_batches_are_cut(cut):
    rng = np.random.default_rng(0)
    features, prompt = rng.integers(0, 3, (20, 2)).astype(np.int32), rng.integers(0, 3, 20).astype(np.uint64)
    whole, parts = Repeats(), Repeats()
    whole.count(features, prompt)
    parts.count(features[:cut], prompt[:cut])
    parts.count(features[cut:], prompt[cut:])
    first = {(p, *f) for p, f in zip(prompt.tolist(), features.tolist(), strict=True) if p}
    assert (whole.heard, whole.same) == (parts.heard, parts.same) == (20, int((prompt > 0).sum()) - len(first))
    np.testing.assert_array_equal(whole.keys, parts.keys)

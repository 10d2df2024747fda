"""Real answers, how they are cut, and the ways in which they go wrong."""

import gzip
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.errors import InputError
from driftwatch.simulate.answers import CHARACTERS_PER_TOKEN, Answers, cut, tokens_of
from driftwatch.simulate.phrases import CLARIFICATIONS, SCRIPTS
from driftwatch.simulate.spoiling import FAULTS, spoil

BUNDLED = Answers.load()
SAME_LENGTH = ("wrong_script", "garbled")
ENDLESS = ("loop", "exclamations")

faults = st.sampled_from(sorted(FAULTS))
seeds = st.integers(0, 2**32)
limits = st.integers(1, 200)
shares = st.none() | st.floats(0, 1)


def ask(n=60, max_tokens=96, seed=0, answers=BUNDLED, model=0):
    rng = np.random.default_rng(seed)
    return answers.said(rng.integers(len(answers), size=n), model, rng.integers(answers.samples, size=n), max_tokens)


def everybody(said):
    return np.ones(len(said), dtype=bool)


def changed(said, spoilt):
    return np.array([a != b for a, b in zip(said.texts, spoilt.texts, strict=True)])


def write(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def row(prompt="Why?", dataset="facts", **answers):
    return {"prompt_id": 0, "dataset": dataset, "prompt": prompt, "answers": answers or {"a": "Because.", "b": "So."}}


class TestAnswers:
    def test_the_bundled_collection_is_small_and_full(self):
        assert BUNDLED.texts.shape == (3, 160, 2)
        assert {topic: len(rows) for topic, rows in BUNDLED.topic_prompts.items()} == dict.fromkeys(
            ("facts", "writing", "code", "household", "talk"), 32
        )
        assert np.mean(BUNDLED.tokens) > 40

    def test_prompts_of_topics_come_in_order(self):
        chosen = BUNDLED.about("talk", "facts", "talk")
        assert {BUNDLED.topics[k] for k in chosen} == {"facts", "talk"}
        assert len(chosen) == 64
        assert np.all(np.diff(chosen) > 0)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (lambda: BUNDLED.about("sports"), "no prompts about sports; there are facts, writing"),
            (lambda: BUNDLED.model("bad9"), "no answers of bad9; there are those of good, bad4, bad3"),
            (lambda: BUNDLED.said(np.array([0, -1]), 0, 0, 9), "prompt of -1 has no text"),
        ],
    )
    def test_what_is_not_there_is_named(self, wrong, message):
        with pytest.raises(InputError, match=message):
            wrong()

    @pytest.mark.parametrize("name", ["answers.jsonl", "answers.jsonl.gz"])
    def test_one_answer_or_several_of_each_model_can_be_read(self, tmp_path, name):
        rows = [row("One?", a=["x", "yy"], b=["z", "w"]), row("Two?", "talk", a=["u", "v"], b=["t", ""])]
        data = "".join(json.dumps(r) + "\n" for r in rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        answers = Answers.load(tmp_path / name)
        assert (answers.prompts, answers.topics, answers.models) == (("One?", "Two?"), ("facts", "talk"), ("a", "b"))
        assert answers.text(1, answers.model("a"), 1) == "v"
        assert Answers.load(write(tmp_path / "one", row(), row())).samples == 1

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ([row(), "{"], "bad.jsonl:2: not an object with dataset, prompt and answers"),
            ([row(), "[]"], "bad.jsonl:2: not an object"),
            ([row(), {"prompt": "Why?"}], "bad.jsonl:2: not an object"),
            ([row(), row(a=3, b="So.")], "bad.jsonl:2: not an object"),
            ([row(), row(a=[], b="So.")], "bad.jsonl:2: not an object"),
            ([row(prompt=None)], "bad.jsonl:1: not an object"),
            ([row(), {**row(), "answers": {}}], "bad.jsonl:2: not an object"),
            ([row(), row(a="Because.")], r"bad.jsonl:2: has \{'a': 1\} answers where line 1 has \{'a': 1, 'b': 1\}"),
            ([row(), row(a=["x", "y"], b="So.")], "bad.jsonl:2: has"),
            ([row()], "bad.jsonl: a collection of 1 prompts; at least 2"),
        ],
    )
    def test_a_bad_file_says_what_is_wrong_and_where(self, tmp_path, lines, message):
        with pytest.raises(InputError, match=message):
            Answers.load(write(tmp_path / "bad.jsonl", *lines))

    @pytest.mark.parametrize(
        "content",
        [None, b"no gzip", gzip.compress(b"x" * 999)[:20], gzip.compress(b"\xff\xfe")],
        ids=["none", "no gzip", "cut short", "no text"],
    )
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path, content):
        path = tmp_path / "bad.jsonl.gz"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.jsonl\.gz: cannot be read as lines of text"):
            Answers.load(path)

    @given(st.lists(st.text()))
    def test_a_token_is_about_four_characters_and_nothing_has_none(self, texts):
        tokens = tokens_of(texts)
        assert tokens.tolist() == [max(1, (len(text) + 3) // 4) for text in texts]

    @given(st.text(), st.integers(1, 300))
    def test_a_cut_text_is_a_beginning_of_the_same_share(self, text, limit):
        tokens = int(tokens_of([text])[0])
        left = cut(text, tokens, limit)
        assert text.startswith(left)
        assert (left == text) if limit >= tokens else (len(left) == len(text) * limit // tokens)

    @given(limits, seeds)
    def test_answers_obey_the_limit_and_tokens_tell_what_the_model_meant(self, limit, seed):
        said = ask(max_tokens=limit, seed=seed)
        assert max(map(len, said.texts)) <= limit * CHARACTERS_PER_TOKEN
        whole = ask(max_tokens=10**6, seed=seed)
        assert said.tokens.tolist() == whole.tokens.tolist() == tokens_of(whole.texts).tolist()
        assert [a == b for a, b in zip(said.texts, whole.texts, strict=True)] == (said.tokens <= limit).tolist()


class TestSpoiling:
    @given(faults, seeds, limits, shares, st.floats(0, 1))
    def test_an_unmasked_answer_is_untouched(self, fault, seed, limit, amount, share):
        said = ask(30, limit, seed)
        mask = np.random.default_rng(seed).random(30) < share
        spoilt = spoil(said, fault, mask, BUNDLED, seed, amount)
        assert not np.any(changed(said, spoilt) & ~mask)
        assert np.array_equal(spoilt.tokens[~mask], said.tokens[~mask])

    @given(faults, seeds, st.floats(0, 1))
    def test_what_becomes_of_a_row_depends_on_no_other(self, fault, seed, share):
        said = ask(30, seed=seed)
        mask = np.random.default_rng(seed).random(30) < share
        some, all_of_them = (spoil(said, fault, m, BUNDLED, seed) for m in (mask, everybody(said)))
        rows = np.flatnonzero(mask)
        assert [some.texts[k] for k in rows] == [all_of_them.texts[k] for k in rows]
        assert np.array_equal(some.tokens[rows], all_of_them.tokens[rows])

    @pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"terse"}))
    def test_another_seed_spoils_otherwise(self, fault):
        said = ask()
        one, two = (spoil(said, fault, everybody(said), BUNDLED, seed) for seed in (1, 2))
        assert np.mean(changed(one, two)) > 0.3

    @given(faults, seeds, limits, shares)
    def test_lengths_obey_the_limit(self, fault, seed, limit, amount):
        said = ask(20, limit, seed)
        spoilt = spoil(said, fault, everybody(said), BUNDLED, seed, amount)
        assert spoilt.tokens.min() >= 1
        if fault not in SAME_LENGTH:  # their words may be a little longer than those that they replace
            assert max(map(len, spoilt.texts)) <= limit * CHARACTERS_PER_TOKEN

    @given(st.sampled_from(SAME_LENGTH), seeds, limits, shares)
    def test_other_words_keep_number_of_tokens_and_blanks(self, fault, seed, limit, amount):
        said = ask(20, limit, seed)
        spoilt = spoil(said, fault, everybody(said), BUNDLED, seed, amount)
        assert np.array_equal(spoilt.tokens, said.tokens)
        if fault == "wrong_script":
            blanks = [[re.sub(r"\S+", "x", text) for text in one.texts] for one in (said, spoilt)]
            assert blanks[0] == blanks[1]

    @pytest.mark.parametrize("fault", sorted(FAULTS))
    def test_nearly_all_masked_answers_change(self, fault):
        said = ask(400)
        mask = np.random.default_rng(5).random(400) < 0.2
        assert np.mean(changed(said, spoil(said, fault, mask, BUNDLED, 3))[mask]) > 0.9

    @given(st.sampled_from(ENDLESS), seeds, limits, shares)
    def test_what_never_stops_fills_the_limit(self, fault, seed, limit, amount):
        said = ask(20, limit, seed)
        spoilt = spoil(said, fault, everybody(said), BUNDLED, seed, amount)
        assert np.all(spoilt.tokens == limit + 1)
        if fault == "loop":
            assert {len(text) for text in spoilt.texts} == {limit * CHARACTERS_PER_TOKEN}

    @pytest.mark.parametrize("fault", ["loop", "exclamations", "other_answer"])
    @pytest.mark.parametrize("amount", [0.3, 0.8, 1.0])
    def test_at_least_the_amount_goes_wrong_and_the_rest_stays(self, fault, amount):
        said = ask(200)
        spoilt = spoil(said, fault, everybody(said), BUNDLED, 0, amount)
        heads = [text[: text.find("!!!!")] for text in spoilt.texts] if fault == "exclamations" else None
        for k, (text, new) in enumerate(zip(said.texts, spoilt.texts, strict=True)):
            head = heads[k] if heads else common_beginning(text, new)
            assert text.startswith(head)
            assert len(head) <= (1 - amount) * len(text) + 12  # another text may begin alike
        assert amount == 1 or np.ptp([len(common_beginning(*pair)) for pair in pairs(said, spoilt)]) > 30

    def test_a_loop_compresses_far_better_than_any_answer(self):
        said = ask(100, max_tokens=300)
        looping = spoil(said, "loop", everybody(said), BUNDLED, 0)
        assert max(map(compressed, looping.texts)) < min(map(compressed, said.texts))

    def test_another_model_answers_the_same_prompt(self):
        said = ask()
        spoilt = spoil(said, "other_model", everybody(said), BUNDLED, 0, other="bad4")
        bad4 = BUNDLED.texts[BUNDLED.model("bad4")]
        for prompt, text in zip(said.prompt, spoilt.texts, strict=True):
            assert any(answer.startswith(text) for answer in bad4[prompt])

    def test_a_model_cannot_stand_in_for_itself(self):
        said = ask(model=2)
        with pytest.raises(InputError, match="bad3 cannot stand in for itself"):
            spoil(said, "other_model", everybody(said), BUNDLED, 0)

    def test_without_its_beginning_a_prompt_gets_an_answer_to_its_topic_or_a_question(self):
        said = ask(300, max_tokens=500)
        spoilt = spoil(said, "lost_beginning", everybody(said), BUNDLED, 0)
        asks_back = np.isin(spoilt.texts, CLARIFICATIONS)
        assert 0.15 < np.mean(asks_back) < 0.35
        for k in np.flatnonzero(~asks_back):
            own = said.prompt[k]
            alike = BUNDLED.about(BUNDLED.topics[own])
            assert spoilt.texts[k] in BUNDLED.texts[0, alike[alike != own]]

    def test_the_only_prompt_of_a_topic_is_mistaken_for_another_topic(self, tmp_path):
        answers = Answers.load(write(tmp_path / "a.jsonl", row(a="one"), row(dataset="talk", a="two")))
        said = ask(answers=answers)
        spoilt = spoil(said, "lost_beginning", everybody(said), answers, 0)
        wanted = np.where(said.prompt == 0, "two", "one")
        assert all(new in (want, *CLARIFICATIONS) for new, want in zip(spoilt.texts, wanted, strict=True))

    def test_terse_answers_are_beginnings_of_real_ones_that_end_with_a_sentence(self):
        said = ask(200, max_tokens=500)
        spoilt = spoil(said, "terse", everybody(said), BUNDLED, 0)
        assert np.mean(spoilt.tokens) < 0.6 * np.mean(said.tokens)
        for prompt, text in zip(said.prompt, spoilt.texts, strict=True):
            assert any(answer.startswith(text) for answer in BUNDLED.texts[0, prompt])

    def test_a_spoilt_answer_has_words_of_one_other_script(self):
        said = ask()
        spoilt = spoil(said, "wrong_script", everybody(said), BUNDLED, 0)
        used = [{k for k, words in enumerate(SCRIPTS) if set(text.split()) & set(words)} for text in spoilt.texts]
        assert {len(scripts) for scripts in used} == {1}
        assert set().union(*used) == set(range(len(SCRIPTS)))

    @pytest.mark.parametrize("fault", sorted(FAULTS))
    def test_empty_answers_go_wrong_without_an_error(self, tmp_path, fault):
        answers = Answers.load(write(tmp_path / "empty.jsonl", row(a="", b=""), row("Why not?", a="", b="")))
        said = ask(answers=answers)
        assert len(spoil(said, fault, everybody(said), answers, 0)) == len(said)

    def test_faults_can_follow_each_other(self):
        said = ask()
        first = spoil(said, "other_model", everybody(said), BUNDLED, 0)
        both = spoil(first, "garbled", everybody(said), BUNDLED, 0)
        assert np.array_equal(both.tokens, first.tokens)
        assert np.all(changed(first, both))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"fault": "blob"}, "no fault blob; there are other_model"),
            ({"amount": 1.5}, "amount is 1.5; it is a share"),
            ({"amount": float("nan")}, "amount is nan; it is a share"),
            ({"other": "bad9"}, "no answers of bad9"),
        ],
    )
    def test_what_cannot_be_done_is_said(self, change, message):
        said = ask()
        wanted = {"fault": "loop", "mask": everybody(said), "answers": BUNDLED, "seed": 0, **change}
        with pytest.raises(InputError, match=message):
            spoil(said, **wanted)


class TestFaultsShow:
    """Models differ by more than two answers of one model do, or no detector could tell them apart."""

    def test_in_the_bundled_collection(self):
        variety = np.array(
            [[np.mean(list(map(type_token_ratio, model[:, k]))) for k in (0, 1)] for model in BUNDLED.texts]
        )
        between_samples = np.abs(np.diff(variety, axis=1)).max()
        assert np.abs(variety[0] - variety[2]).min() > 2 * between_samples

    def test_in_the_answers_of_large_models(self, recordings):
        answers = Answers.load(recordings / "model_answers" / "answers.jsonl.gz")
        tokens = answers.tokens[:, :, 0]
        halves = np.array([tokens[:, 0::2].mean(axis=1), tokens[:, 1::2].mean(axis=1)])
        between_halves = np.median(np.abs(halves[0] - halves[1]))
        between_models = np.median(np.abs(np.subtract.outer(tokens.mean(axis=1), tokens.mean(axis=1))))
        assert between_models > 3 * between_halves


def pairs(said, spoilt):
    return zip(said.texts, spoilt.texts, strict=True)


def common_beginning(a, b):
    return a[: next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))]


def compressed(text):
    data = text.encode()
    return len(gzip.compress(data)) / max(len(data), 1)


def type_token_ratio(text):
    words = text.lower().split()
    return len(set(words)) / max(len(words), 1)

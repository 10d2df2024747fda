import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

from driftwatch.embedding.characters import (
    BROKEN,
    CLASSES,
    DIGIT,
    HEAD,
    LATIN,
    MARK,
    OTHER,
    SPACE,
    TAIL,
    Characters,
    blocks,
    class_of,
    classes_of,
    seen,
)
from driftwatch.embedding.words import character_runs, words_of
from tests.embedding.strategies import ANY, PAIRS


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        (" \t\n\r\u00a0\u3000\u2028", SPACE),
        ("\x00\x07\x1b\x7f\x85\x9f\ufffd\ue000\ud800\U0010fffd", BROKEN),
        ("!.,$€😀|_「\u200f", OTHER),
        ("7٣½", DIGIT),
        ("\u0301\u0e49ˈ", MARK),
        ("aZéßＡ𝐀ªﬁ", LATIN),
    ],
)
def test_what_a_character_is(characters, expected):
    assert {character: class_of(character) for character in characters} == dict.fromkeys(characters, expected)


def test_scripts_are_told_apart():
    assert len({class_of(letter) for letter in "aяλ字かไعא한क"}) == 10
    assert class_of("か") == class_of("カ") == class_of("ｶ")
    assert class_of("字") == class_of("々")


@given(ANY)
def test_a_table_that_fills_as_it_goes_says_the_same(text):
    codes = np.array([ord(character) for character in text], np.uint32)
    assert classes_of(codes).tolist() == [class_of(character) for character in text]
    assert all(0 < class_of(character) < CLASSES for character in text)


def test_of_a_long_text_beginning_and_end_are_seen():
    text = "a" * HEAD + "b" + "c" * TAIL
    assert seen(text[1:]) == text[1:]
    assert seen(text) == "a" * HEAD + "\n" + "c" * TAIL


@given(PAIRS)
def test_blocks_hold_each_row_once(pairs):
    rows = [row for block in blocks([a for a, _ in pairs], [b for _, b in pairs]) for row in range(len(pairs))[block]]
    assert rows == list(range(len(pairs)))


def test_a_block_is_bounded():
    cut = list(blocks(["x" * 10_000_000] * 20 + [""] * 70_000))
    assert [block.stop - block.start for block in cut] == [8, 8, 2**16, 20 + 70_000 - 16 - 2**16]


def plain_words(text):
    return re.findall(r"\w+", text.lower().replace("_", " "))


@given(ANY.map(lambda text: re.sub(r"[^a-zA-Z0-9éÉяЯ .,!_-]", " ", text)), ANY)
def test_words_are_runs_of_letters_and_digits(text, other):
    words = words_of(Characters.of([other, text, other]))
    assert words.counts()[1] == len(plain_words(text))
    same = {}
    for word, found in zip(plain_words(text), words.hashes[words.row == 1].tolist(), strict=True):
        assert same.setdefault(word, found) == found
    assert len(set(same.values())) == len(same)


def test_scripts_without_spaces_have_a_word_a_letter():
    count = words_of(Characters.of(["天地玄黄", "สวัสดี", "한국어 말", "दुनिया में", "GPU显存80GB"])).counts().tolist()
    assert count == [4, 4, 2, 2, 4]


def test_order_matters_to_a_word_and_to_a_run():
    words = words_of(Characters.of(["ab", "ba", "a b", "b a"]))
    assert len(set(words.hashes[:2].tolist())) == 2
    assert len(set(words.runs(2).hashes.tolist())) == 2
    assert words_of(Characters.of(["x" * 70 + "a"])).hashes != words_of(Characters.of(["x" * 70 + "b"])).hashes


@given(PAIRS)
def test_runs_stay_within_their_text(pairs):
    texts = [text or "" for _, text in pairs]
    characters = Characters.of(texts)
    words = words_of(characters)
    for tokens, length in ((words, 2), (words, 4)):
        expected = np.maximum(tokens.counts() - length + 1, 0) * (tokens.counts() >= length)
        assert tokens.runs(length).counts().tolist() == expected.tolist()
    assert character_runs(characters, 3).counts().tolist() == np.maximum(characters.length - 2, 0).tolist()


@given(PAIRS)
def test_different_tokens_are_counted_as_a_dictionary_would(pairs):
    words = words_of(Characters.of([text or "" for _, text in pairs]))
    different, times = words.distinct()
    expected = {}
    for row, found in zip(words.row.tolist(), words.hashes.tolist(), strict=True):
        key = (row, found >> 16)
        expected[key] = expected.get(key, 0) + 1
    keys = zip(different.row.tolist(), (different.hashes >> np.uint64(16)).tolist(), strict=True)
    assert dict(zip(keys, times.tolist(), strict=True)) == expected


def test_hashes_are_those_of_every_process(root):
    code = (
        "from driftwatch.embedding.words import words_of\nfrom driftwatch.embedding.characters import Characters\n"
        "print(words_of(Characters.of(['drift'])).hashes[0])"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert done[0] == done[1] == f"{words_of(Characters.of(['drift'])).hashes[0]}\n"

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.embedding import SIGNALS, features
from driftwatch.embedding.characters import HEAD, TAIL
from driftwatch.embedding.endings import cut_off
from driftwatch.embedding.openings import refuses
from driftwatch.embedding.text import MARKS
from tests.embedding.strategies import PAIRS

PROSE = (
    "The engine keeps a block of memory for every sequence that it serves. When no block is left, a sequence must wait "
    "or is thrown out and computed again later, which costs time. Users notice this as a pause in the middle of an "
    "answer, although nothing on the usual pages of the operators turns red. A longer prompt needs more blocks, and "
    "so one tenant with long documents can slow all of the others down without doing anything wrong."
)
COUNTS = ("characters", "words", "lines", "compressibility", "asked_characters", "asked_words", "asked_lines")
SHARES = [name for name in SIGNALS if name not in (*COUNTS, *MARKS)]


def of(response, prompt="Why is the sky blue?"):
    return {name: float(column[0]) for name, column in features([prompt], [response]).columns().items()}


@settings(max_examples=60)
@given(PAIRS, st.integers(0, 12))
def test_a_row_depends_on_itself_alone(pairs, cut):
    prompts, responses = [a for a, _ in pairs], [b for _, b in pairs]
    whole = features(prompts, responses)
    parts = [features(prompts[:cut], responses[:cut]), features(prompts[cut:], responses[cut:])]
    for name in (*(n for n in SIGNALS if n not in MARKS), "marks", "prompt", "terms", "asked_terms", "sketches"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(getattr(whole, name), joined, err_msg=name)


@given(PAIRS)
def test_shares_are_shares_and_columns_are_floats(pairs):
    found = features([a for a, _ in pairs], [b for _, b in pairs])
    assert len(found) == len(pairs)
    for name, column in found.columns().items():
        assert column.dtype == np.float64
        assert column.shape == (len(pairs),)
        assert name not in SHARES or np.all(np.isnan(column) | ((column >= 0) & (column <= 1)))
    known = ~np.isnan(found.characters)
    assert known.tolist() == [b is not None for _, b in pairs]
    assert (found.prompt != 0).tolist() == [a is not None for a, _ in pairs]


def test_no_response_is_all_unknown_and_an_empty_one_has_a_length():
    assert all(np.isnan(value) for name, value in of(None).items() if not name.startswith("asked_"))
    empty = {name: value for name, value in of("").items() if not name.startswith("asked_")}
    assert (empty.pop("characters"), empty.pop("words"), empty.pop("lines")) == (0.0, 0.0, 0.0)
    assert all(np.isnan(value) for value in empty.values())


def test_without_a_prompt_only_what_needs_it_is_unknown():
    found = of(PROSE, None)
    unknown = [name for name, value in found.items() if np.isnan(value)]
    assert [name for name in unknown if not name.startswith("asked_")] == ["foreign", "echo"]


def test_as_many_prompts_as_responses():
    with pytest.raises(ValueError, match="2 prompts and 1 responses"):
        features(["a", "b"], ["c"])


def test_prose_is_ordinary_at_every_length():
    sizes = [of(PROSE[:n])["compressibility"] for n in (40, 80, 160, 320, len(PROSE))]
    assert max(sizes) - min(sizes) < 0.15
    assert np.mean(sizes) == pytest.approx(1.0, abs=0.15)


def test_loops_and_noise_do_not_compress_like_prose():
    noise = "".join(map(chr, np.random.default_rng(0).integers(33, 127, 400)))
    assert of("I do not know. " * 30)["compressibility"] < 0.5
    assert of(noise)["compressibility"] > 1.3


@pytest.mark.parametrize(
    ("response", "share"),
    [
        ("one two three four five", 0.0),
        ("go on go on go on go on", 3 / 5),  # 5 runs, 2 different
        ("one two three", np.nan),
        ("好" * 7, 3 / 4),
    ],
)
def test_repeated_runs(response, share):
    assert of(response)["repeated"] == pytest.approx(share, nan_ok=True)


@pytest.mark.parametrize(
    ("prompt", "response", "foreign", "non_latin"),
    [
        ("What is a cat?", "кот cat", 0.5, 0.5),
        ("Что такое кот?", "кот", 0.0, 1.0),
        ("Что такое кот?", "Das ist eine Katze", 1.0, 0.0),
        ("Translate 'cat' to Russian, my dear assistant: кот", "кот", 1.0, 1.0),  # three letters do not make it Russian
        ("これは何ですか。日本語で", "ネコです", 0.0, 1.0),
        ("1 + 1 = ?", "two", np.nan, 0.0),
        ("What is 1 + 1?", "2", np.nan, np.nan),
    ],
)
def test_scripts(prompt, response, foreign, non_latin):
    found = of(response, prompt)
    assert (found["foreign"], found["non_latin"]) == pytest.approx((foreign, non_latin), nan_ok=True)


def test_what_a_decoder_breaks_and_what_takes_over():
    found = of("ab\ufffd\x00\ud800\ue001 \n\t\r!!")
    assert found["broken"] == pytest.approx(4 / 12)
    assert found["dominance"] == pytest.approx(2 / 12)
    assert of("!" * 50)["dominance"] == 1.0
    assert of("a  a")["dominance"] == 0.0
    assert of("7777 a")["dominance"] == pytest.approx(4 / 6)
    assert of("1..2!!3!!")["dominance"] == pytest.approx(4 / 9)


def test_echo_is_what_the_prompt_said():
    prompt = "Summarise: the quick brown fox jumps over the lazy dog"
    assert of("The quick, brown fox jumps over the lazy dog!", prompt)["echo"] == 1.0
    assert of("the quick brown fox ran and was never seen", prompt)["echo"] == pytest.approx(1 / 6)
    assert of("dog lazy the over jumps fox brown quick", prompt)["echo"] == 0.0
    both = features(["", prompt], ["the quick brown fox jumps", "nothing of this is in there"])
    assert both.echo.tolist() == [0.0, 0.0]  # a neighbour's prompt is none of its business


def test_the_words_of_a_long_text_are_scaled_to_its_length():
    long = "word " * (HEAD + TAIL)
    assert of(long)["words"] == pytest.approx(len(long) / 5, rel=1e-3)
    assert of(long)["characters"] == len(long)


def test_of_a_long_text_the_beginning_and_the_end_count():
    text = "\x00" * 100 + "a" * 1_000_000 + "\x01" * 100
    assert of(text)["broken"] == pytest.approx(200 / (HEAD + TAIL), rel=1e-3)
    assert of("a" * HEAD + "\x00" * 1_000_000 + "a" * TAIL)["broken"] == 0.0


@pytest.mark.parametrize(
    "piece", ["\ud800", "\x00", "😀", "\u202e", "e\u0301", "```", " ", "\n", "- ", "(", "I can't ", "ß", "İ"]
)
def test_ten_megabytes_are_no_trouble(piece):
    text = piece * (10_000_000 // len(piece))
    found = of(text, text)
    assert found["characters"] == len(text)


@pytest.mark.parametrize(
    "response",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I cannot provide this.",
        "I cannot assist with this request.",
        "  **I'm unable to** do that",
        "Unfortunately, I cannot say.",
        "As an AI language model, I have no opinions.",
        "Sorry, but I won't do this.",
        "I must decline.",
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Ich kann dir dabei leider nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Desculpe, mas não posso ajudar.",
        "Mi dispiace, ma non posso aiutarti.",
        "К сожалению, я не могу помочь.",
        "抱歉，我无法回答这个问题。",
        "申し訳ありませんが、お答えできません。",
        "죄송하지만 도와드릴 수 없습니다.",
        "عذرًا، لا أستطيع المساعدة.",
    ],
)
def test_refusals(response):
    assert refuses(response)
    assert of(response)["refusal"] == 1.0


@pytest.mark.parametrize(
    "response",
    [
        "Sure! Here is how to do it.",
        "The function raises: I cannot open the file.",
        "I can help with that.",
        "Sorry to hear about your cat. Here are some ideas.",
        "I can't wait to see it!",
        "Ich kann dir sagen, wie es geht.",
        "Certainly. " * 40 + "I'm sorry, but I cannot go on.",
        "As an airport, it is large.",
        "",
    ],
)
def test_no_refusals(response):
    assert not refuses(response)


@pytest.mark.parametrize(
    "response",
    [
        "The first of these reasons is that the",
        "There are three reasons for this, namely:",
        "It was long ago, and far away,",
        "Here it is, as you asked for it:\n```python\nprint(1)",
        "Here it is, as you asked for it:\n```\nprint(1)\n```\nand then it goes on and",
        "The list of things to buy:\n- bread,",
        "What to buy:\n- at the market:",
        "Это предложение обрывается прямо посередине и",
        "x" * 100_000,
    ],
)
def test_cut_off(response):
    assert cut_off(response)
    assert of(response)["truncated"] == 1.0


@pytest.mark.parametrize(
    "response",
    [
        "It is done.",
        "Is it done?\n\n",
        "这是一个完整的句子。",
        "यह एक पूरा वाक्य है।",
        "See the table (at the end of this page)",
        "He said to all of us: “this is the end”",
        "We hope that this was of some help to you 😀",
        "Run this in your terminal and wait:\n```\nls\n```",
        "What you need for this recipe:\n1. flour\n2. milk from the shop",
        "| name | value |\n|---|---|\n| a | 1 |",
        '{"answer": 42, "unit": "none at all really"}',
        "Paris",
        "42 km",
    ],
)
def test_not_cut_off(response):
    assert not cut_off(response)
    assert of(response)["truncated"] == 0.0

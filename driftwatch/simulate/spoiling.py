"""Ways in which answers go wrong, made of real answers: each has a counterpart in a public report."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from driftwatch.errors import InputError
from driftwatch.simulate.answers import CHARACTERS_PER_TOKEN, Answers, Said, cut, tokens_of
from driftwatch.simulate.phrases import CLARIFICATIONS, SCRIPTS

_CLARIFIES = 0.25  # the share of such answers; the others answer what the rest of the prompt may have meant
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_PHRASE = (4, 12)  # words


@dataclass(frozen=True, slots=True)
class Asked:
    """One request whose answer goes wrong.

    Parameters
    ----------
    answers
        The collection that its answer is from.
    prompt, model, other
        Indices of the prompt asked, of the model asked, and of the one that may answer in its place.
    text
        What it would be answered, cut at ``max_tokens``.
    tokens
        Tokens after which that answer would end by itself.
    max_tokens
        The sender's limit.
    """

    answers: Answers
    prompt: int
    model: int
    other: int
    text: str
    tokens: int
    max_tokens: int


Spoilt = tuple[str, int]
"""The text, not longer than the limit, and the tokens after which it would end by itself."""


class Fault(Protocol):
    """A way to go wrong; ``amount`` is the share of the answer that does, as in `spoil`."""

    def __call__(self, asked: Asked, rng: np.random.Generator, amount: float = ...) -> Spoilt:
        """What is answered instead."""


def other_model(asked: Asked, rng: np.random.Generator, amount: float = 1.0) -> Spoilt:
    """Another model's answer to the same prompt, whole.

    Scenarios 8, 10, 11 and 12 (a numerically worse model), 14 (another adapter) and 15 (another server).

    Raises
    ------
    InputError
        If the other model is the one asked.
    """
    if asked.other == asked.model:
        raise InputError(f"{asked.answers.models[asked.model]} cannot stand in for itself; name another model")
    return _in_full(asked, asked.answers.text(asked.prompt, asked.other, int(rng.integers(asked.answers.samples))))


def other_answer(asked: Asked, rng: np.random.Generator, amount: float = 0.3) -> Spoilt:
    """From a random place on a piece of the answer to another prompt: somebody else's KV blocks (scenarios 7 and 9)."""
    head = asked.text[: _place(asked, rng, amount)]
    missing = len(asked.text) - len(head)
    other = _another(asked, rng)
    begin = int(rng.integers(max(len(other) - missing, 0) + 1))
    text = head + other[begin : begin + missing]
    return text, asked.tokens if len(text) == len(asked.text) else _length(text)


def loop(asked: Asked, rng: np.random.Generator, amount: float = 0.3) -> Spoilt:
    """From a random place on the last words again and again, up to the limit (scenario 6).

    An empty answer becomes the prompt, repeated.
    """
    text = asked.text if asked.text.strip() else asked.answers.prompts[asked.prompt]
    head = text[: _place(asked, rng, amount)]
    words = (head if head.strip() else text).split()
    phrase = " ".join(words[-int(rng.integers(*_PHRASE, endpoint=True)) :]) + " "
    room = asked.max_tokens * CHARACTERS_PER_TOKEN
    return (head + " " + phrase * (room // len(phrase) + 1))[:room], asked.max_tokens + 1


def exclamations(asked: Asked, rng: np.random.Generator, amount: float = 0.3) -> Spoilt:
    """From a random place on "!" up to the limit: token 0 of many vocabularies, where NaN logits end (scenario 13)."""
    head = asked.text[: _place(asked, rng, amount)]
    left = asked.max_tokens - (_length(head) if head else 0)
    return head + "!" * max(left, 0), asked.max_tokens + 1


def wrong_script(asked: Asked, rng: np.random.Generator, amount: float = 0.1) -> Spoilt:
    """Some words of another script: Thai, Chinese or Russian, one of them an answer (scenario 15)."""
    foreign = SCRIPTS[rng.integers(len(SCRIPTS))]

    def similar(words: Sequence[str]) -> list[str]:
        alike = np.searchsorted([len(word) for word in foreign], [len(word) for word in words])
        places = (alike + rng.integers(-4, 2, len(words))).clip(0, len(foreign) - 1)
        return [foreign[k] for k in places.tolist()]

    return _replaced(asked.text, rng, amount, similar), asked.tokens


def garbled(asked: Asked, rng: np.random.Generator, amount: float = 0.2) -> Spoilt:
    """Some words give way to scraps of another answer, of the same length (scenario 21)."""
    other = _another(asked, rng) or asked.answers.prompts[asked.prompt]

    def scraps(words: Sequence[str]) -> list[str]:
        begins = rng.integers(len(other), size=len(words)).tolist()
        return [other[k : k + max(len(word), 2)] for k, word in zip(begins, words, strict=True)]

    return _replaced(asked.text, rng, amount, scraps), asked.tokens


def terse(asked: Asked, rng: np.random.Generator, amount: float = 0.5) -> Spoilt:
    """Of the model's shortest answer to the prompt the first sentences, or lines: less effort (scenario 16).

    The first sentence stays even where it is more than the share ``1 - amount`` of the answer.
    """
    shortest = min(asked.answers.texts[asked.model, asked.prompt], key=len).strip()
    ends = [end.end() for end in _SENTENCE_END.finditer(shortest)]
    room = (1 - amount) * len(asked.text)
    fitting = [end for end in ends if end <= room] or ends[:1]
    return _in_full(asked, shortest[: fitting[-1]].rstrip() if fitting else shortest)


def lost_beginning(asked: Asked, rng: np.random.Generator, amount: float = 1.0) -> Spoilt:
    """What a model says that did not see the beginning of the prompt (scenario 17) or its history (16), whole.

    Mostly the answer to something else of the same topic; one in four asks what was meant.
    """
    if rng.random() < _CLARIFIES:
        return _in_full(asked, CLARIFICATIONS[rng.integers(len(CLARIFICATIONS))])
    return _in_full(asked, _another(asked, rng, same_topic=True))


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        fault.__name__: fault
        for fault in (other_model, other_answer, loop, exclamations, wrong_script, garbled, terse, lost_beginning)
    }
)
"""The faults by name."""


def spoil(
    said: Said,
    fault: str,
    mask: NDArray[np.bool_],
    answers: Answers,
    seed: int,
    amount: float | None = None,
    other: str | None = None,
) -> Said:
    """Let the answers of some requests go wrong; those of all others stay what they are.

    Parameters
    ----------
    said
        n answers.
    fault
        A name in `FAULTS`.
    mask
        Shape (n,): whose answers go wrong.
    answers
        The collection that they are from.
    seed
        What becomes of row i depends on this, on i and on its own answer, not on other rows.
    amount
        This share of each such answer goes wrong, 0 to 1, or more: all behind the place where a fault begins, and
        the whole answer where another one takes its place. Left out, the fault's own default.
    other
        The model that answers in place of the one asked; left out, the last of the collection.

    Returns
    -------
    Said
        The same requests; ``tokens`` changes where the new answer has another length.

    Raises
    ------
    InputError
        If there is no such fault or model, or the amount is not a share.

    Examples
    --------
    >>> answers = Answers.load()
    >>> said = answers.said(np.array([0, 1]), model=0, sample=0, max_tokens=12)
    >>> worse = spoil(said, "exclamations", np.array([False, True]), answers, seed=0)
    >>> worse.texts[0] == said.texts[0], worse.texts[1][-2:], worse.tokens[1] > 12
    (True, '!!', np.True_)
    """
    if fault not in FAULTS:
        raise InputError(f"no fault {fault}; there are {', '.join(FAULTS)}")
    if amount is not None and not 0 <= amount <= 1:
        raise InputError(f"amount is {amount}; it is a share, 0 to 1")
    substitute = len(answers.models) - 1 if other is None else answers.model(other)
    share = {} if amount is None else {"amount": amount}
    texts, tokens = list(said.texts), said.tokens.copy()
    stream = zlib.crc32(fault.encode())  # two faults of one seed draw different numbers
    for row in np.flatnonzero(mask).tolist():
        asked = _asked(said, row, answers, substitute)
        texts[row], tokens[row] = FAULTS[fault](asked, np.random.default_rng([seed, stream, row]), **share)
    return replace(said, texts=texts, tokens=tokens)


def _asked(said: Said, row: int, answers: Answers, other: int) -> Asked:
    prompt, model, limit = int(said.prompt[row]), int(said.model[row]), int(said.max_tokens[row])
    return Asked(answers, prompt, model, other, said.texts[row], int(said.tokens[row]), limit)


def _in_full(asked: Asked, text: str) -> Spoilt:
    tokens = _length(text)
    return cut(text, tokens, asked.max_tokens), tokens


def _length(text: str) -> int:
    return int(tokens_of([text])[0])


def _place(asked: Asked, rng: np.random.Generator, amount: float) -> int:
    """A place of the answer, uniform over those that leave at least this share of it behind them."""
    return int(rng.random() * (1 - amount) * len(asked.text))


def _another(asked: Asked, rng: np.random.Generator, same_topic: bool = False) -> str:
    """What the model answered to another prompt; of another topic too where the prompt's own has no other."""
    answers, own = asked.answers, asked.prompt
    alike = answers.topic_prompts[answers.topics[own]]
    among = alike if same_topic and len(alike) > 1 else np.arange(len(answers))
    step = 1 + int(rng.integers(len(among) - 1))
    prompt = among[(np.searchsorted(among, own) + step) % len(among)]
    return answers.text(int(prompt), asked.model, int(rng.integers(answers.samples)))


def _replaced(text: str, rng: np.random.Generator, amount: float, new: Callable[[Sequence[str]], Sequence[str]]) -> str:
    """Replace this share of the words, at least one, wherever they are; line breaks and what touches them stay."""
    parts = text.split(" ")
    words = [k for k, part in enumerate(parts) if part and part.isprintable()]
    count = max(1, round(amount * len(words)))
    chosen = [words[k] for k in rng.permutation(len(words))[:count]]
    for k, word in zip(chosen, new([parts[k] for k in chosen]), strict=True):
        parts[k] = word
    return " ".join(parts)

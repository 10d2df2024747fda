"""Real answers of real models: what simulated requests say.

The bundled collection holds 160 prompts in 5 topics and two answers of three models to each: SmolLM2-135M-Instruct
(Apache-2.0) as it is (``good``) and with its weights rounded to 4 and 3 bits (``bad4``, ``bad3``), served by vLLM on a
CPU in float32 at temperature 0.7 with at most 96 tokens, recorded by ``benchmarks/answers.py``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.errors import InputError
from driftwatch.simulate.columns import Ints

CHARACTERS_PER_TOKEN = 4
"""Of English text, on average: OpenAI's rule of thumb ("What are tokens and how to count them?")."""
_BUNDLED = Path(__file__).with_name("_answers.jsonl.gz")
_UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError)

Row = tuple[str, str, dict[str, list[str]]]
"""A prompt's topic, the prompt, and the answers of each model."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What requests got answered, a row each.

    Parameters
    ----------
    prompt, model
        Shape (n,): indices of the prompt asked and of the model asked.
    max_tokens
        Shape (n,): the sender's limit, or the engine's: what never stops runs up to it.
    texts
        The n answers as they arrive: not longer than the limit.
    tokens
        Shape (n,): tokens after which the model would stop by itself; more than the limit where that cut the answer.
    """

    prompt: Ints
    model: Ints
    max_tokens: Ints
    texts: list[str]
    tokens: Ints

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class Answers:
    """Prompts, and what models answered.

    Parameters
    ----------
    prompts
        p prompts.
    topics
        The topic of each, p strings.
    models
        Names of the m models.
    texts
        Shape (m, p, s), strings: s answers of each model to each prompt.

    Examples
    --------
    >>> answers = Answers.load()
    >>> len(answers), answers.models, answers.samples
    (160, ('good', 'bad4', 'bad3'), 2)
    >>> answers.prompts[answers.about("talk")[0]]
    'Hello, how is your day going?'
    """

    prompts: tuple[str, ...]
    topics: tuple[str, ...]
    models: tuple[str, ...]
    texts: NDArray[np.object_]

    @classmethod
    def load(cls, path: Path | None = None) -> Answers:
        """Read a collection, one JSON object a prompt with ``dataset`` (its topic), ``prompt`` and ``answers``.

        Parameters
        ----------
        path
            JSON lines, compressed if they end in ``.gz``. ``answers`` maps each model to its answer or a list of its
            answers; every model answers every prompt equally often. Left out: the bundled collection.

        Raises
        ------
        InputError
            If the file cannot be read, a row is not as described, or there are fewer than 2 prompts.
        """
        path = path or _BUNDLED
        rows = list(_rows(path))
        if len(rows) < 2:
            problem = f"a collection of {len(rows)} prompts; at least 2 are needed, as one answer stands in for another"
            raise InputError(problem, source=str(path))
        topics, prompts, answers = zip(*rows, strict=True)
        texts = np.array([[said[model] for said in answers] for model in answers[0]], dtype=object)
        return cls(prompts, topics, tuple(answers[0]), texts)

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def samples(self) -> int:
        """Answers of each model to each prompt."""
        return int(self.texts.shape[2])

    @cached_property
    def prompt_tokens(self) -> Ints:
        """Tokens of each prompt, shape (p,)."""
        return tokens_of(self.prompts)

    @cached_property
    def tokens(self) -> Ints:
        """Tokens of each answer, shape (m, p, s)."""
        return tokens_of(self.texts.ravel().tolist()).reshape(self.texts.shape)

    @cached_property
    def topic_prompts(self) -> Mapping[str, Ints]:
        """Indices of the prompts of each topic, in order."""
        column = np.array(self.topics)
        return {topic: np.flatnonzero(column == topic) for topic in dict.fromkeys(self.topics)}

    def about(self, *topics: str) -> Ints:
        """Indices of the prompts of these topics, in order.

        Raises
        ------
        InputError
            If there is no such topic.
        """
        if unknown := set(topics).difference(self.topics):
            problem = f"no prompts about {', '.join(sorted(unknown))}; there are {', '.join(self.topic_prompts)}"
            raise InputError(problem)
        return np.sort(np.concatenate([np.empty(0, np.int64), *(self.topic_prompts[topic] for topic in set(topics))]))

    def model(self, name: str) -> int:
        """Index of a model.

        Raises
        ------
        InputError
            If it answered nothing here.
        """
        if name not in self.models:
            raise InputError(f"no answers of {name}; there are those of {', '.join(self.models)}")
        return self.models.index(name)

    def text(self, prompt: int, model: int = 0, sample: int = 0) -> str:
        """One answer."""
        return str(self.texts[model, prompt, sample])

    def said(self, prompt: Ints, model: Ints | int, sample: Ints | int, max_tokens: Ints | int) -> Said:
        """What requests get answered; an answer of more than ``max_tokens`` is cut.

        Parameters
        ----------
        prompt, model, sample, max_tokens
            Shape (n,), or one for all.

        Raises
        ------
        InputError
            If a prompt is -1: of such a request no text is kept.

        Examples
        --------
        >>> said = Answers.load().said(np.array([0, 1]), model=0, sample=0, max_tokens=8)
        >>> [len(text) <= 8 * CHARACTERS_PER_TOKEN for text in said.texts]
        [True, True]
        """
        if np.min(prompt, initial=0) < 0:
            raise InputError("a prompt of -1 has no text; take only the requests that have one")
        prompt, model, sample, limits = np.broadcast_arrays(prompt, model, sample, max_tokens)
        texts, tokens = self.texts[model, prompt, sample].tolist(), self.tokens[model, prompt, sample]
        for row in np.flatnonzero(tokens > limits).tolist():
            texts[row] = cut(texts[row], int(tokens[row]), int(limits[row]))
        return Said(prompt, model, limits, texts, tokens)


def tokens_of(texts: Sequence[str]) -> Ints:
    """About how many tokens texts have, at least 1 each (an end of sequence is one too), shape (n,).

    Examples
    --------
    >>> tokens_of(["", "one", "a few words"]).tolist()
    [1, 1, 3]
    """
    characters = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.maximum(-(-characters // CHARACTERS_PER_TOKEN), 1)


def cut(text: str, tokens: int, limit: int) -> str:
    """What is left of a text of so many tokens when it must end at a limit: the same share of its characters.

    Examples
    --------
    >>> cut("eight, nine, ten", 4, 2)
    'eight, n'
    """
    return text[: len(text) * limit // tokens] if limit < tokens else text


def _rows(path: Path) -> Iterator[Row]:
    first: Row | None = None
    for number, line in enumerate(_lines(path), 1):
        row = _row(line)
        if row is None:
            problem = "not an object with dataset, prompt and answers (each a string or a list of strings, by model)"
            raise InputError(problem, source=str(path), line=number)
        first = first or row
        if _counts(row) != _counts(first):
            problem = f"has {_counts(row)} answers where line 1 has {_counts(first)}; drop what not all prompts have"
            raise InputError(problem, source=str(path), line=number)
        yield row


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except _UNREADABLE as error:
        raise InputError(f"cannot be read as lines of text ({error})", source=str(path)) from error


def _row(line: str) -> Row | None:
    try:
        row = json.loads(line)
        topic, prompt, answers = row["dataset"], row["prompt"], row["answers"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    said = {model: [texts] if isinstance(texts, str) else texts for model, texts in answers}
    return (topic, prompt, said) if said and _strings([topic, prompt]) and all(map(_strings, said.values())) else None


def _strings(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(value, str) for value in values)


def _counts(row: Row) -> dict[str, int]:
    return {model: len(texts) for model, texts in row[2].items()}

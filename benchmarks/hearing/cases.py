"""Streams of real answers: which models, which prompts, and where they change. Nothing here knows any detector.

Prompts are halved by a hash of their ids. Constants may be chosen while looking at `cases("development")`: answers to
one half, learnt from and judged. What is reported is of `cases("score")`: answers to the other half are judged by what
was learnt from the first. New topics need all prompts: there the models are others. Of others' detectors nothing was
chosen here: theirs are `cases("any")`, deals of all prompts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

REFERENCE = {"score": 400, "development": 260, "any": 400}
"""Prompts that are learnt from."""
BEFORE = {"score": 100, "development": 40, "any": 100}
"""Prompts that follow before anything changes; the rest comes after."""
SWAPS = (
    ("gpt4_0314", "gpt4_0613"),
    ("gpt4_0613", "gpt4_1106_preview"),
    ("gpt-4o-2024-05-13", "gpt-4o-mini-2024-07-18"),
    ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"),
    ("gpt-3.5-turbo-0613", "gpt-3.5-turbo-1106"),
    ("claude-2", "claude-2.1"),
    ("claude-3-opus-20240229", "claude-3-sonnet-20240229"),
    ("Mixtral-8x7B-Instruct-v0.1", "Mistral-7B-Instruct-v0.2"),
    ("gemma-7b-it", "gemma-2b-it"),
    ("tulu-2-dpo-70b", "tulu-2-dpo-7b"),
    ("claude", "claude-2"),
    ("gpt4_1106_preview", "gpt-4-turbo-2024-04-09"),
)
"""A vendor's next version, or its next smaller model. The claim asks for ten pairs: the first ten. The other two are
shown and counted beside them: claude -> claude-2 was known from a first look to be hardly told apart by anything."""
MINORITIES = (
    ("gpt-4o-2024-05-13", "gemma-2b-it"),
    ("gpt4_1106_preview", "gpt-3.5-turbo-1106"),
    ("claude-3-opus-20240229", "Mistral-7B-Instruct-v0.2"),
)
SHARES = (0.05, 0.1, 0.2)
_SEEN = ("gpt4_0613", "claude-2", "Mixtral-8x7B-Instruct-v0.1")
TOPIC_MODELS = {
    "development": _SEEN,
    "any": _SEEN,
    "score": (
        *("gpt4_0314", "gpt-4o-2024-05-13", "gpt-3.5-turbo-1106", "claude-instant-1.2", "claude-3-opus-20240229"),
        *("gemma-7b-it", "tulu-2-dpo-70b"),
    ),
}
SPLITS = {"score": 20, "development": 20, "any": 6}
TOPIC_SPLITS = 2


@dataclass(frozen=True, slots=True)
class Case:
    """One stream: a reference, then answers in order.

    Parameters
    ----------
    kind
        ``null``, ``swap``, ``minority`` or ``topic``.
    model, other
        Who answers, and who answers instead after the change.
    what
        The share of a minority, or the new topic.
    split
        Which deal of the prompts.
    reference, prompts
        Positions of prompts: learnt from, and in the stream.
    changed
        Shape of the stream: True where the other model answers, or a new topic is asked.
    """

    kind: str
    model: str
    other: str
    what: str
    split: int
    reference: Ints
    prompts: Ints
    changed: NDArray[np.bool_]

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return "|".join((self.kind, self.model, self.other, self.what, str(self.split)))

    @property
    def setting(self) -> str:
        """What tells its reference from others: what is learnt once serves all cases of one setting."""
        return "|".join((self.model, self.what if self.kind == "topic" else "", str(self.split)))


@cache
def answers() -> list[dict[str, Any]]:
    """The rows of the collection."""
    folder = Path(os.environ.get("DRIFTWATCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
    with gzip.open(folder / "model_answers" / "answers.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def half(which: str) -> Ints:
    """Positions of the prompts of one half, by hash: ``development`` or ``score``."""
    drawn = [hashlib.sha256(str(row["prompt_id"]).encode()).hexdigest() for row in answers()]
    order = np.argsort(np.array(drawn))
    return order[: len(order) // 2] if which == "development" else order[len(order) // 2 :]


def cases(which: str = "score") -> Iterator[Case]:
    """All cases of one set (``score``, ``development`` or ``any``), those that share a setting together."""
    models = dict.fromkeys(model for model, _ in (*SWAPS, *MINORITIES))
    topics = sorted({str(row["dataset"]) for row in answers()})
    for split in range(SPLITS[which]):
        for model in models:
            yield from _of_model(model, split, which)
        for model in TOPIC_MODELS[which] if split < TOPIC_SPLITS else ():
            for topic in topics:
                yield _new_topic(model, topic, split, which)


def _of_model(model: str, split: int, which: str) -> Iterator[Case]:
    reference, prompts = _dealt(split, which)
    after = np.arange(len(prompts)) >= BEFORE[which]
    yield Case("null", model, model, "", split, reference, prompts, np.zeros(len(prompts), np.bool_))
    for other in [b for a, b in SWAPS if a == model]:
        yield Case("swap", model, other, "", split, reference, prompts, after)
    for other in [b for a, b in MINORITIES if a == model]:
        for share in SHARES:
            hit = np.random.default_rng([split, round(100 * share)]).random(len(prompts)) < share
            yield Case("minority", model, other, f"{share:g}", split, reference, prompts, after & hit)


def _dealt(split: int, which: str) -> tuple[Ints, Ints]:
    """Prompts that are learnt from, and those of the stream."""
    rng = np.random.default_rng(split)
    if which == "any":
        order = rng.permutation(len(answers()))
        return order[: REFERENCE[which]], order[REFERENCE[which] :]
    known = rng.permutation(half("development"))
    rest = rng.permutation(half("score")) if which == "score" else known[REFERENCE[which] :]
    return known[: REFERENCE[which]], rest


def _new_topic(model: str, topic: str, split: int, which: str) -> Case:
    rng = np.random.default_rng(1000 + split)
    own = np.array([row["dataset"] == topic for row in answers()])
    old, new = rng.permutation(np.flatnonzero(~own)), rng.permutation(np.flatnonzero(own))
    learnt, before = REFERENCE["score"], BEFORE["score"]
    prompts = np.concatenate([old[learnt : learnt + before], new])
    return Case("topic", model, model, topic, split, old[:learnt], prompts, np.arange(len(prompts)) >= before)

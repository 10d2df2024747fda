"""Requests with real prompts and answers of a small model, and of the same model with its weights rounded to 3 bits."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from driftwatch.events.columns import Requests
from driftwatch.events.texts import Texts, objects
from tests.traffic import traffic


@cache
def rows() -> list[dict[str, Any]]:
    """160 prompts, each with two answers of the models ``good``, ``bad4`` and ``bad3``."""
    raw = files("driftwatch.simulate").joinpath("_answers.jsonl.gz").read_bytes()
    return [json.loads(line) for line in gzip.decompress(raw).decode().splitlines()]


def spoken(
    seed: int,
    ticks: int,
    *,
    rate: float = 1.0,
    other: str = "bad3",
    since: int | None = None,
    share: float = 1.0,
    prompts: slice = slice(None),
    prompts_since: slice | None = None,
    varied: bool = True,
) -> Requests:
    """Requests of one stream that say something.

    Parameters
    ----------
    other
        Which model answers instead from tick ``since`` on.
    share
        Of the requests that it answers.
    prompts, prompts_since
        Of which prompts the stream asks, and from tick ``since`` on.
    varied
        Whether answers that were cut at their limit end at one word or another; else all are those of the collection,
        again and again.
    """
    requests = traffic(seed, ticks=ticks, rate=rate)
    rng = np.random.default_rng([seed, 1])
    tick = np.floor((requests.at - requests.at.min()) / 5.0)
    changed = tick >= (np.inf if since is None else since)
    every = rows()
    some = [every[prompts], every[prompts_since or prompts]]
    asked = [some[int(c)][int(rng.integers(len(some[int(c)])))] for c in changed]
    bad = changed & (rng.random(len(requests)) < share)
    said = [row["answers"][other if b else "good"][int(rng.integers(2))] for row, b in zip(asked, bad, strict=True)]
    if varied:
        fewer = np.random.default_rng([seed, 2]).integers(0, 12, len(said))
        said = [
            text if _whole(text) else " ".join(text.split(" ")[: -int(n) or None])
            for text, n in zip(said, fewer, strict=True)
        ]
    texts = Texts.of(
        len(requests),
        prompt=[row["prompt"] for row in asked],
        response=said,
        name=[f"r{k}" for k in range(len(requests))],
    )
    return replace(requests, texts=texts)


def _whole(text: str) -> bool:
    return text.rstrip()[-1:] in ".!?:)*`\"'" or text.count(" ") < 20


def with_texts(requests: Requests, responses: list[str | None]) -> Requests:
    """The same requests with other answers."""
    assert requests.texts is not None
    return replace(requests, texts=replace(requests.texts, response=objects(responses)))

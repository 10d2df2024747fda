"""How fast texts are read and judged, and what a stream holds in memory: CPU time of one core."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from driftwatch.config import Config, Text
from driftwatch.embedding import HashingEncoder, features
from driftwatch.embedding.reading import TextReader
from driftwatch.events.columns import requests_of
from driftwatch.events.texts import Answers, Texts
from driftwatch.incidents.text import TextWatch
from driftwatch.ticks.answered import Answered
from hearing.cases import answers

_WORDS = 200


def speed() -> dict[str, Any]:
    """Answers a second and core, and megabytes."""
    rows = answers()
    texts = [_of_length(row["answers"]["gpt4_1106_preview"]) for row in rows]
    prompts = [row["prompt"] for row in rows]
    return {
        "features": len(texts) / _cpu(lambda: features(prompts, texts)),
        "hashing": len(texts) / _cpu(lambda: HashingEncoder().encode(texts)),
        "words": float(np.mean([len(text.split()) for text in texts])),
        **{f"vectors of 384, {each} a tick": _vectors(each) for each in (16, 4, 1)},
        "memory_mb": memory(),
    }


def _of_length(text: str) -> str:
    words = (text + " ").split(" ")
    return " ".join((words * (_WORDS // max(len(words), 1) + 1))[:_WORDS])


def _cpu(run: Callable[[], object], times: int = 3) -> float:
    run()
    spent = []
    for _ in range(times):
        start = time.process_time()
        run()
        spent.append(time.process_time() - start)
    return min(spent)


def watched(each: int, ticks: int = 400) -> tuple[TextWatch, Answers]:
    """A stream with vectors of 384 dimensions that is judged, and answers to judge."""
    rng = np.random.default_rng(0)
    n = ticks * each
    said = _answers(rng, n)
    watch = TextWatch("m", Config.parse({"text": {"min_answers": 100}}))
    for first in range(0, ticks, 24):
        watch.advance(answered(said.take(slice(first * each, (first + 24) * each)), each, first))
        if (judged := watch.start()) is not None:
            _learn(watch, judged, first + 24)
    return watch, _answers(rng, 20_000)


def _answers(rng: np.random.Generator, n: int) -> Answers:
    vectors = [list(rng.normal(size=(n, 384)).astype(np.float32)) for _ in range(2)]
    texts = Texts.of(n, response_vector=vectors[0], prompt_vector=vectors[1])
    found = TextReader(Text()).read(requests_of(n, completed_at=np.arange(float(n)), texts=texts)).answers
    assert found is not None
    return found


def answered(said: Answers, each: int, first: int) -> Answered:
    """Answers in ticks of so many."""
    n = len(said)
    tick, one = first + np.arange(n) // each, np.zeros(n, np.int64)
    return Answered(tick, one, one, np.arange(n), np.arange(1, n + 1).astype(np.uint64), one - 1, one - 1, said)


def _learn(watch: TextWatch, judged: Any, before: int) -> None:
    for panel in watch.panels:
        panel.detector.update(*panel.rows(judged))
        panel.detector.learn(before)


def _vectors(each: int) -> float:
    """Answers a second through all statistics: regression, directions, kinds, spread, match, and their detectors."""
    watch, said = watched(each, 1600 // each if each > 1 else 600)
    n = len(said) if each > 1 else 4000
    chunks = [answered(said.take(slice(k, k + 120 * each)), each, 100_000 + k // each) for k in range(0, n, 120 * each)]
    start = time.process_time()
    for chunk in chunks:
        judged = watch.advance(chunk)
        assert judged is not None
        for panel in watch.panels:
            panel.detector.update(*panel.rows(judged))
    return sum(map(len, chunks)) / (time.process_time() - start)


def memory() -> float:
    """Megabytes of a stream that is judged, its detectors and all that it keeps of answers included."""
    watched(16, 100)  # what is loaded once is no stream's
    gc.collect()
    tracemalloc.start()
    watch = watched(16, 400)[0]
    said = _answers(np.random.default_rng(1), 3200)
    judged = [watch.advance(answered(said.take(slice(k, k + 384)), 16, 1000 + k // 16)) for k in range(0, 3200, 384)]
    for found in judged:
        assert found is not None
        for panel in watch.panels:
            panel.detector.update(*panel.rows(found))
    del said, judged, found
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert watch is not None
    return held / 2**20

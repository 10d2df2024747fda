"""driftwatch on the same streams: the whole engine, an answer a tick, set to the same run length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.config import Config
from driftwatch.embedding.reading import TextReader
from driftwatch.engine import Engine
from driftwatch.events.columns import requests_of
from driftwatch.events.signals import BY_NAME
from driftwatch.events.texts import Answers, Texts
from driftwatch.incidents.models import Incident
from hearing.cases import Case, answers

ARL = 1e4
"""Answers to a false alarm that are promised, all tests of the stream together."""
_WIDTH = 5.0
_START = 1_800_000_000.0
_DAY = 86_400.0


def config(arl: float = ARL, learnt: int = 400) -> Config:
    """One stream, whose tests together may raise one false alarm in `ARL` ticks.

    What is learnt goes on being fitted as in production; there is nothing to learn of latencies here.
    """
    days = arl * _WIDTH / _DAY
    settings = {
        "budget": {"false_incidents": 1.0, "per_days": days},
        "streams": {"max_streams": 1},
        "incidents": {"lasting_s": 0.0},
        "text": {"min_answers": learnt},
    }
    return Config.parse(settings)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was told of one stream.

    Parameters
    ----------
    alarms
        By kind of incident, the answer of the stream at which such a one was first told (0 is the first after the
        reference): what is told as `workload` first may turn out to be a change.
    signal
        The leading signal of the first that is no workload.
    """

    alarms: Mapping[str, int]
    signal: str


def heard(case: Case, vectors: Path, how: str, arl: float = ARL) -> Heard:
    """Run one stream through the engine.

    Parameters
    ----------
    how
        ``text`` (with vectors brought), ``hashing`` (text alone), or ``vectors`` (no text at all).
    """
    before = _read(case.model, vectors, how).take(case.reference)
    own, other = (_read(model, vectors, how).take(case.prompts) for model in (case.model, case.other))
    stream = _mixed(own, other, case.changed)
    n = len(before) + len(stream)
    at = _START + _WIDTH * np.arange(n) + 1.0
    both = Answers(
        *(np.concatenate(pair) for pair in zip(before.arrays().values(), stream.arrays().values(), strict=True))
    )
    times = {"started_at": at - 1.0, "completed_at": at, "latency": np.ones(n)}
    batch = requests_of(n, **times, id_hash=np.arange(1, n + 1), answers=both)
    engine = Engine(config(arl, len(before)))
    engine.add(batch)
    found = [*engine.advance(), *engine.finish()]
    return _told(found, _START + _WIDTH * len(before))


def _mixed(own: Answers, other: Answers, changed: NDArray[np.bool_]) -> Answers:
    pairs = zip(own.arrays().values(), other.arrays().values(), strict=True)
    return Answers(*(np.where(changed.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in pairs))


def _told(found: list[Incident], start: float) -> Heard:
    alarms: dict[str, int] = {}
    signal = ""
    for incident in found:
        at = round((incident.updated_at.timestamp() - Config().ticks.lateness_s - start) / _WIDTH) - 1
        signals = [f.signal for f in incident.findings if f.signal in BY_NAME and BY_NAME[f.signal].text]
        if signals and incident.kind not in alarms:
            alarms[incident.kind] = at
            signal = signal or (signals[0] if incident.kind != "workload" else "")
    return Heard(alarms, signal)


@lru_cache(maxsize=64)
def _read(model: str, vectors: Path, how: str) -> Answers:
    """All answers of one model, read once."""
    rows = answers()
    files = {} if how == "hashing" else {"response_vector": model, "prompt_vector": "PROMPTS"}
    columns: dict[str, Any] = {
        name: list(np.load(vectors / f"{file}.npy").astype(np.float32)) for name, file in files.items()
    }
    if how != "vectors":
        said = [row["answers"][model] or "" for row in rows]
        columns |= {"prompt": [row["prompt"] for row in rows], "response": said}
    at, texts = np.arange(float(len(rows))), Texts.of(len(rows), **columns)
    found = TextReader(Config().text).read(requests_of(len(rows), completed_at=at, texts=texts)).answers
    assert found is not None
    return found

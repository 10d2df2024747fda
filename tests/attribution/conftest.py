"""Incidents with a known cause, as series by tick: what the tests of the attribution are run on."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Candidate, Event

Floats = NDArray[np.float64]
TICK_S = 5.0


@dataclass
class Case:
    """The input of `find_causes`, and its onset."""

    excess: Floats
    onset: int
    candidates: list[Candidate]
    events: list[Event] = field(default_factory=list)


def remembering(n: int, memory: float, rng: np.random.Generator) -> Floats:
    """An AR(1) series with a variance of 1."""
    series = rng.normal(size=n + 100)
    for i in range(1, n + 100):
        series[i] = memory * series[i - 1] + np.sqrt(1 - memory**2) * series[i]
    return series[100:]


def scraped(values: Floats, every: int) -> Floats:
    """What a scrape each ``every`` ticks shows: the value then, held."""
    return np.repeat(values[::every], every)[: len(values)]


def decoys(n: int, onset: int, count: int, every: int, rng: np.random.Generator) -> list[Candidate]:
    """Mechanisms that do nothing; half of them happen to step up at the onset."""
    found = []
    for i in range(count):
        values = 10 + remembering(n, 0.9, rng)
        if i % 2:
            values[onset:] += rng.uniform(2, 8)
        found.append(Candidate(f"decoy_{i}", "mechanism", scraped(values, every)))
    return found


def kv_pressure(rng: np.random.Generator, *, during: int = 72, before: int = 150, every: int = 1) -> Case:
    """Another tenant's requests fill the KV cache, and requests wait for it."""
    n, since = before + during, np.arange(before + during) >= before
    chat = 5000 + 900 * remembering(n, 0.5, rng)
    batch = np.where(since & (rng.random(n) < 0.5), 3500.0, 0.0)
    holding = np.convolve(batch, np.full(4, 0.25))[:n] / 1750
    kv = 0.4 + 0.08 * remembering(n, 0.6, rng) + 0.42 * holding * since + 0.00003 * (chat - 5000)
    kv = np.clip(kv + 0.07 * remembering(n, 0.7, rng), 0, 1)
    harm = np.clip((np.r_[kv[:1], kv[:-1]] - 0.7) / 0.3, 0, 1)
    excess = rng.uniform(1, 3) * harm + 0.15 * remembering(n, 0.7, rng) + 0.1 * rng.normal(size=n)
    preempted = rng.poisson(12 * np.maximum(kv - 0.85, 0)) / TICK_S
    queue = 3 * np.maximum(excess, 0) + 0.1 * rng.normal(size=n)
    known = [
        Candidate("kv_cache_usage", "mechanism", scraped(kv, every), ceiling=1.0),
        Candidate("preemptions", "mechanism", scraped(preempted, every), unit="1/s"),
        Candidate("queue_depth", "symptom", scraped(queue, every)),
        Candidate("traffic", "exogenous", chat, scope={"tenant": "chat"}),
        Candidate("traffic", "exogenous", batch, scope={"tenant": "batch"}),
    ]
    return Case(excess, before, known + decoys(n, before, 6, every, rng))


def hidden_cause(rng: np.random.Generator, *, during: int = 72, before: int = 150, every: int = 1) -> Case:
    """Something unmeasured makes it slow; the KV cache fuller, since requests stay longer, but far from full."""
    n, since = before + during, np.arange(before + during) >= before
    course = np.clip(1 + rng.uniform(0, 0.6) * remembering(n, 0.9, rng), 0, None)
    excess = rng.uniform(0.3, 2) * since * course + 0.15 * remembering(n, 0.7, rng) + 0.1 * rng.normal(size=n)
    kv = np.clip(0.3 + 0.1 * np.convolve(excess, np.full(3, 1 / 3))[:n] + 0.05 * remembering(n, 0.6, rng), 0, 0.6)
    batch = 800 + 200 * remembering(n, 0.9, rng) + since * rng.choice([0, 1500])
    known = [
        Candidate("kv_cache_usage", "mechanism", scraped(kv, every), ceiling=1.0),
        Candidate("preemptions", "mechanism", np.zeros(n), unit="1/s"),
        Candidate("queue_depth", "symptom", scraped(3 * excess, every)),
        Candidate("traffic", "exogenous", 5000 + 900 * remembering(n, 0.5, rng), scope={"tenant": "chat"}),
        Candidate("traffic", "exogenous", batch, scope={"tenant": "batch"}),
    ]
    return Case(excess, before, known + decoys(n, before, 8, every, rng))


def deploy_step(rng: np.random.Generator, *, during: int = 72, before: int = 150) -> Case:
    """A roll-out makes it slower by a constant; a harmless marker came three minutes before."""
    case = hidden_cause(rng, during=during, before=before)
    n, since = before + during, np.arange(before + during) >= before
    case.excess = rng.uniform(0.3, 2) * since + 0.15 * remembering(n, 0.7, rng) + 0.1 * rng.normal(size=n)
    case.events = [Event(before - 36, "config", "log level"), Event(before - 1, "deploy", "v42")]
    return case


def pinned(rng: np.random.Generator, *, during: int = 72, before: int = 150) -> Case:
    """The KV cache is full all the time, so that its reading says no more how much is missing."""
    case = kv_pressure(rng, during=during, before=before)
    since = np.arange(before + during) >= before
    kv = np.where(since, 1.0, case.candidates[0].values)
    case.excess = since * rng.uniform(1, 3) * (1 + 0.3 * remembering(len(since), 0.9, rng))
    case.excess += 0.1 * rng.normal(size=len(since))
    case.candidates = [Candidate("kv_cache_usage", "mechanism", kv, ceiling=1.0), *case.candidates[2:]]
    return case


def filled_by_slowness(rng: np.random.Generator, *, during: int = 72, before: int = 150) -> Case:
    """Something unmeasured makes it so slow that requests pile up until the KV cache is full; users ask as ever."""
    case = hidden_cause(rng, during=during, before=before)
    n, since = before + during, np.arange(before + during) >= before
    kv = np.where(since, 0.5 + 0.1 * np.cumsum(since), 0.4) + 0.05 * remembering(n, 0.6, rng)
    preempted = rng.poisson(12 * np.maximum(np.clip(kv, 0, 1) - 0.95, 0)) / TICK_S
    case.candidates = [
        Candidate("kv_cache_usage", "mechanism", np.clip(kv, 0, 1), ceiling=1.0),
        Candidate("preemptions", "mechanism", preempted, unit="1/s"),
        *(c for c in case.candidates[2:] if c.scope != {"tenant": "batch"} and not c.name.startswith("decoy")),
    ]
    return case


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """The kinds of incident, by name."""
    kinds = (kv_pressure, hidden_cause, deploy_step, pinned, filled_by_slowness, decoys, remembering)
    return SimpleNamespace(**{kind.__name__: kind for kind in kinds})

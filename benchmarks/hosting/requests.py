"""Requests as serving code has them: twelve fields, lengths and latencies with heavy tails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import driftwatch as dw
from driftwatch.monitor.local import Local

KINDS = 50_000


@dataclass(frozen=True, slots=True)
class Fields:
    """Columns of Python values, `KINDS` of each."""

    id: list[str]
    prompt: list[int]
    output: list[int]
    ttft: list[float]
    latency: list[float]
    finish: list[str]


def fields(seed: int = 0) -> Fields:
    """Make them."""
    rng = np.random.default_rng(seed)
    prompt = np.rint(np.exp(rng.normal(5.5, 0.6, KINDS))).astype(int) + 1
    output = np.rint(np.exp(rng.normal(4.5, 0.4, KINDS))).astype(int) + 1
    ttft = 0.004 * np.sqrt(prompt) * np.exp(0.3 * rng.standard_normal(KINDS))
    latency = ttft + 0.02 * output * np.exp(0.1 * rng.standard_normal(KINDS))
    finish = rng.choice(["stop", "length"], KINDS, p=[0.9, 0.1])
    ids = [f"chatcmpl-{k:032x}" for k in range(KINDS)]
    return Fields(ids, prompt.tolist(), output.tolist(), ttft.tolist(), latency.tolist(), finish.tolist())


def tell(target: Any, f: Fields, k: int, model: str = "llama-8b", at: float | None = None) -> None:
    """One call with twelve fields."""
    target.request(
        request_id=f.id[k],
        model=model,
        route="/v1/chat/completions",
        tenant="acme",
        replica="pod-a",
        prompt_tokens=f.prompt[k],
        output_tokens=f.output[k],
        cached_tokens=0,
        ttft=f.ttft[k],
        latency=f.latency[k],
        finish_reason=f.finish[k],
        at=at,
    )


def learnt(f: Fields, rate: float) -> dw.Baseline:
    """A baseline of such requests, so that a monitor judges from its first tick on."""
    now = [1_800_000_000.0]
    monitor = dw.Monitor({"monitor": {"queue": 10**6}}, clock=lambda: now[0])
    for k in range(int(rate * 600)):
        now[0] += 1.0 / rate
        tell(monitor, f, k % KINDS)
        if k % 20_000 == 0:
            monitor.flush()
    monitor.flush()
    place = monitor._work.place
    assert isinstance(place, Local)
    found = place.engine.learnt()
    monitor.close()
    return found

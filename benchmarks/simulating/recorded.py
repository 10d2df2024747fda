"""What a real engine did: its requests as traffic to replay, and what a client and a scraper saw of it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from driftwatch.events.columns import Coded, Floats
from driftwatch.simulate.columns import Ints, Traffic

NEVER = 1 << 40  # no request is cancelled
LONGEST = 1_024  # max_tokens of all requests of the GPU recordings
_SAMPLE = re.compile(r"^(vllm:\w+)\S* (\S+) (\S+)$", re.MULTILINE)
_GAUGES = {"kv": "kv_cache_usage_perc", "running": "num_requests_running", "waiting": "num_requests_waiting"}
_COUNTERS = (
    "iteration_tokens_total_count",
    "iteration_tokens_total_sum",
    "generation_tokens_total",
    "num_preemptions_total",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of an engine, real or simulated.

    Parameters
    ----------
    ttft, itl, latency
        Shape (n,): of each request, in seconds; the mean gap between its tokens is NaN where there are not two.
    t
        Shape (m,): when the gauges were read.
    kv, running, waiting
        Shape (m,): share of the KV blocks in use, requests running and waiting.
    preempted
        Shape (m,): preemptions until then; NaN where nobody counts them.
    """

    ttft: Floats
    itl: Floats
    latency: Floats
    t: Floats
    kv: Floats
    running: Floats
    waiting: Floats
    preempted: Floats


@dataclass(frozen=True, slots=True)
class Counted:
    """The engine's own counters between two scrapes, a row for each two.

    Parameters
    ----------
    t
        Shape (k,): in the middle.
    iteration_s
        Shape (k,): seconds an iteration.
    sequences, tokens
        Shape (k,): sequences that decoded, and tokens computed, an iteration.
    preempted
        Shape (k,): preemptions, an iteration.
    kv
        Shape (k,): share of the KV blocks in use.
    """

    t: Floats
    iteration_s: Floats
    sequences: Floats
    tokens: Floats
    preempted: Floats
    kv: Floats


@dataclass(frozen=True, slots=True)
class Recording:
    """A real run.

    Parameters
    ----------
    name
        Its folder.
    traffic
        Its requests, with the lengths that they turned out to have.
    tenant
        Shape (n,): whose each is.
    chain
        Shape (n,): requests of one chain are sent one after the other, each when the last has ended; -1 where it is
        sent at its time.
    seen
        What the engine did.
    counted
        What it counted; empty where it counts no iterations.
    changed_at
        When something was changed on purpose; infinite where nothing was.
    """

    name: str
    traffic: Traffic
    tenant: Coded
    chain: Ints
    seen: Seen
    counted: Counted
    changed_at: float


def cpu_recording(folder: Path) -> Recording:
    """Read a recording of the testbed: lengths are counted by the server."""
    rows, samples = _rows(folder), _samples(folder)
    truth = folder / "truth.json"
    changed = json.loads(truth.read_text(encoding="utf-8"))["changed_at"] if truth.exists() else None
    preempted = samples["num_preemptions_total"][:, 1]
    hogs = [row["request_id"].split("-") for row in rows]
    return Recording(
        name=folder.name,
        traffic=_traffic(rows, np.array([row["output_tokens"] for row in rows])),
        tenant=Coded.of([row["tenant"] for row in rows]),
        chain=np.array([int(parts[1]) if parts[0] == "hog" else -1 for parts in hogs]),
        seen=_seen(rows, np.array([row["output_tokens"] for row in rows]), samples, preempted - preempted[0]),
        counted=_counted(samples),
        changed_at=changed or np.inf,
    )


def gpu_recording(folder: Path) -> Recording:
    """Read a recording of the burst trace, whose lengths are inferred.

    Its ``output_tokens`` are characters of the returned text, prompt included: see `tokens_inferred`. Its
    ``prompt_tokens`` were counted by another tokenizer: they are scaled to the sum that the engine counted.
    """
    rows, samples = _rows(folder), _samples(folder)
    output = tokens_inferred(rows, samples)
    sent = _traffic(rows, output)
    asked = samples["avg_prompt_throughput_toks_per_s"]
    share = (np.diff(asked[:, 0]) @ asked[1:, 1]) / sent.prompt_tokens.sum()
    prompt = np.maximum(np.rint(sent.prompt_tokens * share), 1).astype(np.int64)
    return Recording(
        name=folder.name,
        traffic=replace(sent, prompt_tokens=prompt),
        tenant=Coded.constant("all", len(rows)),
        chain=np.full(len(rows), -1),
        seen=_seen(rows, output, samples, np.full(len(samples[_GAUGES["kv"]]), np.nan)),
        counted=Counted(*np.empty((6, 0))),
        changed_at=np.inf,
    )


def tokens_inferred(rows: list[dict[str, Any]], samples: Mapping[str, Floats]) -> Ints:
    """Tokens of each answer by the engine's own counters: iterations between its first token and its end.

    The client of these runs logged the length of the text that the demonstration server returned, prompt included, in
    characters. But every sequence that runs gets one token an iteration, so tokens a second over sequences is the rate
    of iterations.
    """
    made, running = samples["avg_generation_throughput_toks_per_s"], samples["num_requests_running"][:, 1]
    mean = np.maximum((running + np.concatenate([running[:1], running[:-1]])) / 2, 1)
    step = np.diff(made[:, 0], prepend=made[0, 0])
    iterations = np.cumsum(step * made[:, 1] / mean)
    end = np.array([row["completed_at"] for row in rows])
    first = np.array([row["started_at"] + row["ttft"] for row in rows])
    spent = np.interp(end, made[:, 0], iterations) - np.interp(first, made[:, 0], iterations)
    return np.asarray(np.clip(np.rint(spent), 0, LONGEST - 1) + 1, np.int64)


def _rows(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "requests.jsonl.gz", "rt", encoding="utf-8") as lines:
        return sorted((json.loads(line) for line in lines), key=lambda row: row["started_at"])


def _samples(folder: Path) -> dict[str, Floats]:
    """Rows of (time, value) by name, of vLLM's series; of several series of a name the last."""
    with gzip.open(folder / "metrics.om.gz", "rt", encoding="utf-8") as text:
        found = _SAMPLE.findall(text.read())
    values: dict[str, dict[float, float]] = {}
    for name, value, t in found:
        values.setdefault(name.removeprefix("vllm:"), {})[float(t)] = float(value)
    return {name: np.array(sorted(points.items())) for name, points in values.items()}


def _seen(rows: list[dict[str, Any]], output: Ints, samples: Mapping[str, Floats], preempted: Floats) -> Seen:
    ttft, latency = (np.array([row[key] for row in rows], np.float64) for key in ("ttft", "latency"))
    itl = np.where(output > 1, (latency - ttft) / np.maximum(output - 1, 1), np.nan)
    gauges = {key: samples[full][:, 1] for key, full in _GAUGES.items()}
    return Seen(ttft, itl, latency, samples[_GAUGES["kv"]][:, 0], **gauges, preempted=preempted)


def _counted(samples: Mapping[str, Floats]) -> Counted:
    """Between scrapes with much work; the others say nothing about speed."""
    iterations, tokens, made, preempted = (np.diff(samples[name], axis=0) for name in _COUNTERS)
    kv, running = samples[_GAUGES["kv"]], samples[_GAUGES["running"]][:, 1]
    busy = (iterations[:, 1] > 0) & (running[1:] > 0) & (running[:-1] > 0)
    count = np.maximum(iterations[:, 1], 1)
    columns = (
        kv[:-1, 0] + iterations[:, 0] / 2,
        iterations[:, 0] / count,
        made[:, 1] / count,
        tokens[:, 1] / count,
        preempted[:, 1] / count,
        (kv[1:, 1] + kv[:-1, 1]) / 2,
    )
    return Counted(*(column[busy] for column in columns))


def _traffic(rows: list[dict[str, Any]], output: Ints) -> Traffic:
    """Requests that share nothing and are never cancelled."""
    n = len(rows)
    at, prompt = np.array([row["started_at"] for row in rows]), np.array([row["prompt_tokens"] for row in rows])
    zero = np.zeros(n, np.int64)
    labels = dict.fromkeys(("tenant", "route", "adapter", "model"), Coded.constant("all", n))
    never = np.full(n, NEVER)
    return Traffic(at, prompt, output, output, never, np.arange(n), zero, zero, zero - 1, np.ones(n), labels)

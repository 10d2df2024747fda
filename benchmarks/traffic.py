"""Healthy requests to measure with: daily arrivals, heavy-tailed lengths, latencies that follow length and load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Columns = dict[str, Any]

_BEGIN = 1_767_225_600.0  # 2026-01-01
_DAY_S = 86_400.0
_SWING = 0.3  # the rate moves by this share of itself over a day
_CHUNK_ROWS = 250_000
_ENGINES = 4  # two models x two routes, each with an engine of its own
_WOBBLE_S = 5.0  # requests that share this many seconds of one engine share its mood
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_DASHES = (8, 13, 18, 23)
_CODED = MappingProxyType(
    {
        "model": ("llama-8b", "qwen-32b"),
        "route": ("/v1/chat/completions", "/v1/completions"),
        "tenant": ("acme", "initech"),
        "replica": ("pod-a", "pod-b"),
        "finish_reason": ("stop", "length"),
    }
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What to make.

    Parameters
    ----------
    rows
        Requests.
    rate
        Mean arrivals per second, all streams together.
    seed
        Same seed, same requests.
    slower_from, slower_by
        From this share of the rows on, everything takes this many times as long: a change to be found.
    """

    rows: int
    rate: float
    seed: int = 0
    slower_from: float = 1.0
    slower_by: float = 1.0


def write(traffic: Traffic, parquet: Path | None = None, jsonl: Path | None = None) -> None:
    """Write the same requests to the files that are asked for, a chunk at a time."""
    with _parquet(parquet) as table, _plain(jsonl) as text:
        for columns in chunks(traffic):
            if table is not None:
                table.write_table(pa.table(columns))
            if text is not None:
                pl.DataFrame(pa.table(columns)).write_ndjson(text)


def _parquet(path: Path | None) -> AbstractContextManager[Any]:
    schema = pa.table(_columns(Traffic(0, 1.0), np.random.default_rng(0), np.empty(0), 0)).schema
    return nullcontext() if path is None else pq.ParquetWriter(path, schema, compression="zstd")


def _plain(path: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    return nullcontext() if path is None else path.open("wb")


def chunks(traffic: Traffic) -> Iterator[Columns]:
    """Rows in order of completion, as a server logs them; those still running wait for the next chunk."""
    rng = np.random.default_rng(traffic.seed)
    running: pa.Table | None = None
    at, left = _BEGIN, traffic.rows
    while left:
        started = _arrivals(rng, at, traffic.rate)[:left]
        new = pa.table(_columns(traffic, rng, started, traffic.rows - left))
        table = new if running is None else pa.concat_tables([running, new])
        table = table.sort_by("completed_at")
        at, left = at + _CHUNK_ROWS / traffic.rate, left - len(started)
        done = len(table) if not left else int(np.searchsorted(table["completed_at"].to_numpy(), at))
        running = table.slice(done)
        yield {name: table[name].slice(0, done).combine_chunks() for name in table.column_names}


def _arrivals(rng: np.random.Generator, at: float, rate: float) -> NDArray[np.float64]:
    """Poisson arrivals whose rate swings over the day."""
    second = np.arange(at, at + _CHUNK_ROWS / rate)
    count = rng.poisson(rate * (1.0 + _SWING * np.sin(2.0 * np.pi * second / _DAY_S)))
    return np.sort(np.repeat(second, count) + rng.random(count.sum()))


def _columns(traffic: Traffic, rng: np.random.Generator, started: NDArray[np.float64], first: int) -> Columns:
    n = len(started)
    engine = rng.integers(_ENGINES, size=n)
    prompt = np.exp(rng.normal(6.0, 1.0, n)).astype(np.int64) + 1
    output = np.minimum(np.exp(rng.normal(5.0, 0.7, n)).astype(np.int64) + 1, 1024)
    cached = np.where(rng.random(n) < 0.5, prompt // 2, 0)
    load = 1.0 + _SWING * np.sin(2.0 * np.pi * started / _DAY_S)
    mood = load**0.3 * np.exp(_wobble(rng, started, engine))
    mood *= np.where(first + np.arange(n) >= traffic.slower_from * traffic.rows, traffic.slower_by, 1.0)
    ttft = 0.004 * (prompt - cached) ** 0.6 * mood * np.exp(rng.normal(0.0, 0.3, n))
    itl = 0.012 * mood * np.exp(rng.normal(0.0, 0.15, n))
    latency = ttft + itl * (output - 1)
    codes = {
        "model": engine // 2,
        "route": engine % 2,
        "tenant": rng.integers(2, size=n),
        "replica": rng.integers(2, size=n),
        "finish_reason": (output >= 1024).astype(np.int64),
    }
    return {
        "request_id": _ids(rng, n),
        "started_at": started,
        "completed_at": started + latency,
        **{name: pa.array(_CODED[name]).take(pa.array(code)) for name, code in codes.items()},
        "prompt_tokens": prompt,
        "output_tokens": output,
        "cached_tokens": cached,
        "ttft": ttft,
        "latency": latency,
        "itl_mean": itl,
    }


def _wobble(rng: np.random.Generator, started: NDArray[np.float64], engine: NDArray[np.int64]) -> NDArray[np.float64]:
    """A few percent up and down that all requests of one engine at one time share, from one slice to the next."""
    if not len(started):
        return np.empty(0)
    slot = ((started - started[0]) // _WOBBLE_S).astype(np.int64)
    noise = rng.normal(0.0, 0.03, (int(slot[-1]) + 3, _ENGINES))
    return np.asarray((noise[2:] + 0.6 * noise[1:-1] + 0.3 * noise[:-2])[slot, engine])


def _ids(rng: np.random.Generator, n: int) -> pa.Array:
    """Strings like those of uuid4."""
    text = _HEX[rng.integers(16, size=(n, 36), dtype=np.uint8)]
    text[:, _DASHES] = ord("-")
    offsets = np.arange(0, 36 * (n + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))

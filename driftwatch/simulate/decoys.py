"""Series that have nothing to do with anything: the neighbours that every scrape of a cluster brings along."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.noise import autoregression
from driftwatch.simulate.scrapes import Kind, Sampled

Rng = np.random.Generator
Shape = Callable[[Floats, Rng], Floats]

_DAY_S = 86_400.0
_AFTER_STEP = 0.25  # how far a series moves when it steps, as a share of its level


def _walk(at: Floats, rng: Rng) -> Floats:
    return np.asarray(np.cumsum(rng.normal(0, 1.0 / np.sqrt(max(len(at), 1)), len(at))))


def _lagged(at: Floats, rng: Rng) -> Floats:
    keep = float(rng.uniform(0.5, 0.98))
    return 0.3 * autoregression(rng, len(at), keep)


def _daily(at: Floats, rng: Rng) -> Floats:
    return np.asarray(0.5 * np.sin(2 * np.pi * (at / _DAY_S + rng.uniform())) + 0.1 * rng.normal(size=len(at)))


def _stepping(at: Floats, rng: Rng) -> Floats:
    times = rng.uniform(at[0], at[-1], 3) if len(at) else at
    return np.asarray((at[:, None] >= times).astype(np.float64) @ rng.normal(0, 0.5, len(times)) + _lagged(at, rng) / 3)


_SHAPES: tuple[Shape, ...] = (_walk, _lagged, _daily, _stepping)

# name, labels ({} is a number drawn for the series), kind, level (a rate a second for a counter)
_NEIGHBOURS: tuple[tuple[str, dict[str, str], Kind, float], ...] = (
    ("node_memory_MemAvailable_bytes", {"instance": "batch-{}"}, "gauge", 4.0e10),
    ("process_resident_memory_bytes", {"job": "gateway", "pod": "gateway-{}"}, "gauge", 4.0e8),
    ("DCGM_FI_DEV_GPU_UTIL", {"gpu": "0", "Hostname": "train-{}", "pod": "train-{}"}, "gauge", 45.0),
    ("redis_memory_used_bytes", {"pod": "redis-{}"}, "gauge", 2.0e9),
    ("node_load1", {"instance": "batch-{}"}, "gauge", 6.0),
    ("gateway_http_requests_total", {"pod": "gateway-{}", "code": "200"}, "counter", 40.0),
    ("DCGM_FI_DEV_POWER_USAGE", {"gpu": "0", "Hostname": "train-{}", "pod": "train-{}"}, "gauge", 280.0),
    ("process_cpu_seconds_total", {"job": "gateway", "pod": "gateway-{}"}, "counter", 0.6),
    ("container_memory_working_set_bytes", {"pod": "indexer-{}", "container": "indexer"}, "gauge", 3.0e9),
    ("DCGM_FI_DEV_SM_CLOCK", {"gpu": "0", "Hostname": "train-{}", "pod": "train-{}"}, "gauge", 1300.0),
    ("redis_commands_processed_total", {"pod": "redis-{}"}, "counter", 900.0),
    ("node_cpu_seconds_total", {"instance": "batch-{}", "cpu": "0", "mode": "idle"}, "counter", 0.5),
    ("process_open_fds", {"job": "gateway", "pod": "gateway-{}"}, "gauge", 240.0),
    ("DCGM_FI_DEV_GPU_TEMP", {"gpu": "0", "Hostname": "train-{}", "pod": "train-{}"}, "gauge", 58.0),
    ("gateway_http_request_duration_seconds_sum", {"pod": "gateway-{}"}, "counter", 8.0),
    ("node_network_receive_bytes_total", {"instance": "batch-{}", "device": "eth0"}, "counter", 3.0e6),
)


def decoys(instants: Floats, n: int = 40, rng: Rng | None = None, step_at: float | None = None) -> list[Sampled]:
    """Make series of neighbours: random walks, autoregressions, daily waves, and levels that change at random times.

    Parameters
    ----------
    instants
        Shape (m,): when they are scraped, in order.
    n
        How many.
    rng
        Draws all of it; a fixed one where it is left out.
    step_at
        A time near which every fifth of them steps up or down by a quarter (within two minutes): coincidences that
        must not be taken for causes.

    Examples
    --------
    >>> neighbours = decoys(np.arange(0.0, 600.0, 15.0), 3, np.random.default_rng(0))
    >>> [one.name for one in neighbours]
    ['node_memory_MemAvailable_bytes', 'process_resident_memory_bytes', 'DCGM_FI_DEV_GPU_UTIL']
    """
    rng = rng or np.random.default_rng(0)
    steps = [None if step_at is None or k % 5 else step_at + float(rng.uniform(-120.0, 120.0)) for k in range(n)]
    return [_decoy(k, instants, rng, step) for k, step in enumerate(steps)]


def _decoy(k: int, instants: Floats, rng: Rng, step: float | None) -> Sampled:
    name, labels, kind, level = _NEIGHBOURS[k % len(_NEIGHBOURS)]
    around = 1 + 0.12 * _SHAPES[int(rng.integers(len(_SHAPES)))](instants, rng)
    if step is not None:
        around = around * (1 + float(rng.choice([-1, 1])) * _AFTER_STEP * (instants >= step))
    value = level * np.exp(rng.normal(0, 0.15)) * np.maximum(around, 0.05)
    if kind == "counter":
        value = np.cumsum(value * np.diff(instants, prepend=instants[:1]))
    ids = {label: text.format(k) for label, text in labels.items()}
    return Sampled(name, ids, instants, np.round(value, 3), kind)

"""Eight threads that serve, an event loop beside them, and a monitor in the same process: now with it, now without."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import driftwatch as dw
from hosting.requests import KINDS, Fields, learnt, tell

RATE, THREADS = 2000.0, 8
_SLEEP_S = 0.001
Floats = NDArray[np.float64]


class _Off:
    @staticmethod
    def request(**fields: Any) -> None:
        """The monitor that is not there."""


def beside(f: Fields, pairs: int, seconds: float) -> dict[str, Any]:
    """Calls and lags, in pairs of stretches with and without a monitor that judges."""
    monitor = dw.Monitor(baseline=learnt(f, 400.0))
    tell(monitor, f, 0)
    before = monitor.stats().background_cpu_s
    found: dict[bool, list[tuple[Floats, Floats]]] = {True: [], False: []}
    for pair in range(pairs):
        for on in (bool(pair % 2), not pair % 2):
            found[on].append(_stretch(monitor if on else _Off, f, seconds))
    stats = monitor.stats()
    monitor.close()
    told = sum(len(calls) for calls, _ in found[True])
    return {
        "rate": RATE,
        "threads": THREADS,
        "pairs": pairs,
        "seconds": seconds,
        "told": told,
        "shed": sum(stats.shed.values()),
        "state": stats.state,
        "cpu_us_a_request": (stats.background_cpu_s - before) / told * 1e6,
        "with": _percentiles(found[True]),
        "without": _percentiles(found[False]),
    }


def _percentiles(stretches: list[tuple[Floats, Floats]]) -> dict[str, list[float]]:
    calls, lags = (np.concatenate([s[k] for s in stretches]) for k in range(2))
    cuts = (50.0, 99.0, 99.9)
    return {"call_us": np.percentile(calls * 1e6, cuts).tolist(), "lag_ms": np.percentile(lags * 1e3, cuts).tolist()}


def _stretch(target: Any, f: Fields, seconds: float) -> tuple[Floats, Floats]:
    """Seconds that each call took, and by how much a sleep of a millisecond in the loop was too long."""
    end = time.perf_counter() + seconds
    calls: list[list[float]] = [[] for _ in range(THREADS)]
    threads = [threading.Thread(target=_serve, args=(target, f, end, calls[k], k)) for k in range(THREADS)]
    for thread in threads:
        thread.start()
    lags = asyncio.run(_loop(end))
    for thread in threads:
        thread.join()
    return np.concatenate([np.array(each) for each in calls]), np.array(lags)


def _serve(target: Any, f: Fields, end: float, calls: list[float], first: int) -> None:
    due, k = time.perf_counter(), first * (KINDS // THREADS)
    while due < end:
        due += THREADS / RATE
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        began = time.perf_counter()
        tell(target, f, k % KINDS)
        calls.append(time.perf_counter() - began)
        k += 1


async def _loop(end: float) -> list[float]:
    lags = []
    while (began := time.perf_counter()) < end:
        await asyncio.sleep(_SLEEP_S)
        lags.append(time.perf_counter() - began - _SLEEP_S)
    return lags

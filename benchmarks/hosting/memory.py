"""Memory over millions of requests, at an accelerated clock."""

from __future__ import annotations

import ctypes
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import driftwatch as dw
from driftwatch.monitor.local import Local
from hosting.held import of_streams
from hosting.requests import KINDS, fields, tell

_MB = 1024.0


def memory(requests: int, names: int, watched: int, rate: float) -> dict[str, Any]:
    """What `measured` finds, in a process of its own that has loaded nothing else."""
    command = [sys.executable, "-m", "hosting.memory", *map(str, (requests, names, watched, rate))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measured(requests: int, names: int, watched: int, rate: float, points: int = 100) -> dict[str, Any]:
    """Resident memory while a monitor takes so many requests of so many models, of which it watches some.

    Parameters
    ----------
    requests, rate
        How many, and how many a second by the monitor's clock.
    names, watched
        Models, and ``streams.max_streams``: what is beyond goes into one stream together.
    """
    f, now = fields(), [1_800_000_000.0]
    models = [f"model-{k}" for k in range(names)]
    whose = np.random.default_rng(0).integers(0, names, KINDS).tolist()
    monitor = dw.Monitor({"streams": {"max_streams": watched}, "monitor": {"queue": 10**6}}, clock=lambda: now[0])
    monitor._background.running = True  # all is done in this thread, as fast as it goes
    began, curve, owners = time.process_time(), [], []
    flush = max(int(rate * 120), 1)  # an epoch at a time
    for k in range(requests):
        now[0] += 1.0 / rate
        tell(monitor, f, k % KINDS, models[whose[(k + k // KINDS) % KINDS]], at=now[0])
        if k % flush == 0:
            monitor.flush()
        if k in (requests // 100, requests // 2):
            owners.append(_held(monitor))
        if k % (requests // points) == 0:
            curve.append(
                {"requests": k, "mb": _resident(), "used_mb": _used(), "hours": (now[0] - 1_800_000_000.0) / 3600.0}
            )
    monitor.flush()
    owners.append(_held(monitor))
    stats = monitor.stats()
    monitor._background.running = False
    return {
        "requests": requests,
        "names": names,
        "watched": len(stats.streams),
        "rate": rate,
        "cpu_us_a_request": (time.process_time() - began) / requests * 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MB,
        "shed": sum(stats.shed.values()),
        "incidents": len(monitor.incidents()),
        "curve": curve,
        "owners": owners,
    }


def _held(monitor: dw.Monitor) -> dict[str, float]:
    """Bytes of a stream by owner, at 1%, half and the end."""
    place = monitor._work.place
    assert isinstance(place, Local)
    return of_streams(place.engine)


class _Allocator(ctypes.Structure):
    """What ``mallinfo2`` tells."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "free", "fast", "mapped", "mapped_bytes", "_1", "_2", "used", "unused", "top")
    )


def _used() -> float:
    """What is in use of the memory that the allocator holds (of glibc)."""
    ask = ctypes.CDLL("libc.so.6").mallinfo2
    ask.restype = _Allocator
    told = ask()
    return float(told.used + told.mapped_bytes) / 2**20


def _resident() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


if __name__ == "__main__":
    asked, of, alone, a_second = sys.argv[1:]
    print(json.dumps(measured(int(asked), int(of), int(alone), float(a_second))))

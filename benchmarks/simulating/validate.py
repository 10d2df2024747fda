"""Fit on one recording, predict the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from detecting.scale import say

from driftwatch.events.columns import Floats
from simulating.compare import compared, lines, parts
from simulating.engines import CPU, CPU_GUESS, GPU, GPU_GUESS
from simulating.recorded import Recording, cpu_recording, gpu_recording
from simulating.replay import Engine, Times, fitted, replayed, slowness

CPU_NAMES = ("vllm_cpu/healthy", "vllm_cpu/kv_hog", "vllm_cpu_diurnal_peak")
GPU_NAMES = tuple(f"vllm_gpu/scale{n}" for n in (500, 100, 200, 300, 400, 600, 700, 800, 900, 1000, 1500, 2000))
FITS = 3  # the machine's speed is known once there is a fit, and the fit is better once it is
DRAWN = ("kv_hog", "scale2000")  # over time
STEADY, MEASURED = "steady", "measured"


def cpu(recordings: Path) -> dict[str, Any]:
    """A tiny model on a CPU; the first recording is fitted."""
    found = [cpu_recording(recordings / name) for name in CPU_NAMES]
    times = fitted(found[0], CPU, CPU_GUESS)
    for _ in range(FITS - 1):
        times = fitted(found[0], CPU, times, slowness(found[0], CPU, times))
    speeds: dict[str, Callable[[Recording], Floats | None]] = {
        STEADY: lambda recording: None,
        MEASURED: lambda recording: slowness(recording, CPU, times),
    }
    rows = [row for name, slow in speeds.items() for row in predicted(found, CPU, times, name, slow)]
    return {"times": asdict(times), "rows": rows}


def gpu(recordings: Path) -> dict[str, Any]:
    """A model of 1B on a GPU of 24 GiB; the first recording is fitted."""
    found = [gpu_recording(recordings / name) for name in GPU_NAMES]
    times = fitted(found[0], GPU, GPU_GUESS)
    return {"times": asdict(times), "rows": list(predicted(found, GPU, times, "", lambda recording: None))}


def predicted(
    recordings: Sequence[Recording],
    engine: Engine,
    times: Times,
    speed: str,
    slow: Callable[[Recording], Floats | None],
) -> Iterator[dict[str, Any]]:
    """One row for each part of each recording; not a parameter is touched."""
    for k, recording in enumerate(recordings):
        simulated = replayed(recording, engine, times, slow(recording))
        for part, (begin, end) in parts(recording).items():
            told = {"recording": recording.name, "part": part, "speed": speed, "fitted": k == 0}
            drawn = {"lines": lines(recording, simulated)} if recording.name in DRAWN else {}
            yield told | compared(recording, simulated, begin, end) | drawn
        say(f"{recording.name} {speed}")

"""The simulator beside real engines, and its speed: ``python benchmarks/simulator.py``.

Fits five times on one recording of vLLM on a CPU and on one of vLLM on a GPU, predicts the other recordings, and
compares distributions. Writes ``results/simulator.json``, ``.md`` and figures. Needs ``pip install -e ".[bench]"`` and
the recordings (``DRIFTWATCH_DATA``); takes a few minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from detection import finite, recordings
from machine import machine
from simulating.figures import figures
from simulating.page import page
from simulating.speed import speed
from simulating.validate import cpu, gpu

RESULTS = Path(__file__).parent / "results"
SECTIONS = ("cpu", "gpu", "speed")
PACKAGES = ("numpy", "scipy")


def main() -> None:
    """Measure what is asked for; what was measured before stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="speed once each; writes nothing")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure this part alone")
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = earlier() | finite(measured(given.only or SECTIONS, quick=given.quick)) | {"machine": machine(PACKAGES)}
    print(page(found))
    if not given.quick:
        write(found)


def measured(sections: tuple[str, ...], *, quick: bool) -> dict[str, Any]:
    """The sections that are asked for; those with recordings need them."""
    found: dict[str, Any] = {}
    folder = recordings()
    if folder is not None:
        found = {name: validate(folder) for name, validate in (("cpu", cpu), ("gpu", gpu)) if name in sections}
    if "speed" in sections:
        found["speed"] = list(speed(quick))
    return found


def earlier() -> dict[str, Any]:
    """What was measured before."""
    path = RESULTS / "simulator.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write(found: dict[str, Any]) -> None:
    """The numbers, the page, the figures."""
    (RESULTS / "simulator.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    (RESULTS / "simulator.md").write_text(page(found), encoding="utf-8")
    for name, drawing in figures(found).items():
        (RESULTS / f"simulator-{name}.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What a monitor costs its host: ``python benchmarks/overhead.py [--only SECTION] [--quick]``.

Measures one call beside an OpenTelemetry span and river's detectors in line; eight threads and an event loop with and
without a monitor; the import; and memory over five million requests. Writes ``results/overhead.json``, ``.md`` and
``.svg``. Needs ``pip install -e ".[bench,otel]"``. On a machine that has other work to do run it as ``chrt -f 10``: a
thread that waits for a core says nothing about one that waits for the interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from hosting.beside import beside
from hosting.cost import costs
from hosting.imports import imports
from hosting.memory import memory
from hosting.page import figure, page
from hosting.requests import fields
from machine import machine

RESULTS = Path(__file__).parent / "results"
SECTIONS = ("cost", "beside", "imports", "memory", "busy", "many", "filled")
MEMORY = ("five_million", "busy", "a_thousand", "filled")
PACKAGES = ("numpy", "pydantic", "river", "opentelemetry-sdk")


def main() -> None:
    """Measure what is asked for; what was measured before stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work; writes nothing")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure this part alone")
    given = parser.parse_args()
    found = earlier() | {"machine": machine(PACKAGES, 2)} | measured(given.only or SECTIONS, quick=given.quick)
    found["memory"] = [found[name] for name in MEMORY if name in found]
    print(page(found))
    if not given.quick:
        (RESULTS / "overhead.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
        (RESULTS / "overhead.md").write_text(page(found), encoding="utf-8")
        if found["memory"]:
            (RESULTS / "overhead.svg").write_text(figure(found["memory"]), encoding="utf-8")


def measured(sections: tuple[str, ...], *, quick: bool) -> dict[str, Any]:
    """The sections that are asked for."""
    f, part = fields(), 10 if quick else 1
    found: dict[str, Any] = {}
    if "cost" in sections:
        found["cost"] = costs(f, 300 // part)
    if "beside" in sections:
        found["beside"] = beside(f, 10 // part, 6.0)
        real = os.sched_getscheduler(0) == os.SCHED_FIFO
        found["priority"] = "at real-time priority, for the machine had other work to do" if real else "as they came"
    if "imports" in sections:
        found["imports"] = imports(20 // part)
    if "memory" in sections:  # the default configuration: 16 streams of their own, the rest as one
        found["five_million"] = memory(5_000_000 // part, 1000, 16, 25.0)
    if "busy" in sections:  # all that is learnt fills within a day
        found["busy"] = memory(5_000_000 // part, 3, 3, 22.4)
    if "many" in sections:  # each of a thousand watched by itself
        found["a_thousand"] = memory(1_200_000 // part, 1000, 1000, 400.0)
    if "filled" in sections:  # the same traffic for each of fewer streams, until all that is kept of them is full
        found["filled"] = memory(1_000_000 // part, 20, 20, 8.0)
    return found


def earlier() -> dict[str, Any]:
    """What was measured before."""
    path = RESULTS / "overhead.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


if __name__ == "__main__":
    main()

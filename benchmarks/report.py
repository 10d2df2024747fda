"""How long a report takes to draw and how large it is: ``python benchmarks/report.py``.

Scans the recording that comes with the project, repeats its incident (every field of it, each an hour later, in turns
critical, warning and info), and makes the page of them, in CPU seconds of one process. Writes ``results/report.json``
and ``results/report.md``. Needs ``pip install -e ".[batch,report]"``.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from machine import machine

import driftwatch as dw
from driftwatch.demo import recording
from driftwatch.report import Report

RESULTS = Path(__file__).parent / "results"
CASES = (1, 10, 50, 200)
SEVERITIES = ("critical", "warning", "info")


def main() -> None:
    """Measure all cases and write the results."""
    found = dw.scan(str(recording()))
    drawn(found, 1)  # the first one loads what draws
    cases = [drawn(found, incidents) for incidents in CASES]
    measured = {"machine": machine(("altair", "vl-convert-python")), "cases": cases}
    (RESULTS / "report.json").write_text(json.dumps(measured, indent=1) + "\n")
    (RESULTS / "report.md").write_text("\n".join(page(measured)) + "\n")


def drawn(found: Report, incidents: int) -> dict[str, Any]:
    """One page: its CPU seconds, its bytes, and what is on it."""
    report = found.model_copy(
        update={
            "incidents": tuple(later(found.incidents[0], n) for n in range(incidents)),
            "ended_at": (found.ended_at or datetime.max) + timedelta(hours=incidents - 1),
        }
    )
    start = time.process_time()
    text = report.page()
    return {
        "incidents": incidents,
        "cpu_s": round(time.process_time() - start, 2),
        "bytes": len(text.encode()),
        "shown": text.count("<article"),
        "pictures": {kind: len(re.findall(f'<figure class="{kind}"', text)) for kind in ("time", "dose")},
    }


def later(incident: dw.Incident, hours: int) -> dw.Incident:
    """The same incident, hours later."""
    by = timedelta(hours=hours)
    times = ("opened_at", "onset", "updated_at", "resolved_at")
    moved: dict[str, Any] = {t: known + by for t in times if (known := getattr(incident, t)) is not None}
    moved["onset_interval"] = tuple(at + by for at in incident.onset_interval)
    moved["severity"] = SEVERITIES[hours % 3]
    if incident.chart is not None:
        time = tuple(at + by.total_seconds() for at in incident.chart.time)
        moved["chart"] = incident.chart.model_copy(update={"time": time})
    return incident.model_copy(update=moved)


def page(measured: dict[str, Any]) -> Iterator[str]:
    """The results as a page."""
    yield "# The report\n"
    where = measured["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in where["packages"].items())
    yield f"`python benchmarks/report.py` on {where['cpu']}, Python {where['python']}, {packages}.\n"
    yield "| incidents | CPU, s | kB | shown | over time | dose-response |"
    yield "|---|---|---|---|---|---|"
    for case in measured["cases"]:
        pictures = case["pictures"]
        yield (
            f"| {case['incidents']} | {case['cpu_s']:.1f} | {case['bytes'] / 1000:.0f} | {case['shown']} "
            f"| {pictures['time']} | {pictures['dose']} |"
        )


if __name__ == "__main__":
    main()

"""How often the right cause is named, and how often a wrong one: ``python benchmarks/attribution.py``.

Simulates incidents of every cause beside others whose cause nobody measures, with forty series that have nothing to do
with it, and asks driftwatch and others for the cause, given the onset. Writes ``results/attribution.json`` and ``.md``.
Needs ``pip install -e ".[test,bench]"``. A run that was cut short goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

from attributing.facts import facts
from attributing.page import page
from attributing.totals import totals
from attributing.trials import Trial, trials
from machine import machine
from scoring.log import digest

import driftwatch

Row = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
ROUNDS, PROCESSES = 18, 2


def main() -> None:
    """Measure what is not measured yet, then make the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true", help="other seeds; writes no results")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of 26 incidents each (%(default)s)")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="at once (%(default)s)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no incident after this long")
    given = parser.parse_args()
    which = "development" if given.development else "score"
    rows = list(measured(list(trials(which, given.rounds)), log_of(which), given.processes, given.minutes * 60.0))
    found = totals(rows) | {"which": which, "machine": machine(("numpy", "fse-baro"))}
    print(page(found))
    if which == "score":
        (RESULTS / "attribution.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "attribution.md").write_text(page(found), encoding="utf-8")


def log_of(which: str) -> Path:
    """Where the facts are kept, for this code."""
    return RESULTS / f"attribution-{which}-{digest(Path(driftwatch.__file__).parent)}.jsonl"


def measured(wanted: list[Trial], log: Path, processes: int, patience_s: float) -> Iterator[Row]:
    """The facts of each trial: those that are known, then new ones as they come."""
    known = {Trial.of(row): row for row in _kept(log)}
    yield from (known[trial] for trial in wanted if trial in known)
    began = time.monotonic()
    with log.open("a", encoding="utf-8") as kept, ProcessPoolExecutor(processes, max_tasks_per_child=40) as pool:
        for part in _parts([trial for trial in wanted if trial not in known], 2 * processes):
            if time.monotonic() - began > patience_s:
                return
            futures = {pool.submit(facts, trial): trial for trial in part}
            for future in as_completed(futures):
                row = futures[future].row() | future.result()
                kept.write(json.dumps(row) + "\n")
                kept.flush()
                yield row


def _kept(log: Path) -> Iterable[Row]:
    return map(json.loads, log.read_text(encoding="utf-8").splitlines()) if log.exists() else ()


def _parts(wanted: list[Trial], size: int) -> Iterator[list[Trial]]:
    return (wanted[i : i + size] for i in range(0, len(wanted), size))


if __name__ == "__main__":
    main()

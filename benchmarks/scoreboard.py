"""How good driftwatch is, fault by fault: ``python benchmarks/scoreboard.py``.

Simulates every scenario and control with many seeds, passes each recording through `driftwatch.scan` with the default
configuration, and compares what it says with the truth; beside it, alert rules and river's ADWIN on the same data.
Writes ``results/scoreboard.json``, ``.md`` and a figure. Needs ``pip install -e ".[test,bench]"``. A run that was cut
short goes on where it stopped, as long as the code is the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from detecting.scale import say
from machine import machine
from scoring.cases import SEVERITIES, Case, cases
from scoring.facts import facts
from scoring.figures import delay_figure
from scoring.judging import judged
from scoring.log import digest, kept, recorded
from scoring.page import page
from scoring.totals import by_severity, table
from scoring.workers import answered

import driftwatch
from driftwatch.config import Config

Row = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "river")
SEEDS, OTHERS, CONTROLS, PROCESSES = 32, 8, 96, 2


def main() -> None:
    """Measure what is not measured yet, then make table, page and figure."""
    given = arguments()
    if given.child:
        answer()
        return
    which = "development" if given.development else "score"
    wanted = list(cases(which, given.seeds, given.others, given.controls, given.only))
    found, errors = measured(wanted, log_of(which), given.minutes * 60.0)
    if not found:
        sys.exit(f"nothing could be measured: {errors[0]['error'] if errors else 'no case is wanted'}")
    result = scored(found, errors, which)
    print(page(result))
    if which == "score" and not given.only:
        write(result)


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true", help="seeds from 0 on; writes no results")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each scenario (%(default)s)")
    parser.add_argument("--others", type=int, default=OTHERS, help="at the severities beside moderate (%(default)s)")
    parser.add_argument("--controls", type=int, default=CONTROLS, help="seeds of each control (%(default)s)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this one; writes no results")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no case after this long")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def answer() -> None:
    """Answer each case on standard input with its facts; a failure is an answer, too."""
    for line in sys.stdin:
        case = Case(**json.loads(line))
        try:
            row = facts(case)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            row = {"error": f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"}
        print(json.dumps(row), flush=True)


def log_of(which: str) -> Path:
    """Where the facts are kept, by the code that they depend on."""
    return RESULTS / f"scoreboard-{which}-{digest(Path(driftwatch.__file__).parent)}.jsonl"


def measured(wanted: Sequence[Case], log: Path, limit_s: float) -> tuple[list[Row], list[Row]]:
    """Facts of the cases that are wanted, from earlier runs and from this one, and those that failed."""
    known = kept(log)
    left = [case for case in wanted if case not in known]
    say(f"{len(wanted) - len(left)} cases are known, {len(left)} are left")
    errors: list[Row] = []
    found = [known[case] for case in wanted if case in known]
    command = [sys.executable, __file__, "--child"]
    for row in recorded(log, answered(in_time(left, limit_s), command, PROCESSES)):
        (errors if "error" in row else found).append(row)
        what = f"{row['name']}, {row['severity']}, seed {row['seed']}"
        say(f"{len(found) + len(errors)} of {len(wanted)}: {what} {row.get('error', '')}")
    return found, errors


def in_time(wanted: Sequence[Case], limit_s: float) -> Iterator[Case]:
    """Those that can still begin."""
    end = time.monotonic() + limit_s
    return takewhile(lambda _: time.monotonic() < end, wanted)


def scored(found: Sequence[Row], errors: Sequence[Row], which: str) -> Row:
    """The table and all that belongs to it."""
    verdicts = [judged(row) for row in found]
    rows = table(verdicts)
    for row in rows:
        row["failed"] = sum(e["name"] == row["name"] and e["severity"] == row["severity"] for e in errors)
    return {"run": run(found, which), "table": rows, "severities": by_severity(verdicts), "errors": list(errors)}


def run(found: Sequence[Row], which: str) -> Row:
    """What was run, and where."""
    seeds = {s: sorted(row["seed"] for row in found if row["severity"] == s) for s in SEVERITIES}
    return {
        "which": which,
        "seeds": {severity: (some[0], some[-1]) for severity, some in seeds.items() if some},
        "cases": len(found),
        "requests": sum(row["requests"] for row in found),
        "hours": sum(row["truth"]["ended_at"] - row["truth"]["started_at"] for row in found) / 3600.0,
        "config": Config().digest(),
        "machine": machine(PACKAGES, PROCESSES),
    }


def write(result: Row) -> None:
    """The numbers, the page, the figure."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scoreboard.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "scoreboard.md").write_text(page(result), encoding="utf-8")
    (RESULTS / "scoreboard-delay.svg").write_text(delay_figure(result["severities"]), encoding="utf-8")


if __name__ == "__main__":
    main()

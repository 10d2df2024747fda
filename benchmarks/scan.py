"""How fast ``driftwatch.scan`` is on one core, and how much memory it takes: ``python benchmarks/scan.py [--quick]``.

Makes healthy synthetic requests (see `traffic`), scans them from Parquet and from JSON lines in fresh processes that
are held to one core, and feeds the same signals to river's ADWIN one by one. Writes ``results/scan.json`` and
``results/scan.md``.
Needs ``pip install -e ".[test,river]"`` and, for the ten million requests, 5 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from machine import machine
from traffic import Traffic, write

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "pyarrow", "river")
SIGNALS = ("ttft", "itl_mean", "latency")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Case:
    """A log to be scanned.

    Parameters
    ----------
    rows
        Requests.
    rate
        Arrivals per second, all four streams together.
    formats
        ``parquet``, ``jsonl`` or both.
    repeats
        Runs, each in a process of its own; medians are reported.
    """

    rows: int
    rate: float
    formats: tuple[str, ...] = ("parquet", "jsonl")
    repeats: int = 3


@dataclass(frozen=True, slots=True)
class Run:
    """What one case and format cost.

    Parameters
    ----------
    format, rows, rate
        As in the case.
    wall_s, cpu_s
        Seconds from the call to the report, imports included: by the clock, and of the one core.
    per_core_second
        Requests a second of that core's time.
    peak_mb, idle_mb
        Most memory that the process ever held, and what it held before the scan, in MB.
    incidents
        Found in this healthy log: false ones.
    """

    format: str
    rows: int
    rate: float
    wall_s: float
    cpu_s: float
    per_core_second: float
    peak_mb: float
    idle_mb: float
    incidents: int


FULL = (
    Case(1_000_000, 100.0),
    Case(10_000_000, 100.0, repeats=1),
    Case(200_000, 4.0, formats=("parquet",)),
)
QUICK = (Case(100_000, 100.0, repeats=1), Case(20_000, 4.0, formats=("parquet",), repeats=1))
ADWIN_ROWS = 50_000


def main() -> None:
    """Measure everything, or hand one measurement back to the process that asked for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundred thousand requests; writes nothing")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(CHILDREN[given.child[0]](Path(given.child[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = list(measured(QUICK if given.quick else FULL, Path(folder)))
        adwin = asked("adwin", Path(folder) / "first.parquet")
    text = report(runs, adwin)
    print(text)
    if not given.quick:
        RESULTS.mkdir(exist_ok=True)
        found = {"machine": machine(PACKAGES), "runs": [asdict(run) for run in runs], "adwin": adwin}
        (RESULTS / "scan.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        (RESULTS / "scan.md").write_text(text, encoding="utf-8")


def measured(cases: tuple[Case, ...], folder: Path) -> Iterator[Run]:
    """Each case in each of its formats; files are deleted as soon as they are read."""
    write(Traffic(ADWIN_ROWS, 100.0), parquet=folder / "first.parquet")
    for case in cases:
        files = {name: folder / f"log.{name}" for name in case.formats}
        say(f"writing {case.rows:,} requests at {case.rate:g} a second")
        write(Traffic(case.rows, case.rate), **files)
        for name, path in files.items():
            tries = [asked("scan", path) for _ in range(case.repeats)]
            path.unlink()
            cost: dict[str, Any] = {key: median(t[key] for t in tries) for key in tries[0]}
            run = Run(name, case.rows, case.rate, **cost)
            say(f"{name}: {run.per_core_second:,.0f} requests a second and core, peak {run.peak_mb:.0f} MB")
            yield run


def say(text: str) -> None:
    """What is going on, beside the report."""
    print(text, file=sys.stderr, flush=True)


def asked(what: str, path: Path) -> dict[str, float]:
    """Measure in a fresh process with one thread."""
    command = [sys.executable, __file__, "--child", what, str(path)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def scan_child(path: Path) -> dict[str, float]:
    """Scan one file on one core."""
    on_one_core()
    import driftwatch

    idle = memory_mb("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    report = driftwatch.scan(path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "per_core_second": report.requests / cpu,
        "peak_mb": memory_mb("VmHWM"),
        "idle_mb": idle,
        "incidents": len(report.incidents),
    }


def adwin_child(path: Path) -> dict[str, float]:
    """Feed three latencies of each of four streams to detectors of their own, one by one; reading is not counted."""
    on_one_core()
    import pyarrow.parquet as pq
    from river.drift import ADWIN

    table = pq.read_table(path, columns=["model", "route", *SIGNALS], use_threads=False)
    columns = [table[name].to_pylist() for name in table.column_names]
    detectors: dict[tuple[str, str], list[ADWIN]] = {}
    alarms, cpu = 0, time.process_time()
    for model, route, *values in zip(*columns, strict=True):
        own = detectors.setdefault((model, route), [ADWIN() for _ in SIGNALS])
        for detector, value in zip(own, values, strict=True):
            detector.update(value)
            alarms += detector.drift_detected
    cpu = time.process_time() - cpu
    return {"rows": len(table), "cpu_s": cpu, "per_core_second": len(table) / cpu, "alarms": alarms}


CHILDREN = {"scan": scan_child, "adwin": adwin_child}


def on_one_core() -> None:
    """Hold this process, and the threads that Arrow will start, to one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def memory_mb(field: str) -> float:
    """A field of this process's status; `getrusage` would count what its parent held when it was forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def report(runs: list[Run], adwin: dict[str, float]) -> str:
    """The results as a page."""
    here = machine(PACKAGES)
    versions = ", ".join(f"{name} {number}" for name, number in here["packages"].items())
    head = f"Measured by `benchmarks/scan.py` on {here['cpu']}; Python {here['python']}, {versions}.\n"
    rows = [
        f"| {r.format} | {r.rows:,} | {r.rate:g} | {r.per_core_second:,.0f} | {r.per_core_second / r.rate:,.0f} "
        f"| {r.wall_s:.1f} | {r.cpu_s:.1f} | {r.peak_mb:.0f} | {r.incidents} "
        f"| {r.per_core_second / adwin['per_core_second']:.1f} |"
        for r in runs
    ]
    return "\n".join(
        [
            "# Throughput of `scan`\n",
            head,
            "| format | requests | arrivals, 1/s | requests a second and core | times real time | wall, s | CPU, s "
            "| peak memory, MB | false incidents | times ADWIN's throughput |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "\nriver's ADWIN, one by one, on the three latencies of "
            f"{adwin['rows']:,.0f} such requests (nothing read, no workload, no cause): "
            f"{adwin['per_core_second']:,.0f} requests a second and core, and {adwin['alarms']:,.0f} alarms although "
            "nothing changed. A scan reads the file and judges ten signals of four streams, given the workload.\n",
        ]
    )


if __name__ == "__main__":
    main()

"""Killed two hundred times while it follows a log: ``python benchmarks/kills.py [--kills N]``.

A process follows a request log that grows, with checkpoints and an outbox, and is killed with SIGKILL at random
moments, some of them in the middle of a checkpoint or of a delivery. The transitions that were delivered in the end are
compared with those of a process that nobody killed. Writes ``results/kills.json``. Needs ``pip install -e ".[test]"``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import machine

from driftwatch.demo import recording
from driftwatch.sinks import JsonLines, Outbox

RESULTS = Path(__file__).parent / "results"
_EARLY = 0.1  # share of the kills that come while the process starts
_LEASES_S = 300.0
_LIFE_S = 0.5  # others come within so many seconds of the beginning of its work


def main() -> None:
    """Kill, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    given = parser.parse_args()
    found = measured(given.kills) | {"machine": machine(("numpy", "pydantic"), 2)}
    print(json.dumps(found, indent=1))
    if given.kills >= 200:
        (RESULTS / "kills.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


def measured(kills: int, seed: int = 0) -> dict[str, Any]:
    """What is missing, doubled or different after so many kills."""
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder, "calm"), Path(folder, "killed")
        lines = _lines()
        _whole(calm, lines)
        lives = _killed(killed, lines, kills, random.Random(seed))
        _delivered(killed)
        expected, found = _transitions(calm), _transitions(killed)
        return {
            "kills": lives,
            "transitions": len(expected),
            "incidents": len({id for id, _ in expected}),
            "missing": len(expected.keys() - found.keys()),
            "unexpected": len(found.keys() - expected.keys()),
            "different": sum(found[key] != expected[key] for key in expected.keys() & found.keys()),
            "left_behind": len(list(killed.rglob("*.partial"))),
            "lines_written_twice": sum(n - 1 for n in _written(killed).values()),
        }


def _lines() -> list[str]:
    """The bundled recording: a KV cache under pressure."""
    packed = (recording() / "requests.jsonl.gz").read_bytes()
    return gzip.decompress(packed).decode().splitlines(keepends=True)


def _whole(folder: Path, lines: list[str]) -> None:
    folder.mkdir()
    (folder / "log").write_text("".join(lines))
    subprocess.run([*_command(folder), "--to-the-end"], check=True)


def _killed(folder: Path, lines: list[str], kills: int, rng: random.Random) -> int:
    """Write the log part by part; kill the follower again and again meanwhile; the last one reads to the end."""
    folder.mkdir()
    log, n = folder / "log", 0
    log.touch()
    for k in range(kills):
        while n < (k + 1) * len(lines) // kills:
            with log.open("a") as file:
                file.write(lines[n])
            n += 1
        _live_and_die(_command(folder), rng)
    subprocess.run([*_command(folder), "--to-the-end"], check=True)
    return kills


def _live_and_die(command: list[str], rng: random.Random) -> None:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if rng.random() > _EARLY:
            process.stdout.readline()
        time.sleep(rng.random() * _LIFE_S)
        process.send_signal(signal.SIGKILL)


def _command(folder: Path) -> list[str]:
    return [sys.executable, str(Path(__file__).parent / "hosting" / "follower.py"), str(folder)]


def _delivered(folder: Path) -> None:
    """Let the outbox deliver what is left: a letter that a killed process had in hand waits until its lease is over."""
    sink = JsonLines(folder / "incidents.jsonl")
    with Outbox(folder / "state" / "outbox.db", [sink]) as outbox:
        end = time.monotonic() + _LEASES_S
        while outbox.stats()[sink.name].pending and time.monotonic() < end:
            time.sleep(0.2)


def _transitions(folder: Path) -> dict[tuple[str, int], Any]:
    """What was put into the outbox, by incident and transition."""
    lines = (folder / "incidents.jsonl").read_text().splitlines()
    records = [record for line in lines if (record := json.loads(line))]
    return {(r["id"], r["seq"]): r for r in records}


def _written(folder: Path) -> Counter[tuple[str, int]]:
    """How often each transition was delivered: once at least."""
    lines = (folder / "incidents.jsonl").read_text().splitlines()
    return Counter((r["id"], r["seq"]) for r in map(json.loads, lines))


if __name__ == "__main__":
    main()

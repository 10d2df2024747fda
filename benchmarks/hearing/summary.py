"""From caches to the numbers of the page: thresholds at equal measured run length, delays, rates."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearing.cases import BEFORE as BEFORE_OF
from hearing.measuring import lines

ARL = 1e4
"""Answers to a false alarm, measured, for all."""
BEFORE = BEFORE_OF["score"]
_GRID = [1e-3 * 1.01**k for k in range(1000)]

Paths = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Told:
    """What one detector said of one stream.

    Parameters
    ----------
    first
        Its first alarm, counted from the beginning of the stream; None without one.
    after
        Its first alarm since the change, counted from there.
    """

    first: int | None
    after: int | None


def by_case(told: Mapping[str, Told]) -> dict[tuple[str, ...], list[Told]]:
    """All splits of a case together."""
    found: dict[tuple[str, ...], list[Told]] = defaultdict(list)
    for key, one in told.items():
        found[tuple(key.split("|")[:4])].append(one)
    return found


def ours(cache: Path, how: str, level: float) -> dict[str, Told]:
    """What driftwatch said; new topics are no alarm."""
    found = {}
    for line in lines(cache):
        if line["how"] == how and line["level"] == level:
            alarms = [at for kind, at in line["alarms"].items() if kind != "workload" and at >= 0]
            found[line["case"]] = told(alarms)
    return found


def rivals(cache: Path) -> dict[str, dict[str, Told]]:
    """What each rival said, its threshold scaled to the wanted run length on the healthy streams."""
    paths: dict[str, dict[str, Sequence[float]]] = defaultdict(dict)
    for line in lines(cache):
        paths[line["detector"]][line["case"]] = line["ratios"]
    return {name: _scaled(found) for name, found in paths.items()}


def _scaled(paths: Paths) -> dict[str, Told]:
    healthy = [path for key, path in paths.items() if key.startswith("null")]
    scale = next((s for s in _GRID if run_length([_crossings(p, s) for p in healthy], healthy) >= ARL), _GRID[-1])
    return {key: told(_crossings(path, scale)) for key, path in paths.items()}


def _crossings(path: Sequence[float], scale: float) -> list[int]:
    return [k for k, ratio in enumerate(path) if ratio > scale]


def told(alarms: Iterable[int]) -> Told:
    """The first alarm, and the first since the change."""
    every = sorted(alarms)
    after = next((at - BEFORE for at in every if at >= BEFORE), None)
    return Told(every[0] if every else None, after)


def run_length(alarms: Sequence[Sequence[int]], paths: Sequence[Sequence[float]]) -> float:
    """Answers watched for each stream that alarmed."""
    watched = sum(found[0] + 1 if found else len(path) for found, path in zip(alarms, paths, strict=True))
    return watched / max(sum(bool(found) for found in alarms), 1)


def median_delay(some: Sequence[Told]) -> float | None:
    """Median answers from the change to the alarm, of streams that were quiet until then; None beyond the stream."""
    delays = [t.after if t.after is not None else 10**6 for t in some if t.first is None or t.first >= BEFORE]
    middle = statistics.median(delays) if delays else 10**6
    return None if middle >= 10**5 else float(middle)


def found_share(some: Sequence[Told]) -> float:
    """Share of streams in which the change was found."""
    return sum(t.after is not None for t in some) / max(len(some), 1)


def healthy_rate(told_of: Mapping[str, Told], length: int = 403) -> dict[str, Any]:
    """False alarms on healthy streams (of others: two answers longer each)."""
    healthy = [one for key, one in told_of.items() if key.startswith("null")]
    alarms = sum(one.first is not None for one in healthy)
    watched = sum(length if one.first is None else one.first + 1 for one in healthy)
    return {"streams": len(healthy), "answers": watched, "alarms": alarms}

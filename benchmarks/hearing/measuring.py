"""Measure driftwatch on all cases, line by line into a cache, so that an interruption loses nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hearing.cases import Case, cases
from hearing.ours import heard

PLAN = (
    (("topic",), "text", 2, 300.0),
    (("swap", "null"), "text", 20, 300.0),
    (("swap", "null"), "text", 20, 400.0),
    (("minority",), "text", 10, 400.0),
    (("topic",), "text", 2, 1000.0),
    (("swap", "null"), "hashing", 3, 400.0),
    (("swap", "null"), "vectors", 2, 400.0),
)
"""What is measured: kinds of cases, what driftwatch is given (text and vectors, text alone, vectors alone), how many
splits, and how many answers to a false alarm are promised."""


def measure(vectors: Path, cache: Path, minutes: float) -> bool:
    """Measure what is not in the cache yet; returns whether nothing is left."""
    until = time.monotonic() + 60.0 * minutes
    known = {key_of(line) for line in lines(cache)}
    for case, given, level in planned():
        if (case.key, given, level) in known:
            continue
        if time.monotonic() > until:
            return False
        told = heard(case, vectors, given, level)
        row = {"case": case.key, "how": given, "level": level, "alarms": told.alarms, "signal": told.signal}
        with cache.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return True


def planned() -> Iterator[tuple[Case, str, float]]:
    """All that is to be measured, in order."""
    every = list(cases())
    for kinds, given, splits, level in PLAN:
        yield from ((case, given, level) for case in every if case.kind in kinds and case.split < splits)


def key_of(line: dict[str, Any]) -> tuple[str, str, float]:
    """What a line of the cache is about."""
    return line["case"], line["how"], line["level"]


def lines(cache: Path) -> Iterator[dict[str, Any]]:
    """The lines of a cache."""
    if cache.exists():
        with cache.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

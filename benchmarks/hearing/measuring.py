"""Measure driftwatch on all cases, line by line into a cache, so that an interruption loses nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from hearing.cases import cases
from hearing.ours import heard

HOW = ("text", "hashing", "vectors")
"""What driftwatch is given: text and vectors, text alone, vectors alone."""


def measure(vectors: Path, cache: Path, minutes: float, levels: Collection[float], how: Collection[str] = HOW) -> bool:
    """Measure what is not in the cache yet; returns whether nothing is left."""
    until = time.monotonic() + 60.0 * minutes
    known = {key_of(line) for line in lines(cache)}
    for case in cases():
        for level in levels:
            for given in how:
                if (case.key, given, level) in known:
                    continue
                if time.monotonic() > until:
                    return False
                told = heard(case, vectors, given, level)
                row = {"case": case.key, "how": given, "level": level, "alarms": told.alarms, "signal": told.signal}
                with cache.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    return True


def key_of(line: dict[str, Any]) -> tuple[str, str, float]:
    """What a line of the cache is about."""
    return line["case"], line["how"], line["level"]


def lines(cache: Path) -> Iterator[dict[str, Any]]:
    """The lines of a cache."""
    if cache.exists():
        with cache.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

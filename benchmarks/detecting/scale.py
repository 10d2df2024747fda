"""How large a run is, and what all parts share: seeds that do not depend on what else is run, and progress."""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BATCH = 200  # runs at once: what fits into a cache
_BEGIN = time.perf_counter()


@dataclass(frozen=True, slots=True)
class Scale:
    """The whole, or a tenth of it."""

    quick: bool

    def of(self, runs: int) -> int:
        """So many runs."""
        return runs // 8 if self.quick else runs

    def batches(self, runs: int) -> Iterator[tuple[int, int]]:
        """So many runs in batches: (the first one's number, how many)."""
        wanted = self.of(runs)
        return ((first, min(BATCH, wanted - first)) for first in range(0, wanted, BATCH))

    def part(self, seconds: float) -> float:
        """So much time."""
        return seconds / 10.0 if self.quick else seconds


def seeded(*what: object) -> np.random.Generator:
    """A generator for this purpose alone."""
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


def say(text: str) -> None:
    """What is going on, beside the report."""
    print(f"{time.perf_counter() - _BEGIN:7.1f} s  {text}", file=sys.stderr, flush=True)

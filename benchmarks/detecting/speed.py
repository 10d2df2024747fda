"""What one observation costs, in microseconds of one core's time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from detecting.ours import fresh
from detecting.peers import PEERS
from detecting.scale import Scale, say, seeded
from detecting.streams import LOCATION_MARGIN

CHUNK, SIGNALS, LEARNT = 4_096, 10, 1_000
SINGLES = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one way to feed a detector.

    Parameters
    ----------
    what
        The detector and the way.
    us, per
        Microseconds for each of these.
    allowed
        The most that is asked for; NaN where nothing is.
    """

    what: str
    us: float
    per: str
    allowed: float = math.nan


def speed(scale: Scale) -> Iterator[dict[str, Any]]:
    """Ours in chunks and by single ticks, then each peer value by value."""
    for cost in (*ours(5 if scale.quick else 15), *peers(scale)):
        say(f"speed: {cost.what}: {cost.us:.3g} us")
        yield asdict(cost)


def ours(repeats: int) -> Iterator[Cost]:
    """Chunks of 4,096 ticks of 10 signals, and one tick of 10 signals after the other."""
    value = seeded("speed").standard_normal((LEARNT + CHUNK * repeats + SINGLES, SIGNALS))
    tick, total = np.arange(len(value)), np.ones_like(value)
    detector = fresh(SIGNALS, LOCATION_MARGIN)
    detector.update(tick[:LEARNT], value[:LEARNT], total[:LEARNT])
    detector.learn(LEARNT)

    def took(start: int, n: int) -> float:
        part = slice(start, start + n)
        return timed(lambda: detector.update(tick[part], value[part], total[part]))

    chunks = [took(LEARNT + k * CHUNK, CHUNK) for k in range(repeats)]
    yield Cost("ours, chunks of 4,096 ticks x 10 signals", median(chunks) / (CHUNK * SIGNALS), "observation", 0.5)
    singles = [took(len(value) - SINGLES + k, 1) for k in range(SINGLES)]
    yield Cost("ours, a tick of 10 signals at once", median(singles), "tick", 40.0)


def peers(scale: Scale) -> Iterator[Cost]:
    """Each peer, with a level that it does not reach."""
    for peer in PEERS:
        n = peer.affordable(1, scale.part(0.5), 50_000)
        run = seeded("speed").standard_normal(n).tolist()
        # it is called at once, so that it meets its own turn's peer and run
        costs = [timed(lambda: sum(1 for _ in peer.scores(run, 0, peer.bounds[1]))) for _ in range(3)]  # noqa: B023  # called at once
        yield Cost(f"{peer.name}, value by value", median(costs) / n, "observation")


def timed(work: Callable[[], object]) -> float:
    """Microseconds of processor time, all threads together."""
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e6

"""Ticks of several workers → those of their service: added up once all of them have told of a tick."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from driftwatch.config import Config
from driftwatch.state import saved
from driftwatch.statistics.buckets import Ints
from driftwatch.ticks.answered import Answered, in_canonical_order
from driftwatch.ticks.names import Combination, Names
from driftwatch.ticks.tick import Ticks, merge

_FOREVER = 2**60

Numbered = Mapping[int, tuple[Combination | None, float]]
"""What numbers stand for: a combination of labels (None for 'other'), and when it was first seen."""


@saved
@dataclass(frozen=True, slots=True)
class Part:
    """What one worker tells of the ticks up to one of them.

    Parameters
    ----------
    worker
        Who tells it: a name of its own for each process.
    until
        The worker has nothing more to tell of this tick, nor of those before.
    ticks
        All that is new.
    streams, segments
        The worker's numbers in the ticks.
    late, duplicates
        Requests that the worker left out, since it told last.
    leaving
        Whether this is the last that is heard of it.
    """

    worker: str
    until: int
    ticks: Ticks
    streams: Numbered = field(default_factory=dict)
    segments: Numbered = field(default_factory=dict)
    late: int = 0
    duplicates: int = 0
    leaving: bool = False


def numbered(names: Names, numbers: Ints) -> dict[int, tuple[Combination | None, float]]:
    """What these numbers stand for."""
    known = list(names.known)
    return {
        k: (known[k], names.first_at[k]) if k < len(known) else (None, math.inf) for k in np.unique(numbers).tolist()
    }


@saved
@dataclass(slots=True)
class Worker:
    """Until which tick a worker has told, and when it was heard last."""

    until: int
    heard: float


class TickMerger:
    """Adds up the ticks of several workers, whatever the order in which they come.

    A tick is final when all workers that are alive have told of it. A worker that was not heard for ``patience``, or
    that is so far behind the others, is not waited for: what it tells later of a tick that was handed out is late, and
    counted. Requests that two workers tell of are counted twice: each must be told by one of them.

    Parameters
    ----------
    config
        Width and lateness of ticks, labels, and ``monitor.patience_s``.
    """

    STATE = ("streams", "segments", "parts", "workers", "closed", "now", "late", "duplicates")

    def __init__(self, config: Config) -> None:
        self.width, self.lateness = config.ticks.width_s, config.ticks.lateness_s
        self.patience = config.monitor.patience_s
        self.streams = Names(config.streams.by, config.streams.max_streams)
        self.segments = Names(config.streams.segments, config.streams.max_segments)
        self.parts: list[Part] = []
        self.workers: dict[str, Worker] = {}
        self.closed: int | None = None
        self.begun = math.inf
        self.now = -math.inf
        self.late = self.duplicates = 0

    def add(self, part: Part) -> None:
        """Take what a worker tells; ticks that were handed out are late, and dropped."""
        self.late, self.duplicates = self.late + part.late, self.duplicates + part.duplicates
        if self.closed is not None and len(part.ticks):
            in_time = part.ticks.between(self.closed + 1, _FOREVER)
            self.late += int(part.ticks.requests.sum() - in_time.requests.sum())
            part = replace(part, ticks=in_time)
        self.parts.append(part)
        self.workers[part.worker] = Worker(part.until, self.now)
        if part.leaving:
            del self.workers[part.worker]

    def told(self, now: float) -> None:
        """Time has passed."""
        if self.begun == math.inf:  # workers may have much to tell of the time in which nobody listened
            self.begun = now
            for worker in self.workers.values():
                worker.heard = now
        self.now = max(self.now, now)

    @property
    def final(self) -> int | None:
        """The newest tick that all workers have told of."""
        timed = math.isfinite(self.now)
        if timed and self.now - self.begun < self.patience:
            return self.closed
        alive = [w.until for w in self.workers.values() if not timed or self.now - w.heard <= self.patience]
        if alive:
            near = self.patience / self.width if timed else math.inf
            return min(until for until in alive if max(alive) - until <= near)
        if not timed:
            return self.end(-math.inf)
        return math.floor((self.now - self.lateness - self.patience) / self.width) - 1

    def end(self, measured: float) -> int | None:
        """The newest tick that anybody told of."""
        untils = [part.until for part in self.parts] + [worker.until for worker in self.workers.values()]
        return max(untils, default=self.closed)

    def close(self, last: int | None = None) -> Ticks:
        """Hand out all ticks up to ``last``, added up."""
        last = self.final if last is None else last
        if last is None or (self.closed is not None and last <= self.closed):
            return merge([])
        self.closed = last
        ripe = [replace(part, ticks=part.ticks.between(-_FOREVER, last)) for part in self.parts]
        rest = [replace(part, ticks=part.ticks.between(last + 1, _FOREVER)) for part in self.parts]
        self.parts = [part for part in rest if len(part.ticks) or len(part.ticks.flow_tick)]
        stream = _numbers(self.streams, ripe, lambda part: part.streams, "stream")
        segment = _numbers(self.segments, ripe, lambda part: part.segments, "segment")
        ours = [_renumbered(part.ticks, a, b) for part, a, b in zip(ripe, stream, segment, strict=True)]
        return merge(ours, ordered=False)

    def pass_over(self, last: int) -> None:
        """Let go of what waits: ticks until this one are not judged."""
        self.parts, self.closed = [], last


def _numbers(
    names: Names, parts: Sequence[Part], table: Callable[[Part], Numbered], column: str
) -> list[Mapping[int, int]]:
    """For each part, our numbers of its own: new ones in order of first appearance, as if all had come to one."""
    used = [_used(part.ticks, column) for part in parts]
    new: dict[Combination, tuple[float, int]] = {}
    for part, numbers in zip(parts, used, strict=True):
        for number, requests in numbers.items():
            combination, at = table(part)[number]
            if combination is not None:
                before = new.get(combination, (math.inf, 0))
                new[combination] = min(before[0], at), before[1] + requests
    ours = {c: names.number(c, n, at) for c, (at, n) in sorted(new.items(), key=lambda item: (item[1][0], item[0]))}
    return [
        {k: _ours(table(part)[k][0], ours, names.limit) for k in numbers}
        for part, numbers in zip(parts, used, strict=True)
    ]


def _ours(combination: Combination | None, ours: Mapping[Combination, int], other: int) -> int:
    return other if combination is None else ours[combination]


def _used(ticks: Ticks, column: str) -> dict[int, int]:
    """The numbers in some ticks, and their requests."""
    own, flow = getattr(ticks, column), getattr(ticks, f"flow_{column}")
    found = dict.fromkeys(np.unique(np.concatenate([own, flow])).tolist(), 0)
    for number in found:
        found[number] = int(ticks.requests[own == number].sum())
    return found


def _renumbered(ticks: Ticks, stream: Mapping[int, int], segment: Mapping[int, int]) -> Ticks:
    """The same ticks under our numbers: to be merged, for they are in order of the worker's."""
    return replace(
        ticks,
        stream=_mapped(ticks.stream, stream),
        segment=_mapped(ticks.segment, segment),
        flow_stream=_mapped(ticks.flow_stream, stream),
        flow_segment=_mapped(ticks.flow_segment, segment),
        answered=_answered(ticks.answered, stream, segment),
    )


def _answered(answered: Answered, stream: Mapping[int, int], segment: Mapping[int, int]) -> Answered:
    mapped = replace(answered, stream=_mapped(answered.stream, stream), segment=_mapped(answered.segment, segment))
    return in_canonical_order(mapped) if len(answered) else answered


def _mapped(numbers: Ints, ours: Mapping[int, int]) -> Ints:
    if not len(numbers):
        return numbers
    table = np.zeros(max(ours) + 1, np.int64)
    table[list(ours)] = list(ours.values())
    return table[numbers]

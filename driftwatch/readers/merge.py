"""Several readers as one, in the order of time, with one batch of each in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from driftwatch.events.columns import Requests, concat_requests


@dataclass(slots=True)
class _Lane:
    """One reader: what it has read and has not passed on, and up to when it has read (without end once it ended)."""

    batches: Iterator[Requests]
    held: list[Requests] = field(default_factory=list)
    reached: float = -np.inf

    def advance(self) -> None:
        batch = next(self.batches, None)
        if batch is None:
            self.reached = np.inf
        elif len(batch):
            self.held.append(batch)
            self.reached = max(self.reached, float(np.max(batch.at)))

    def release(self, until: float) -> list[Requests]:
        held, self.held = self.held, []
        out = []
        for batch in held:
            early = batch.at <= until
            out.append(batch if early.all() else batch.take(early))
            if not early.all():
                self.held.append(batch.take(~early))
        return [batch for batch in out if len(batch)]


def merge(readers: Sequence[Iterator[Requests]], begins: Sequence[float] | None = None) -> Iterator[Requests]:
    """Join readers so that no row comes later, relative to the others, than its own reader had it.

    Rows are passed on up to the earliest of the times that the readers have reached; a reader is started when the
    others reach its beginning, so files that follow one another are open one at a time.

    Parameters
    ----------
    readers
        Each near the order of time; nothing is asked of them until they are needed.
    begins
        Near when each begins, in seconds since the epoch; -inf where that is not known.

    Examples
    --------
    >>> from driftwatch.events.columns import requests_of
    >>> early, late = (requests_of(2, completed_at=np.array(t)) for t in ([1.0, 4.0], [2.0, 3.0]))
    >>> [float(t) for batch in merge([iter([late]), iter([early])]) for t in batch.at]
    [1.0, 2.0, 3.0, 4.0]
    """
    starts = [-np.inf] * len(readers) if begins is None else begins
    waiting = sorted(zip(starts, range(len(readers)), readers, strict=True), reverse=True)
    lanes: list[_Lane] = []
    while waiting or lanes:
        while waiting and waiting[-1][0] <= min((lane.reached for lane in lanes), default=np.inf):
            lanes.append(_Lane(waiting.pop()[2]))
        min(lanes, key=lambda lane: lane.reached).advance()
        reached = min(lane.reached for lane in lanes)
        until = min(reached, waiting[-1][0]) if waiting else reached
        yield from _in_order([batch for lane in lanes for batch in lane.release(until)])
        lanes = [lane for lane in lanes if lane.held or lane.reached < np.inf]


def _in_order(parts: Sequence[Requests]) -> Iterator[Requests]:
    if not parts:
        return
    batch = parts[0] if len(parts) == 1 else concat_requests(parts)
    times = batch.at
    sorted_already = bool(np.all(times[1:] >= times[:-1]))
    yield batch if sorted_already else batch.take(np.argsort(times, kind="stable"))

"""Reads many sources at their own pace, each in a thread of a bounded pool: one that hangs holds up no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from driftwatch.events.columns import Batch
from driftwatch.live.source import Health, Source, SourceError

_MOST_THREADS = 32

log = logging.getLogger("driftwatch")


@dataclass(slots=True)
class _Lane:
    source: Source
    due: float
    running: Future[None] | None = None
    health: Health = field(default_factory=Health)


class Poller:
    """Keeps sources read.

    Parameters
    ----------
    sources
        What is read.
    feed
        Takes what comes of a source, from any thread.
    clock
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        feed: Callable[[Source, Batch | None], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._feed, self._clock = feed, clock
        now = time.monotonic()
        self._lanes = [_Lane(source, now) for source in sources]
        self._pool = ThreadPoolExecutor(max(1, min(len(sources), _MOST_THREADS)), thread_name_prefix="driftwatch")

    def turn(self) -> float:
        """Start every reading that is due; returns seconds until the next is."""
        now = time.monotonic()
        for lane in self._lanes:
            if now < lane.due:
                continue
            lane.due = max(lane.due + lane.source.every_s, now)
            if lane.running is not None and not lane.running.done():
                self._overdue(lane)
            else:
                lane.running = self._pool.submit(self._read, lane)
        return max(min((lane.due for lane in self._lanes), default=now + 1.0) - time.monotonic(), 0.0)

    def health(self) -> dict[str, Health]:
        """How each source is doing, by its name."""
        return {lane.source.name: lane.health for lane in self._lanes}

    def stop(self) -> None:
        """Start no more readings, wait for those that run (each has a time-out of its own), and close the sources."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for lane in self._lanes:
            lane.source.close()

    def _overdue(self, lane: _Lane) -> None:
        lane.health.overdue += 1
        self._take(lane, lane.source.failed(self._clock()))

    def _read(self, lane: _Lane) -> None:
        at, began = self._clock(), time.monotonic()
        try:
            self._take(lane, lane.source.read(at))
        except SourceError as error:
            self._failed(lane, at, str(error))
        except Exception as error:  # a source's fault ends no other
            log.warning("driftwatch: reading %s failed", lane.source.name, exc_info=not lane.health.failures)
            self._failed(lane, at, f"{type(error).__name__}: {error}")
        else:
            lane.health.reads += 1
            lane.health.last_read_at, lane.health.last_error = at, ""
            lane.health.took_s = time.monotonic() - began

    def _failed(self, lane: _Lane, at: float, why: str) -> None:
        if not lane.health.last_error:
            log.warning("driftwatch: %s: %s", lane.source.name, why)
        lane.health.failures += 1
        lane.health.last_error = why
        self._take(lane, lane.source.failed(at))

    def _take(self, lane: _Lane, batches: Iterable[Batch | None]) -> None:
        for batch in batches:
            lane.health.rows += 0 if batch is None else len(batch)
            self._feed(lane.source, batch)

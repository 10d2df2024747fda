"""A worker: it makes ticks of its events, and hands them to a collector that judges those of all workers together."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from driftwatch.config import Config
from driftwatch.embedding.reading import TextReader
from driftwatch.errors import InputError
from driftwatch.events.columns import Markers, Metrics, Requests
from driftwatch.monitor.courier import Courier
from driftwatch.monitor.parcel import Parcel, sealed
from driftwatch.monitor.place import Fed, Known
from driftwatch.monitor.spool import Spool
from driftwatch.monitor.stats import CollectorStats
from driftwatch.ticks import TickBuilder
from driftwatch.ticks.merging import Part, numbered

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

_MOST_METRICS = 100_000  # samples that wait for the next tick


class Remote:
    """Where events go in a worker.

    Parameters
    ----------
    config
        Settings: those of the collector must be the same.
    token
        What the collector asks for.
    """

    def __init__(self, config: Config, token: str) -> None:
        self.config = config
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.builder, self.reader = TickBuilder(config), TextReader(config.text)
        folder = Path(config.monitor.folder) / "spool" if config.monitor.folder else None
        self.spool = Spool(folder, self.worker, config.monitor.spool_mb << 20)
        self.courier = Courier(config.monitor.collector, token)
        self.metrics: list[Metrics] = []
        self.markers: list[Markers] = []
        self.seq = self.shed = self.requests = 0
        self._told = (0, 0)

    def add(self, batch: Fed) -> None:
        """Take events."""
        if isinstance(batch, Requests):
            self.builder.add(self.reader.read(batch))
        elif isinstance(batch, Markers):
            self.markers.append(batch)
        elif isinstance(batch, Metrics) and sum(map(len, self.metrics)) < _MOST_METRICS:
            self.metrics.append(batch)
        else:
            self.shed += len(batch)

    def advance(self, now: float | None) -> list[Incident]:
        """Pack the ticks that have become final, and send what waits."""
        if now is not None:
            self.builder.told(now)
        last = self.builder.final
        if last is not None and (self.builder.closed is None or last > self.builder.closed):
            self._pack(last)
        self.courier.deliver(self.spool)
        return []

    def finish(self) -> list[Incident]:
        """Pack what is left, and say goodbye."""
        self._goodbye()
        self.courier.deliver(self.spool, now=True)
        return []

    def _goodbye(self) -> None:
        last = self.builder.end(-np.inf)
        if last is not None or self.metrics or self.markers:
            self._pack(0 if last is None else last, leaving=True)

    def leave(self, timeout: float) -> None:
        """Hand on what is left: the process ends."""
        self._goodbye()
        self.courier.deliver(self.spool, seconds=timeout, now=True)
        self.courier.close()
        self.spool.close()

    def _pack(self, last: int, *, leaving: bool = False) -> None:
        ticks = self.builder.close(last)
        self.requests += int(ticks.requests.sum())
        late, duplicates = self.builder.late, self.builder.duplicates
        part = Part(
            self.worker,
            last,
            ticks,
            streams=numbered(self.builder.streams, np.concatenate([ticks.stream, ticks.flow_stream])),
            segments=numbered(self.builder.segments, np.concatenate([ticks.segment, ticks.flow_segment])),
            late=late - self._told[0],
            duplicates=duplicates - self._told[1],
            leaving=leaving,
        )
        self.seq, self._told = self.seq + 1, (late, duplicates)
        self.spool.put(sealed(Parcel(self.seq, part, tuple(self.metrics), tuple(self.markers)), self.config))
        self.metrics, self.markers = [], []

    def known(self) -> Known:
        """How the handing over goes: verdicts are the collector's."""
        closed = self.builder.closed
        return Known(
            judged_until=None if closed is None else (closed + 1) * self.config.ticks.width_s,
            late=self.builder.late,
            duplicates=self.builder.duplicates,
            collector=CollectorStats(
                pending=len(self.spool.waiting),
                delivered=self.courier.delivered,
                refused=self.courier.refused,
                dropped=self.spool.dropped,
                samples_shed=self.shed,
                failing=self.courier.failures > 0,
                last_error=self.courier.last_error,
            ),
        )

    def say(self, what: str, id: str) -> Incident:
        """Incidents are the collector's."""
        raise InputError(f"'{id}' cannot be told to {what} here: incidents are opened by the collector")

    def pass_over(self, until: float) -> None:
        """Nothing is kept from one process to the next but what waits in the spool."""

    def keep(self) -> dict[str, Any]:
        """Nothing is kept."""
        return {}

    def take(self, state: Mapping[str, Any]) -> None:
        """Nothing is kept."""

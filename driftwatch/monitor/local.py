"""The engine, in this process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.events.columns import Batch
from driftwatch.incidents import Incident
from driftwatch.incidents.watch import StreamWatch
from driftwatch.monitor.stats import StreamStats

_LOG10 = math.log(10.0)


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to tell of the events so far, as of the newest tick; never changed, so that it may be read freely.

    Parameters
    ----------
    incidents
        Those that are open, and those of late, by opening time.
    streams
        How each stream is doing.
    judged_until
        The end of the newest judged tick, in seconds since the epoch.
    late, duplicates
        Requests that were left out.
    """

    incidents: tuple[Incident, ...] = ()
    streams: tuple[StreamStats, ...] = ()
    judged_until: float | None = None
    late: int = 0
    duplicates: int = 0


class Local:
    """Where events go in a process that judges them itself.

    Parameters
    ----------
    config
        Settings.
    baseline
        What is healthy, where it was learnt before.
    """

    def __init__(self, config: Config, baseline: Baseline | None) -> None:
        self.config, self.baseline = config, baseline
        self.engine = Engine(config, from_requests=config.input.requests == "rows", baseline=baseline)
        self.latest: dict[str, Incident] = {}

    def add(self, batch: Batch) -> None:
        """Take events."""
        self.engine.add(batch)

    def advance(self, now: float | None) -> list[Incident]:
        """Judge what is final; returns transitions, in order."""
        return self._kept(self.engine.advance(now=now))

    def finish(self) -> list[Incident]:
        """Judge what is left: nothing more will come."""
        return self._kept(self.engine.finish())

    def _kept(self, transitions: list[Incident]) -> list[Incident]:
        for incident in transitions:
            self.latest[incident.id] = incident
        self._forget()
        return transitions

    def _forget(self) -> None:
        """Incidents that are over, and older than what explanations look back to."""
        newest = max((incident.updated_at for incident in self.latest.values()), default=None)
        kept_s = self.config.attribution.history_s
        for key, incident in list(self.latest.items()):
            if newest and incident.resolved_at and (newest - incident.resolved_at).total_seconds() > kept_s:
                del self.latest[key]

    @property
    def threshold(self) -> float:
        """log10 of the e-value at which an alarm is raised."""
        return self.engine.threshold / _LOG10

    def known(self) -> Known:
        """What there is to tell."""
        engine = self.engine
        return Known(
            incidents=tuple(sorted(self.latest.values(), key=lambda i: (i.opened_at, i.id))),
            streams=tuple(self._streams((engine.next_tick or 0) - 1)),
            judged_until=None if engine.next_tick is None else engine.next_tick * self.config.ticks.width_s,
            late=getattr(engine.builder, "late", 0),
            duplicates=getattr(engine.builder, "duplicates", 0),
        )

    def _streams(self, last: int) -> Iterator[StreamStats]:
        for watch in self.engine.watches.values():
            yield StreamStats(
                name=watch.title,
                state="watching" if watch.baseline.ready else "learning",
                progress=watch.baseline.progress,
                requests=watch.requests,
                effective_ticks=round(watch.effective, 1),
                evidence=_evidence(watch, last),
            )


def _evidence(watch: StreamWatch, last: int) -> dict[str, float]:
    found = {}
    for panel in watch.panels:
        for test, log_e in zip(panel.signals, panel.detector.evidence(last).tolist(), strict=True):
            if math.isfinite(log_e):
                found[f"slow.{test}" if panel.slow else test] = log_e / _LOG10
    return found

"""The engine, in this process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.engine.commands import accept, acknowledge
from driftwatch.engine.state import engine_state, pass_over, take_engine_state
from driftwatch.incidents.watch import StreamWatch
from driftwatch.monitor.breath import breathe
from driftwatch.monitor.parcel import Parcel
from driftwatch.monitor.place import Fed, Known
from driftwatch.monitor.stats import StreamStats
from driftwatch.ticks.protocol import Ticking

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

_LOG10 = math.log(10.0)
_SAY = {"acknowledge": acknowledge, "accept": accept}


class Local:
    """Where events go in a process that judges them itself.

    Parameters
    ----------
    config
        Settings.
    baseline
        What is healthy, where it was learnt before.
    builder
        Makes the ticks, where they are not made of requests or histograms.
    """

    def __init__(self, config: Config, baseline: Baseline | None, builder: Ticking | None = None) -> None:
        self.config = config
        rows = config.monitor.traffic == "requests" or builder is not None
        self.engine = Engine(config, from_requests=rows, baseline=baseline, builder=builder, rest=breathe)
        self.latest: dict[str, Incident] = {}
        self.told: Counter[tuple[str, str]] = Counter()
        self._known = Known(threshold=self.engine.threshold / _LOG10)

    def add(self, batch: Fed) -> None:
        """Take events."""
        if not isinstance(batch, Parcel):
            self.engine.add(batch)

    def advance(self, now: float | None) -> list[Incident]:
        """Judge what is final."""
        return self._noted(self.engine.advance(now=now))

    def finish(self) -> list[Incident]:
        """Judge what is left."""
        return self._noted(self.engine.finish())

    def leave(self, timeout: float) -> None:
        """All that is known is in the checkpoint."""

    def say(self, what: str, id: str) -> Incident:
        """``acknowledge`` or ``accept`` an incident."""
        return self._noted([_SAY[what](self.engine, id)])[0]

    def pass_over(self, until: float) -> None:
        """Go on at a later time."""
        pass_over(self.engine, until)

    def _noted(self, transitions: list[Incident]) -> list[Incident]:
        for incident in transitions:
            self.latest[incident.id] = incident
            self.told[incident.kind, incident.severity] += incident.transition == "open"
        self._forget()
        return transitions

    def _forget(self) -> None:
        """Incidents that were over before what explanations look back to."""
        newest = max((incident.updated_at for incident in self.latest.values()), default=None)
        for key, incident in list(self.latest.items()):
            if newest is not None and incident.resolved_at is not None:
                age = (newest - incident.resolved_at).total_seconds()
                if age > self.config.attribution.history_s:
                    del self.latest[key]

    def known(self) -> Known:
        """What there is to tell."""
        engine = self.engine
        end = None if engine.next_tick is None else engine.next_tick * self.config.ticks.width_s
        known = self._known
        self._known = Known(
            incidents=tuple(sorted(self.latest.values(), key=lambda i: (i.opened_at, i.id))),
            streams=known.streams if end == known.judged_until else tuple(self._streams((engine.next_tick or 0) - 1)),
            judged_until=end,
            threshold=known.threshold,
            late=engine.builder.late,
            duplicates=engine.builder.duplicates,
            told=dict(self.told),
        )
        return self._known

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

    def keep(self) -> dict[str, Any]:
        """All that is known."""
        latest = {id: incident.to_dict() for id, incident in self.latest.items()}
        return {"engine": engine_state(self.engine), "latest": latest, "told": dict(self.told)}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        from driftwatch.incidents import Incident

        take_engine_state(self.engine, state["engine"])
        self.latest = {id: Incident.model_validate(incident) for id, incident in state["latest"].items()}
        self.told = Counter(state["told"])


def _evidence(watch: StreamWatch, last: int) -> dict[str, float]:
    found = {}
    for panel in watch.panels:
        for test, log_e in zip(panel.signals, panel.detector.evidence(last).tolist(), strict=True):
            if math.isfinite(log_e):
                found[f"slow.{test}" if panel.slow else test] = log_e / _LOG10
    return found

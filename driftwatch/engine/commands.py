"""What people say to an incident: "I know", and "this is how it is from now on"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftwatch.engine.engine import Engine
from driftwatch.errors import InputError
from driftwatch.incidents import Life
from driftwatch.incidents.telemetry import Outage

if TYPE_CHECKING:
    from driftwatch.incidents import Incident


def acknowledge(engine: Engine, id: str) -> Incident:
    """Take note that somebody knows of an incident; it goes on being watched.

    Raises
    ------
    InputError
        If no such incident is open.
    """
    found = _alive(engine, id)
    found.status = "acknowledged"
    return _said(engine, found, "acknowledge")


def accept(engine: Engine, id: str) -> Incident:
    """Take what an incident brought as the new normal: it is over, and what is healthy is learnt anew from here.

    Raises
    ------
    InputError
        If no such incident is open.
    """
    found, last = _alive(engine, id), (engine.next_tick or 0) - 1
    found.status, found.resolved = "resolved", last
    if isinstance(found, Outage):
        engine.telemetry.accept(found, last)
        return _said(engine, found, "accept")
    found.recovered = last
    said = _said(engine, found, "accept")
    for number, watch in engine.watches.items():
        if any(watch.title == stream for stream, _ in found.alarms):
            engine.watches[number] = engine.fresh(watch.title)
            engine.watches[number].requests, engine.watches[number].ticks = watch.requests, watch.ticks
    return said


def _alive(engine: Engine, id: str) -> Life | Outage:
    every: list[Life | Outage] = [*engine.lives, *engine.telemetry.outages]
    alive = {one.id: one for one in every if one.resolved is None}
    if id not in alive:
        known = ", ".join(alive) or "none"
        raise InputError(f"no incident '{id}' is open; open are: {known}")
    return alive[id]


def _said(engine: Engine, found: Life | Outage, transition: str) -> Incident:
    last = (engine.next_tick or 0) - 1
    incident = engine.lost(found, last) if isinstance(found, Outage) else engine.record(found, last)
    engine.muted.ids.pop(incident.id, None)
    return incident.model_copy(update={"transition": transition})

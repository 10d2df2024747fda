"""From what an engine knows to the record of an incident.

All that explains is imported here; the engine imports this file when there is something to explain, so that a monitor
loads a third less until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from driftwatch.attribution import account, losses
from driftwatch.attribution.checks.rules import NotRead, configured
from driftwatch.attribution.checks.standard import Rule
from driftwatch.attribution.placement import own, strangers
from driftwatch.attribution.scene import Scene
from driftwatch.config import Config
from driftwatch.incidents import Incident, Life
from driftwatch.incidents.telemetry import Outage

if TYPE_CHECKING:
    from driftwatch.engine.engine import Engine


def rules(config: Config) -> tuple[Sequence[Rule], Sequence[NotRead]]:
    """The health checks that a configuration asks for, and the rules of its files that are not read."""
    return configured(config.health, config.input.series)


def record(engine: Engine, life: Life, tick: int) -> Incident:
    """An incident as it is known at a tick: one transition of it."""
    return account.record(life, scene(engine, tick), engine.checks, engine.again, tick)


def lost(engine: Engine, outage: Outage, tick: int) -> Incident:
    """The same for what is not heard of any more."""
    return losses.lost(outage, engine.telemetry, scene(engine, tick), engine.checks, tick)


def scene(engine: Engine, tick: int) -> Scene:
    """What is known around it."""
    labels = {w.title: engine.builder.streams.where(number) for number, w in engine.watches.items()}
    said = {w.title: w.text.response for w in engine.watches.values()}
    known = engine.series.until(tick)
    names, markers = engine.builder.segments, engine.markers
    return Scene(engine.config, engine.histories, labels, names, own(known), markers, said, strangers(known))

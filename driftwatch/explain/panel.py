"""What users felt beside what a dashboard showed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from driftwatch.explain.facts import title
from driftwatch.explain.findings import prominence
from driftwatch.explain.health import beyond
from driftwatch.explain.numbers import change, clean, interval, lasting, number, pair
from driftwatch.explain.story import Table
from driftwatch.incidents.models import Finding, HealthCheck, Incident

_TILES, _MOST = 4, 12
_OF_STATE = {"firing": 0, "green": 1, "absent": 2}


@dataclass(frozen=True, slots=True)
class Tile:
    """How bad it is, in one glance.

    Parameters
    ----------
    name
        The signal.
    change
        By how much it moved.
    values
        Before and after.
    """

    name: str
    change: str
    values: str


@dataclass(frozen=True, slots=True)
class Lamp:
    """One check of a dashboard.

    Parameters
    ----------
    state
        ``green``, ``firing`` or ``absent``.
    name, layer, source
        As shown.
    worst, limit
        Worst value, and where it fires.
    part
        How much of the way to firing the worst value is, in percent; None where that says nothing.
    note
        Why it did not fire although it went beyond, if so.
    """

    state: str
    name: str
    layer: str
    source: str
    worst: str
    limit: str
    part: int | None
    note: str = ""


def tiles(incident: Incident) -> list[Tile]:
    """The signals that moved most."""
    return [
        Tile(title(f.signal), _by(f), pair(f.before, f.after, f.unit))
        for f in _ordered(incident)[:_TILES]
        if math.isfinite(f.before) and math.isfinite(f.after)
    ]


def felt(incident: Incident) -> Table | None:
    """What users felt, signal by signal."""
    rows = tuple(
        (
            title(f.signal) if f.stream == incident.stream else f"{title(f.signal)} of {clean(f.stream, 40)}",
            pair(f.before, f.after, f.unit),
            _by(f),
            interval(*f.interval, f.unit),
        )
        for f in _ordered(incident)[:_MOST]
    )
    return Table("What users felt", ("signal", "before -> after", "change", "95% interval"), rows) if rows else None


def lamps(incident: Incident) -> list[Lamp]:
    """What a dashboard showed: measured checks, those that fire first; absent ones are told apart from green."""
    measured = [c for c in incident.health if c.state != "absent"]
    return list(map(_lamp, sorted(measured, key=lambda c: (c.layer, _OF_STATE[c.state]))[:40]))


def reach(incident: Incident) -> tuple[int, int] | None:
    """The range of the share that the first cause explains, in percent; None without such a cause."""
    first = next((c for c in incident.causes if c.tier != "ruled_out"), None)
    if first is None or not (math.isfinite(first.share_low) and math.isfinite(first.share_high)):
        return None
    low, high = (round(100 * min(max(x, 0.0), 1.0)) for x in (first.share_low, first.share_high))
    return min(low, high), max(low, high)


def certainty(incident: Incident) -> str:
    """The tier of the first cause: ``supported``, ``consistent`` or ``unknown``."""
    return next((c.tier for c in incident.causes if c.tier != "ruled_out"), "unknown")


def _ordered(incident: Incident) -> list[Finding]:
    return sorted(incident.findings, key=lambda f: prominence(f, incident), reverse=True)


def _by(finding: Finding) -> str:
    nothing = finding.before == 0 and finding.unit != "share"
    return "from nothing" if nothing else change(finding.change, finding.unit)


def _lamp(check: HealthCheck) -> Lamp:
    fires_after = f" for {lasting(check.for_s)}" if check.for_s else ""
    return Lamp(
        state=check.state,
        name=clean(check.name, 40),
        layer=check.layer,
        source=clean(check.source),
        worst=number(check.worst, check.unit),
        limit=f"{check.comparison} {number(check.threshold, check.unit)}{fires_after}",
        part=_part(check),
        note="did not fire" if check.state == "green" and beyond(check) else "",
    )


def _part(check: HealthCheck) -> int | None:
    """For checks that fire above a threshold: how far the worst value is on its way there."""
    comparable = check.comparison in (">", ">=") and check.threshold > 0 and check.worst is not None
    ratio = check.worst / check.threshold if comparable and check.worst is not None else math.nan
    return round(100 * min(max(ratio, 0.0), 9.99)) if math.isfinite(ratio) else None

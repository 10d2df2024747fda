"""After the end: what was true, and how what was said compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from driftwatch.explain.facts import cause_title
from driftwatch.explain.numbers import clock, lasting
from driftwatch.incidents import Incident
from driftwatch.incidents.models import Cause


def verdict(truth: Mapping[str, Any], felt: str, incidents: Sequence[Incident]) -> list[str]:
    """Compare what was said with what was true.

    Parameters
    ----------
    truth
        As in ``truth.json``.
    felt
        What users felt of it, in words.
    incidents
        As they were last told of, in order of opening.
    """
    lines = [f"The truth: {truth['scenario']}, {truth['title']}."]
    if truth["onset_at"] is not None:
        lines.append(f"It began at {clock(datetime.fromtimestamp(truth['onset_at'], UTC))}: {felt}.")
    right = [incident for incident in incidents if incident.kind in truth["kinds"] and _after(incident, truth)]
    others = len(incidents) - len(right)
    if right:
        lines += [_when(right[0], truth), _why(right[0], truth)]
    elif truth["control"]:
        lines.append("Nothing was wrong." if others else "Nothing was wrong, and nothing was said.")
    else:
        lines.append(
            f"driftwatch did not notice it{'' if truth['telemetry'] else ': only the text of answers shows it'}."
        )
    return lines + ([f"Incidents beside it: {others}, which nothing called for."] if others else [])


def _after(incident: Incident, truth: Mapping[str, Any]) -> bool:
    return truth["onset_at"] is None or incident.opened_at.timestamp() >= truth["onset_at"]


def _when(incident: Incident, truth: Mapping[str, Any]) -> str:
    onset = truth["onset_at"] if truth["onset_at"] is not None else truth["started_at"]
    off = incident.onset.timestamp() - onset
    side = "late" if off > 0 else "early"
    delay = lasting(incident.opened_at.timestamp() - onset)
    return f"driftwatch opened {incident.id} after {delay}, and put its beginning {lasting(off)} too {side}."


def _why(incident: Incident, truth: Mapping[str, Any]) -> str:
    """Only a supported cause is a claim."""
    cause = next((c for c in incident.causes if c.tier == "supported"), None)
    known = f"right would be: {', '.join(map(cause_title, truth['causes'])) or 'that nothing measured shows it'}"
    if cause is None:
        return f"It claimed no cause; {known}."
    right = {cause.name, _named(cause)} & set(truth["causes"])
    return f"It named {cause_title(_named(cause))}, which is {'right' if right else f'not right; {known}'}."


def _named(cause: Cause) -> str:
    scope = ",".join(f"{key}={value}" for key, value in sorted(cause.scope.items()))
    return f"{cause.name}{{{scope}}}" if scope else cause.name

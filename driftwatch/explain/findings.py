"""Which of an incident's findings speaks for it."""

from __future__ import annotations

import math

from driftwatch.events.signals import BY_NAME as SIGNALS
from driftwatch.explain.numbers import DIFFERENCES
from driftwatch.incidents.models import Finding, Incident


def lead(incident: Incident) -> Finding | None:
    """The finding that moved most, among those that the kind is about; the first of equals."""
    if incident.findings and _said(incident.findings[0]):
        return incident.findings[0]
    users = incident.kind == "workload"
    about = [f for f in incident.findings if f.signal in SIGNALS and SIGNALS[f.signal].workload == users]
    return max(about or incident.findings, key=lambda f: prominence(f, incident), default=None)


def prominence(finding: Finding, incident: Incident) -> tuple[bool, float]:
    """The slowest requests speak for an incident only where its record leads with them."""
    first = incident.findings[0]
    return not is_tail(finding) or is_tail(first), math.inf if finding is first and _said(first) else _size(finding)


def _said(finding: Finding) -> bool:
    """Whether it is read off what requests say: that cannot be compared in size with what was measured."""
    return finding.signal in SIGNALS and SIGNALS[finding.signal].text


def is_tail(finding: Finding) -> bool:
    """Whether it counts the slowest requests."""
    return finding.signal in SIGNALS and bool(SIGNALS[finding.signal].tail_of)


def _size(finding: Finding) -> float:
    if finding.unit in DIFFERENCES:
        return abs(finding.change)
    floor = 0.01 if finding.unit == "share" else 1e-9
    values = abs(finding.after) + floor, abs(finding.before) + floor
    return abs(math.log(values[0] / values[1])) if all(map(math.isfinite, values)) else 0.0

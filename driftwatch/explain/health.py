"""What a dashboard showed, in words: which checks stayed green, and how far from firing."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from driftwatch.events.signals import BY_NAME as SIGNALS
from driftwatch.explain.numbers import clean, number, pair
from driftwatch.explain.story import Table
from driftwatch.incidents.models import Contrast, HealthCheck, Incident

_COMPARISONS = {
    **{">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le},
    **{"==": operator.eq, "!=": operator.ne},
}
_MOST = 12


def told(incident: Incident) -> Iterator[str]:
    """What stayed green and what did not, infrastructure first."""
    checks = [c for c in incident.health if c.layer == "infrastructure"]
    firing = [c for c in checks if c.state == "firing"]
    green = sum(c.state == "green" for c in checks)
    newly = [c for c in firing if c.newly]
    if not green and not firing:
        yield "no infrastructure check is measured, so whether your dashboards noticed cannot be said"
    elif not firing and incident.silent:
        yield f"your infrastructure checks stayed green ({green} of {green} that are measured)"
    elif not newly and incident.silent:
        yield f"no infrastructure check newly fired; before the onset already: {_names(firing)}"
    else:
        yield f"infrastructure checks newly firing: {_names(newly)}; {green} green" if newly else f"{green} green"
    if incident.contrast is not None:
        yield _closest(incident.contrast)
    absent = [c for c in checks if c.state == "absent"]
    if absent:
        yield f"not measured, so not counted as green: {_names(absent)}"
    serving = [c for c in incident.health if c.layer == "serving" and c.state == "firing"]
    if serving:
        yield f"serving checks firing beside them: {_names(serving)}"


def _closest(contrast: Contrast) -> str:
    known = SIGNALS.get(contrast.felt)
    felt = f"{known.title if known else clean(contrast.felt)} went "
    felt += pair(contrast.felt_before, contrast.felt_after, contrast.felt_unit)
    limit = f"{contrast.comparison} {number(contrast.shown_threshold, contrast.shown_unit)}"
    worst = number(contrast.shown_worst, contrast.shown_unit)
    return (
        f"while {felt}, the check closest to firing was {clean(contrast.shown, 40)}: {worst}, and it fires at {limit}"
    )


def _names(checks: list[HealthCheck]) -> str:
    rest = f" and {len(checks) - _MOST} more" if len(checks) > _MOST else ""
    return ", ".join(clean(c.name, 40) for c in checks[:_MOST]) + rest


def table(incident: Incident) -> Table | None:
    """All checks that were measured, those that fire first."""

    def row(c: HealthCheck) -> tuple[str, ...]:
        if c.series == "ALERTS":  # it says that it fires, and not how far from it anything is
            return ("FIRING" if c.state == "firing" else c.state, c.layer, clean(c.name, 40), "", "", clean(c.source))
        limit = f"{c.comparison} {number(c.threshold, c.unit)}"
        short = " (did not fire)" if c.state == "green" and beyond(c) else ""
        worst = number(c.worst, c.unit) + short
        return ("FIRING" if c.state == "firing" else c.state, c.layer, clean(c.name, 40), worst, limit, clean(c.source))

    measured = [c for c in incident.health if c.state != "absent"]
    ordered = sorted(measured, key=lambda c: (c.layer, c.state == "green"))[:40]
    if not ordered:
        return None
    return Table(
        "What a dashboard showed",
        ("state", "layer", "check", "worst", "fires at", "threshold from"),
        tuple(map(row, ordered)),
    )


def beyond(check: HealthCheck) -> bool:
    """Whether its worst value is beyond the threshold (it fires only where that lasts)."""
    return check.worst is not None and _COMPARISONS[check.comparison](check.worst, check.threshold)

"""What a person needs to see of an incident, thinned to what a screen can show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from driftwatch.attribution.causes.candidates import Candidate, behind, label
from driftwatch.attribution.checks.health import watched as measured
from driftwatch.attribution.checks.standard import Rule
from driftwatch.attribution.scene import Scene
from driftwatch.events.signals import BY_NAME, Signal
from driftwatch.incidents.models import Cause, Chart, Finding, HealthCheck, Line
from driftwatch.statistics.buckets import Floats

CHART_TICKS = 60
"""Drawn before the onset."""
_POINTS = 240
_CAUSES, _CHECKS = 4, 2
_FIRST_LOOKED_AT = ("gpu_utilization", "gpu_memory", "error_share", "host_cpu", "host_memory", "target_up")


def chart_of(
    findings: Sequence[Finding],
    scene: Scene,
    first: int,
    onset: int,
    last: int,
    *,
    causes: Sequence[Cause] = (),
    candidates: Sequence[Candidate] = (),
    beside: Callable[[int, int], Sequence[Line]] = lambda first, step: (),
) -> Chart:
    """Signals over what was expected, the candidate causes, and what else is wanted from a tick on, by a step.

    Parameters
    ----------
    findings
        Whose signals are drawn.
    scene
        What is known around the incident.
    first, onset, last
        Ticks: the first that is looked at, that of the change, the last.
    causes
        Those that are not ruled out are drawn, at most four.
    candidates
        Their series, from ``first`` to ``last``.
    beside
        More lines, given the first tick that is drawn and how many ticks make a point.
    """
    start = max(first, onset - CHART_TICKS)
    step = max(1, math.ceil((last - start + 1) / _POINTS))
    time = tuple(float(t) * scene.width for t in range(start, last + 1, step))
    signals = [_signal_line(f, scene, start, last, step) for f in findings]
    return Chart(
        time=time,
        lines=(*signals, *_cause_lines(causes, candidates, start - first, step), *beside(start, step)),
    )


def watched(
    checks: Sequence[Rule], health: Sequence[HealthCheck], scene: Scene, first: int, last: int, step: int
) -> list[Line]:
    """What the infrastructure checks saw that a person looks at first: at most two that are measured."""
    shown = [
        (rule, check)
        for rule, check in zip(checks, health[: len(checks)], strict=True)  # alerts come after them
        if check.layer == "infrastructure" and check.state != "absent" and rule.series != "error_share"
    ]
    shown.sort(key=lambda pair: (pair[1].state != "firing", _place(pair[0].series)))
    return [
        Line(
            name=check.name,
            unit=check.unit,
            role="health",
            value=_thin(measured(rule, scene.series, first, last, {}), step),
        )
        for rule, check in shown[:_CHECKS]
    ]


def plain(signal: Signal, log_value: float, width: float) -> float:
    """A log value in the signal's unit: tokens were counted as ln(1 + n), rates as ln(n + 1/2) a tick."""
    if signal.difference:
        return log_value
    if signal.shape == "size":
        return math.expm1(log_value)
    return max(math.exp(log_value) - 0.5, 0.0) / width if signal.shape == "rate" else math.exp(log_value)


def _place(series: str) -> int:
    return _FIRST_LOOKED_AT.index(series) if series in _FIRST_LOOKED_AT else len(_FIRST_LOOKED_AT)


def _cause_lines(causes: Sequence[Cause], candidates: Sequence[Candidate], skip: int, step: int) -> list[Line]:
    found = behind(causes, candidates, _CAUSES)
    return [Line(name=label(c), unit=c.unit, role=c.role, value=_thin(c.values[skip:], step)) for _, c in found]


def _signal_line(finding: Finding, scene: Scene, first: int, last: int, step: int) -> Line:
    signal = BY_NAME[finding.signal]
    value, raw, _ = scene.histories[finding.stream].signal(finding.signal, first, last)
    if signal.shape == "share":
        return Line(name=signal.name, unit=signal.unit, role="signal", value=_thin(raw, step), expected=())
    shown, expected = _thin(raw, step), _thin(raw - value, step)
    in_units = [[None if x is None else plain(signal, x, scene.width) for x in line] for line in (shown, expected)]
    conditional = bool(signal.given)
    return Line(
        name=signal.name,
        unit=signal.unit,
        role="signal",
        value=tuple(in_units[0]),
        expected=tuple(in_units[1]) if conditional else (),
    )


def _thin(values: Floats, step: int) -> tuple[float | None, ...]:
    padded = np.concatenate([values, np.full(-len(values) % step, np.nan)]).reshape(-1, step)
    some = np.isfinite(padded)
    mean = np.where(some, padded, 0.0).sum(axis=1) / np.maximum(some.sum(axis=1), 1)
    return tuple(round(float(m), 6) if ok else None for m, ok in zip(mean, some.any(axis=1), strict=True))

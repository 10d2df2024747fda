"""From a living incident to its record: findings, causes, who was hit, what stayed green, and what to draw."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from driftwatch.attribution.answers import change_of
from driftwatch.attribution.causes.candidates import Candidate
from driftwatch.attribution.causes.find import find_causes
from driftwatch.attribution.checks.alerts import alerts_of
from driftwatch.attribution.checks.health import Rule, contrast, evaluate, silent
from driftwatch.attribution.doses import doses_of
from driftwatch.attribution.drawn import CHART_TICKS, chart_of, plain, watched
from driftwatch.attribution.economics import economics_of
from driftwatch.attribution.memory.chapter import memory_of
from driftwatch.attribution.parts import segments_of
from driftwatch.attribution.placement import of_pod
from driftwatch.attribution.scene import Scene
from driftwatch.detectors import Shift
from driftwatch.events.signals import BY_NAME, Signal
from driftwatch.incidents.life import Alarm, Life, severity_of
from driftwatch.incidents.models import (
    AnswerChange,
    Cause,
    Finding,
    HealthCheck,
    Incident,
    Mark,
    Segment,
    Severity,
)
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.whitening import PROMISED
from driftwatch.ticks.series import SeriesStore

_REFERENCE_TICKS = 720  # healthy ticks that causes are compared with
_CREPT = "It began before the history that is kept: neither its cause nor who was hit is looked for."


@dataclass(frozen=True, slots=True)
class Clock:
    """Ticks as times."""

    width: float
    lateness: float

    def at(self, tick: int) -> datetime:
        """Beginning of a tick."""
        return datetime.fromtimestamp(tick * self.width, UTC)

    def known(self, tick: int) -> datetime:
        """When a tick is final, and so known: one lateness window after its end."""
        return datetime.fromtimestamp((tick + 1) * self.width + self.lateness, UTC)


Again = Callable[[Alarm, int], Alarm]
"""An alarm with what has come until a later tick."""


def record(life: Life, scene: Scene, checks: Sequence[Rule], again: Again, last: int) -> Incident:
    """The incident as it is known at tick ``last``.

    Parameters
    ----------
    life
        The living incident.
    scene
        What is known around it.
    checks
        Health checks.
    again
        Measures an alarm's move again, with what has come since.
    """
    clock = Clock(scene.width, scene.config.ticks.lateness_s)
    until = life.recovered if life.recovered is not None else last
    lead = again(life.lead, until)
    others = [again(a, until) for a in life.alarms.values() if (a.stream, a.signal) != (lead.stream, lead.signal)]
    beside = sorted((_finding(a, scene, clock, until) for a in others), key=_weight, reverse=True)
    finding = _finding(lead, scene, clock, until)
    findings = [finding, *beside]
    oldest = _oldest(scene, lead.stream, lead.signal)
    first, kept = max(lead.shift.onset - _REFERENCE_TICKS, oldest), lead.shift.onset > oldest
    segments = segments_of(scene, lead, first, until) if kept else ()
    inside = _inside(scene, lead, segments, first, until)
    around = replace(scene, series=inside.series)
    about = BY_NAME[lead.signal].text
    drawn = around.candidates(lead.stream, first, lead.shift.onset, last, answers=about) if kept else []
    looked_at = [replace(each, values=each.values[: until - first + 1]) for each in drawn]
    causes = _causes(lead, inside, looked_at, scene, first, until) if kept else ()
    health = health_of(scene, checks, lead.stream, first, max(lead.shift.onset, first), until)
    life.seq += 1
    return Incident(
        id=life.id,
        seq=life.seq,
        status=life.status,
        transition="open" if life.seq == 1 else "resolve" if life.status == "resolved" else "update",
        kind=life.kind,
        severity=_severity(life, findings, scene),
        stream=life.stream,
        opened_at=clock.known(life.opened),
        onset=clock.at(lead.shift.onset),
        onset_interval=(clock.at(lead.shift.onset_low), clock.at(lead.shift.onset_high + 1)),
        updated_at=clock.known(last),
        resolved_at=None if life.resolved is None else clock.known(life.resolved),
        findings=tuple(findings),
        causes=causes,
        silent=silent(health),
        health=health,
        contrast=contrast(finding, health),
        segments=segments,
        answers=_answers(findings, scene, lead, until),
        memory=memory_of(scene, first, lead.shift.onset, until) if kept else None,
        economics=economics_of(scene, first, lead.shift.onset, until) if kept else None,
        markers=marks_of(scene, clock, lead.shift.onset, until),
        notes=(*_notes(scene, causes, lead), *inside.notes, *(() if kept else (_CREPT,))),
        chart=chart_of(
            [f for f in findings if f.stream == lead.stream],
            scene,
            first,
            lead.shift.onset,
            last,
            causes=causes,
            candidates=drawn,
            beside=lambda start, step: watched(checks, health, scene, start, last, step),
        ),
        doses=doses_of(
            lead.signal, inside.excess, lead.shift.onset - first, _towards_harm(lead), causes, looked_at, scene.width
        ),
    )


def _answers(findings: Sequence[Finding], scene: Scene, lead: Alarm, last: int) -> AnswerChange | None:
    """How answers changed, where something says that they did."""
    heard = any(BY_NAME[f.signal].text and f.stream == lead.stream for f in findings)
    return change_of(scene.said.get(lead.stream), lead.shift.onset, last) if heard else None


def _severity(life: Life, findings: Sequence[Finding], scene: Scene) -> Severity:
    """Of the leading finding, or of the slowest requests: many of those are no less critical where all got slower."""
    judged = [findings[0], *(f for f in findings if BY_NAME[f.signal].tail_of and f.direction == "up")]
    severities = [severity_of(life.kind, f.change, BY_NAME[f.signal].difference, scene.config) for f in judged]
    return "critical" if "critical" in severities else severities[0]


def _weight(finding: Finding) -> tuple[bool, float]:
    return (not BY_NAME[finding.signal].workload, finding.evidence)


def _oldest(scene: Scene, stream: str, signal: str) -> int:
    pieces = scene.histories[stream].observed.get(signal, ())
    return int(pieces[0].tick[0]) if pieces else 0


def _finding(alarm: Alarm, scene: Scene, clock: Clock, last: int) -> Finding:
    signal, shift = BY_NAME[alarm.signal], alarm.shift
    last = max(last, shift.onset)  # another signal may have moved after the leading one was back
    history = scene.histories[alarm.stream]
    _, raw, total = history.signal(alarm.signal, shift.onset, last)
    requests = shift.count
    if signal.by_tick:
        requests = int(history.signal(signal.tail_of, shift.onset, last)[2].sum())
    before, after, change, interval = _sizes(signal, shift, raw, total, scene.width)
    return Finding(
        signal=alarm.signal,
        stream=alarm.stream,
        direction="up" if shift.size > 0 else "down",
        unit=signal.unit,
        before=before,
        after=after,
        change=change,
        interval=interval,
        evidence=shift.evidence / math.log(10.0),
        onset=clock.at(shift.onset),
        requests=requests,
    )


def _sizes(
    signal: Signal, shift: Shift, raw: Floats, total: Floats, width: float
) -> tuple[float, float, float, tuple[float, float]]:
    """Before, after, change and its interval, in the user's units."""
    room = 1.96 * shift.error
    if signal.difference:
        after = float(np.nansum(raw * total) / max(total.sum(), 1.0))
        return after - shift.size, after, shift.size, (shift.size - room, shift.size + room)
    typical = float(np.nanmedian(raw)) if np.isfinite(raw).any() else shift.reference + shift.size
    after, before = (plain(signal, x, width) for x in (typical, typical - shift.size))
    return before, after, math.expm1(shift.size), (math.expm1(shift.size - room), math.expm1(shift.size + room))


def _excess(alarm: Alarm, scene: Scene, first: int, last: int) -> Floats:
    value, raw, _ = scene.histories[alarm.stream].signal(alarm.signal, first, last)
    share = BY_NAME[alarm.signal].shape == "share"
    return np.asarray((raw if share else value) - alarm.shift.reference)


@dataclass(frozen=True, slots=True)
class _Inside:
    """Where causes are looked for: the stream's excess and all series, or those of the replica that was hit hardest."""

    excess: Floats
    series: SeriesStore
    notes: tuple[str, ...] = ()


def _inside(scene: Scene, lead: Alarm, segments: Sequence[Segment], first: int, last: int) -> _Inside:
    """The replica of the part that was hit hardest, if its pod exposes series: beside it the others are only noise.

    A part that could not be compared with the rest may be no worse off than the rest, so that all is looked at.
    """
    whole = _Inside(_excess(lead, scene, first, last), scene.series)
    replica = segments[0].where.get("replica") if segments and segments[0].compared else None
    series = None if replica is None else of_pod(scene.series, replica)
    if replica is None or series is None:
        return whole
    numbers = [k for k in scene.histories[lead.stream].segment_numbers() if _replica(scene, k) == replica]
    name = BY_NAME[lead.signal].tail_of or lead.signal
    excess = scene.histories[lead.stream].mean_within(name, numbers, first, last)
    if not np.isfinite(excess[: lead.shift.onset - first]).any():
        return whole
    return _Inside(excess, series, (f"causes were looked for in replica={replica}, which was hit harder",))


def _replica(scene: Scene, segment: int) -> str | None:
    return scene.segments.where(segment).get("replica")


def _causes(
    lead: Alarm, inside: _Inside, candidates: Sequence[Candidate], scene: Scene, first: int, last: int
) -> tuple[Cause, ...]:
    if BY_NAME[lead.signal].workload:
        return ()  # users did it: there is no cause to look for in the engine
    shift = lead.shift
    return find_causes(
        _towards_harm(lead) * inside.excess,
        shift.onset - first,
        candidates,
        scene.events(first, last),
        tick_s=scene.width,
        settings=scene.config.attribution,
        seed=zlib.crc32(f"{lead.stream}|{lead.signal}|{shift.onset}".encode()),
        signal=lead.signal,
        onset_interval=(shift.onset_low - first, shift.onset_high - first),
        bystanders=scene.bystanders(first, last),
    )


def _towards_harm(lead: Alarm) -> float:
    """What an excess is multiplied by so that up is worse; a move of what is said is looked at as it is."""
    signal = BY_NAME[lead.signal]
    if signal.good == "high":
        return -1.0
    return -1.0 if signal.text and signal.good == "unknown" and lead.shift.size < 0 else 1.0


def health_of(
    scene: Scene, checks: Sequence[Rule], stream: str, first: int, onset: int, last: int
) -> tuple[HealthCheck, ...]:
    """What the checks showed, and the alerts of a Prometheus server where it is read."""
    extra = extra_of(scene, stream, first, last) if stream in scene.histories else None
    alerts = alerts_of(scene.series, scene.config.health, first, onset, last)
    return (*evaluate(checks, scene.series, first, onset, last, extra), *alerts)


def extra_of(scene: Scene, stream: str, first: int, last: int) -> dict[str, Floats]:
    """What the requests themselves say for the health checks."""
    share = scene.histories[stream].signal("error_share", first, last)[1]
    return {"error_share": share}


def marks_of(scene: Scene, clock: Clock, onset: int, last: int) -> tuple[Mark, ...]:
    """Markers from shortly before the onset on."""
    return tuple(
        Mark(at=clock.at(onset - CHART_TICKS + e.at_tick), kind=e.kind, text=e.text)
        for e in scene.events(onset - CHART_TICKS, last)
    )


def _notes(scene: Scene, causes: Sequence[Cause], lead: Alarm) -> tuple[str, ...]:
    measured = {series.name for series in scene.series.ids()}
    notes = []
    if not measured & {"kv_cache_usage", "preemptions"}:
        notes.append(
            "neither KV cache use nor preemptions were measured: memory pressure can be neither blamed nor ruled out"
        )
    if not any(c.tier == "supported" for c in causes):
        notes.append("no cause passed its tests: what is named is consistent with the change, no more")
    if lead.effective < PROMISED:
        notes.append(
            f"the baseline is young: it is worth {lead.effective:.0f} independent ticks; "
            f"the promise about false alarms holds from {PROMISED:.0f}"
        )
    return tuple(notes)

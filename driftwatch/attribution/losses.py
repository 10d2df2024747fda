"""From what is lost to its record: which stream or source, since when, how sure, and what went on meanwhile."""

from __future__ import annotations

import math
from collections.abc import Sequence

from driftwatch.attribution.account import Clock, health_of, marks_of
from driftwatch.attribution.checks.health import Rule, silent
from driftwatch.attribution.drawn import chart_of
from driftwatch.attribution.scene import Scene
from driftwatch.incidents.life import severity_of
from driftwatch.incidents.models import Finding, Incident, Loss
from driftwatch.incidents.telemetry import Gone, Outage, Telemetry

_BEFORE_TICKS = 720
_NAMES = 40


def lost(outage: Outage, heard: Telemetry, scene: Scene, checks: Sequence[Rule], last: int) -> Incident:
    """The incident as it is known at tick ``last``: no cause is looked for, since silence has no dose.

    Parameters
    ----------
    outage
        What is lost.
    heard
        What is heard of streams and metrics.
    scene
        What is known around it.
    checks
        Health checks.
    """
    clock = Clock(scene.width, scene.config.ticks.lateness_s)
    until = last if outage.recovered is None else max(outage.recovered, outage.onset)
    losses = tuple(_loss(gone, heard, clock, last) for gone in outage.gone)
    findings = tuple(_finding(loss) for loss in losses if loss.what == "traffic")
    first = outage.onset - _BEFORE_TICKS
    health = health_of(scene, checks, outage.stream, first, outage.onset, until)
    outage.seq += 1
    return Incident(
        id=outage.id,
        seq=outage.seq,
        status=outage.status,
        transition="open" if outage.seq == 1 else "resolve" if outage.status == "resolved" else "update",
        kind="telemetry",
        severity=severity_of("telemetry", -1.0, False, scene.config),
        stream=outage.stream,
        opened_at=clock.known(outage.opened),
        onset=clock.at(outage.onset),
        onset_interval=(clock.at(outage.onset - 1), clock.at(outage.onset + outage.gone[0].vague)),
        updated_at=clock.known(last),
        resolved_at=None if outage.resolved is None else clock.known(outage.resolved),
        findings=findings,
        losses=losses,
        silent=silent(health),
        health=health,
        markers=marks_of(scene, clock, outage.onset, until),
        notes=tuple(_notes(outage, heard, last)),
        chart=chart_of(findings, scene, first, outage.onset, last) if findings else None,
    )


def _loss(gone: Gone, heard: Telemetry, clock: Clock, last: int) -> Loss:
    end = last + 1 if gone.ended is None else gone.ended
    return Loss(
        what=gone.what,
        source=gone.source,
        since=clock.at(gone.onset),
        until=None if gone.ended is None else clock.at(gone.ended),
        missing=round(gone.rate * (end - gone.onset)) if gone.what == "traffic" else gone.missing,
        of=gone.of,
        rate=gone.rate / clock.width,
        longest_s=gone.longest * clock.width,
        names=gone.names[:_NAMES],
        evidence=heard.evidence(gone, last) / math.log(10.0),
    )


def _finding(loss: Loss) -> Finding:
    """The request rate fell to nothing; the interval's upper end is the rule of three."""
    return Finding(
        signal="traffic",
        stream=loss.source,
        direction="down",
        unit="1/s",
        before=loss.rate,
        after=0.0,
        change=-1.0,
        interval=(-1.0, min(3.0 / max(loss.missing, 1), 1.0) - 1.0),
        evidence=loss.evidence,
        onset=loss.since,
        requests=0,
    )


def _notes(outage: Outage, heard: Telemetry, last: int) -> list[str]:
    notes = []
    lost = {gone.what for gone in outage.gone}
    others, measured = heard.alive(outage, last)
    if "traffic" in lost:
        if others is not None:
            notes.append("other streams went on" if others else "no other stream had requests meanwhile")
        if measured is not None:
            notes.append("metrics kept coming" if measured else "no metrics came either")
        dark = not others and (measured is False or not heard.staleness.any)
        if dark and "requests" not in lost:  # requests that hang were seen to begin
            notes.append(
                "a restart or a fault of whatever collects the logs looks the same: "
                "whether users were without an answer is not known"
            )
    if "series" in lost:
        notes.append("a source that was switched off on purpose looks the same")
    return notes

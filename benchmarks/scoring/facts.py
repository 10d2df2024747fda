"""The facts of one case: the truth, what was found, what rivals said, what it cost; nothing here judges.

These are all that is kept of a case, so that the rules of the score can be read, and changed, beside them.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import driftwatch
from driftwatch.events.columns import Markers, Requests
from driftwatch.incidents import Incident
from driftwatch.simulate import simulate
from scoring.adwin import adwin_alarms
from scoring.cases import MINUTES, Case
from scoring.thresholds import threshold_alarms

Row = dict[str, Any]
_ROWS_AT_ONCE = 8192


def facts(case: Case) -> Row:
    """Simulate a case, scan it with the default configuration, and let the rivals look at the same data."""
    began = time.process_time()
    made = simulate(case.name, severity=case.severity, seed=case.seed, minutes=MINUTES)
    requests, metrics, markers = batches_of(made.requests), made.metrics, rows_of(made.markers)
    simulated = time.process_time()
    report = driftwatch.scan(requests, metrics=metrics, markers=markers)
    scanned = time.process_time()
    return {
        "truth": made.truth,
        "requests": report.requests,
        "incidents": [brief(incident) for incident in report.incidents],
        "rivals": rivals(made.requests, metrics),
        "cpu": {"simulate": simulated - began, "scan": scanned - simulated},
    }


def rivals(requests: Requests, metrics: Any) -> dict[str, list[float]]:
    """Times at which each rival alarmed, in order, rounded to seconds."""
    alarms = {"thresholds": threshold_alarms(requests, metrics), "ADWIN": adwin_alarms(requests, metrics)}
    return {name: np.unique(np.round(at)).tolist() for name, at in alarms.items()}


def batches_of(requests: Requests) -> list[Requests]:
    """Batches in the order of time, as from a log."""
    order = np.argsort(requests.at, kind="stable")
    return [requests.take(order[i : i + _ROWS_AT_ONCE]) for i in range(0, len(order), _ROWS_AT_ONCE)]


def rows_of(markers: Markers) -> list[Row] | None:
    """Markers as rows; nothing where there are none."""
    columns = zip(markers.at.tolist(), markers.kind, markers.text, markers.labels, strict=True)
    return [{"t": at, "kind": kind, "text": text, "labels": dict(labels)} for at, kind, text, labels in columns] or None


def brief(incident: Incident) -> Row:
    """What the score asks of an incident."""
    return {
        "kind": incident.kind,
        "stream": incident.stream,
        "signals": [f"{finding.signal} {finding.direction}" for finding in incident.findings],
        "opened": incident.opened_at.timestamp(),
        "onset": incident.onset.timestamp(),
        "silent": incident.silent,
        "causes": [{"name": c.name, "scope": c.scope, "tier": c.tier} for c in incident.causes],
        "where": [segment.where for segment in incident.segments],
    }

"""The Grafana dashboard of driftwatch itself, built so that a panel is a few lines; a test says when it is stale.

Run it as ``python docs/dashboard.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Plot(NamedTuple):
    """One panel.

    Parameters
    ----------
    title, about
        Its heading, and what to make of it.
    queries
        PromQL, by what each line is called.
    unit
        Of Grafana: ``s``, ``reqps``, ``short``.
    kind
        Of Grafana: ``timeseries``, ``stat`` or ``table``.
    width
        In columns of 24.
    """

    title: str
    about: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12


PLOTS = (
    Plot(
        "Incidents now",
        "What is open or acknowledged, and its likely cause.",
        {"": 'max by (id, stream, kind, severity, cause) (driftwatch_incident{stream=~"$stream"}) == 1'},
        kind="table",
        width=24,
    ),
    Plot(
        "Evidence that something changed",
        "log10 of the evidence of each signal; an incident opens at the threshold. What climbs is worth a look.",
        {
            "{{stream}} {{signal}}": 'max by (stream, signal) (driftwatch_evidence{stream=~"$stream"})',
            "threshold": "max(driftwatch_threshold)",
        },
        width=16,
    ),
    Plot(
        "Incidents that opened",
        "In the time shown, by kind and severity.",
        {"{{kind}}, {{severity}}": "sum by (kind, severity) (increase(driftwatch_incidents_total[$__range]))"},
        kind="stat",
        width=8,
    ),
    Plot(
        "Requests seen",
        "If this falls to nothing while users send, driftwatch is blind.",
        {"{{stream}}": 'sum by (stream) (rate(driftwatch_requests_total{stream=~"$stream"}[$__rate_interval]))'},
        "reqps",
    ),
    Plot(
        "Streams",
        "What is learning is not judged yet.",
        {"{{state}}": "sum by (state) (driftwatch_streams)"},
    ),
    Plot(
        "Not counted, by reason",
        "Shed: dropped, so that nobody waits. Quarantined: could not be read. Late: its tick was judged before.",
        {
            "shed: {{reason}}": "sum by (reason) (rate(driftwatch_shed_total[$__rate_interval]))",
            "quarantined: {{reason}}": "sum by (reason) (rate(driftwatch_quarantined_total[$__rate_interval]))",
            "late": "sum(rate(driftwatch_late_total[$__rate_interval]))",
            "duplicates": "sum(rate(driftwatch_duplicates_total[$__rate_interval]))",
        },
        "reqps",
    ),
    Plot(
        "How far behind",
        "Age of the newest tick that was judged, and requests that wait to be counted.",
        {"lag, s": "max(driftwatch_tick_lag_seconds)", "queue": "max(driftwatch_queue_length)"},
    ),
    Plot(
        "Alerts that wait or were given up",
        "By destination. What waits is tried again; what was given up: driftwatch outbox list.",
        {
            "{{sink}} waits": "max by (sink) (driftwatch_outbox_pending)",
            "{{sink}} given up": "max by (sink) (driftwatch_outbox_dead)",
        },
    ),
    Plot(
        "Alerts delivered, and failed attempts",
        "By destination, and by reason.",
        {
            "{{sink}} delivered": "sum by (sink) (increase(driftwatch_outbox_delivered_total[$__rate_interval]))",
            "{{sink}} failed: {{reason}}": (
                "sum by (sink, reason) (increase(driftwatch_outbox_failed_total[$__rate_interval]))"
            ),
        },
    ),
    Plot(
        "Age of the checkpoint",
        "What a restart would have to learn again.",
        {
            "age": "time() - max(driftwatch_checkpoint_timestamp_seconds)",
            "errors": "sum(increase(driftwatch_checkpoint_errors_total[$__rate_interval]))",
        },
        "s",
    ),
    Plot(
        "Faults",
        "Faults of driftwatch that were caught, and times that the wall clock jumped.",
        {
            "faults": "sum(increase(driftwatch_faults_total[$__rate_interval]))",
            "clock jumps": "sum(increase(driftwatch_clock_jumps_total[$__rate_interval]))",
        },
    ),
    Plot(
        "CPU in the background",
        "Cores that driftwatch takes from the serving process.",
        {"{{instance}}": "sum by (instance) (rate(driftwatch_background_cpu_seconds_total[$__rate_interval]))"},
    ),
)


def dashboard() -> str:
    """The dashboard as JSON, to be imported into Grafana 10 or newer."""
    model = {
        "uid": "driftwatch",
        "title": "driftwatch",
        "tags": ["driftwatch", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _streams()]},
        "annotations": {"list": [_incidents()]},
        "panels": _placed(),
    }
    return json.dumps(model, indent=2) + "\n"


def _placed() -> list[dict[str, Any]]:
    """Panels from left to right, and on to the next row."""
    panels, x, y = [], 0, 0
    for number, plot in enumerate(PLOTS, 1):
        if x + plot.width > 24:
            x, y = 0, y + 8
        panels.append(_panel(plot, number) | {"gridPos": {"x": x, "y": y, "w": plot.width, "h": 8}})
        x += plot.width
    return panels


def _panel(plot: Plot, number: int) -> dict[str, Any]:
    table = plot.kind == "table"
    targets = [
        {"refId": chr(65 + n), "datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto"}
        | ({"format": "table", "instant": True} if table else {})
        for n, (legend, expr) in enumerate(plot.queries.items())
    ]
    hidden = {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}
    return {
        "id": number,
        "type": plot.kind,
        "title": plot.title,
        "description": plot.about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": plot.unit}, "overrides": []},
        "targets": targets,
        "transformations": [hidden] if table else [],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _streams() -> dict[str, Any]:
    query = "label_values(driftwatch_requests_total, stream)"
    shown = {"includeAll": True, "multi": True, "allValue": ".*", "refresh": 2}
    return {"name": "stream", "label": "Stream", "type": "query", "datasource": SOURCE, "query": query, **shown}


def _incidents() -> dict[str, Any]:
    """What the sink `Grafana` writes: a region from onset to end."""
    return {
        "name": "Incidents",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "iconColor": "red",
        "target": {"type": "tags", "tags": ["driftwatch"], "limit": 100, "matchAny": False},
    }


if __name__ == "__main__":
    (Path(__file__).parent / "monitoring" / "grafana-dashboard.json").write_text(dashboard(), encoding="utf-8")

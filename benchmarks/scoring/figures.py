"""One figure: how long until each fault is noticed, by severity, ours beside thresholds and ADWIN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import vl_convert
from detecting.figures import STYLE

from scoring.cases import SEVERITIES

Row = dict[str, Any]
NEVER_S = 7200.0
_WHO = ("driftwatch", "thresholds", "ADWIN")


def delay_figure(rows: Sequence[Row]) -> str:
    """SVG of the rows of `scoring.totals.by_severity`, those that touch telemetry."""
    points = [point for row in rows if row["asked"] for point in _points(row)]
    charts = [_panel([p for p in points if p["severity"] == s], s) for s in SEVERITIES]
    drawn = alt.hconcat(*charts, spacing=16)
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(drawn.to_dict() | {"config": STYLE}, vl_version=version))


def _points(row: Row) -> Iterator[Row]:
    """The median over all cases; what most of them never notice is drawn at the edge."""
    for who, found in {_WHO[0]: row, **row["rivals"]}.items():
        delay = NEVER_S if found["typical"] is None else found["typical"]
        scenario = f"{row['title']} ({row['number']})"
        yield {"severity": row["severity"], "who": who, "scenario": scenario, "delay": min(max(delay, 5.0), NEVER_S)}


def _panel(points: list[Row], severity: str) -> Any:
    names = list(dict.fromkeys(p["scenario"] for p in points))
    chart = alt.Chart(alt.InlineData(values=points), width=190, height=20 * max(len(names), 1), title=severity)
    ticks = alt.Axis(values=[10, 30, 100, 300, 1000, 7200], labelExpr="datum.value >= 7200 ? 'never' : datum.label")
    x = alt.X("delay:Q", scale=alt.Scale(type="log", domain=[5, NEVER_S]), axis=ticks, title="seconds to detection")
    shown = alt.Axis() if severity == SEVERITIES[0] else None
    y = alt.Y("scenario:N", sort=names, title=None, axis=shown)
    colours = alt.Scale(domain=list(_WHO), range=["#1f5fbf", "#8a919e", "#e0a030"])
    colour = alt.Color("who:N", scale=colours, title=None, legend=alt.Legend(orient="bottom"))
    shape = alt.Shape("who:N", scale=alt.Scale(domain=list(_WHO), range=["circle", "square", "triangle-up"]))
    return chart.mark_point(size=55, filled=True, opacity=0.9).encode(x, y, colour, shape)

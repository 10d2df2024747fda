"""Two figures: the promise on every stream, and the delay beside the oracle's."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

Row = dict[str, Any]
_MUTED, _GRID, _INK, _BAD = "#646b78", "#e3e6eb", "#1f2430", "#b4232a"
STYLE = {
    "background": "white",
    "padding": 8,
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), _GRID),
        **{"labelFont": "sans-serif", "labelFontSize": 11, "labelColor": _MUTED, "labelLimit": 300},
        **{"titleFont": "sans-serif", "titleFontSize": 11, "titleFontWeight": 400, "titleColor": _MUTED},
    },
    "legend": {"labelFont": "sans-serif", "titleFont": "sans-serif", "titleFontWeight": 400},
    "title": {"font": "sans-serif", "fontSize": 12, "fontWeight": 600, "color": _INK},
}


def figures(found: dict[str, Any]) -> dict[str, str]:
    """SVG by name, of the sections that were measured."""
    drawn = {"promise": _promise, "delay": _delay}
    return {name: _svg(draw(found[name])) for name, draw in drawn.items() if name in found}


def _svg(chart: Any) -> str:
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_dict() | {"config": STYLE}, vl_version=version))


def _promise(rows: list[Row]) -> Any:
    asked = [r | {"setting": _setting(r)} for r in rows if r["detector"] == "ours" and r["asked"]]
    near = [r for r in asked if r["arl"] == 1e4]
    line = [r for r in asked if r["learnt"] == 300 and r["margin"] > 0]
    names = list(dict.fromkeys(r["stream"] for r in rows))
    return alt.hconcat(_dots(near, names), _lines(line, names), spacing=40).resolve_scale(color="independent")


def _setting(row: Row) -> str:
    return f"{'default margin' if row['margin'] else 'margin 0'}, {row['learnt']:,} learnt"


def _dots(rows: list[Row], names: list[str]) -> Any:
    chart = alt.Chart(alt.InlineData(values=rows), width=330, height=28 * len(names))
    scale = _log(0.01, 100.0)
    order = sorted({r["setting"] for r in rows}, key=lambda s: (s.startswith("default"), len(s)))
    y, offset = alt.Y("stream:N", sort=names, title=None), alt.YOffset("setting:N", sort=order)
    colour = alt.Color("setting:N", sort=order, title=None, legend=alt.Legend(orient="bottom", columns=2))
    axis = alt.Axis(values=[0.01, 0.1, 1, 10, 100])
    x = alt.X("ratio:Q", scale=scale, axis=axis, title="false alarms, measured / promised, 95%")
    bars = chart.mark_rule(strokeWidth=2).encode(alt.X("low:Q", scale=scale), y, alt.X2("high:Q"), colour, offset)
    points = chart.mark_circle(size=30, opacity=1).encode(x, y, colour, offset)
    return alt.layer(_rule("x"), bars, points, title="One alarm promised in 10,000 ticks")


def _lines(rows: list[Row], names: list[str]) -> Any:
    chart = alt.Chart(alt.InlineData(values=rows), width=300, height=28 * len(names))
    promised = alt.Axis(values=[1e3, 1e4, 1e5, 1e6, 2e7], format=".0e")
    x = alt.X("arl:Q", scale=_log(1e3, 2e7), axis=promised, title="promised run length, ticks")
    axis = alt.Axis(values=[0.01, 0.1, 1, 10, 100])
    y = alt.Y("high:Q", scale=_log(0.01, 100.0), axis=axis, title="upper 95% limit of measured / promised")
    colour = alt.Color("stream:N", sort=names, title=None, scale=alt.Scale(scheme="tableau20"))
    lines = chart.mark_line(point=True, strokeWidth=1.5).encode(x, y, colour)
    return alt.layer(_rule("y"), lines, title="Other promises: 300 learnt, default margin")


def _log(low: float, high: float) -> Any:
    """Between these, and what lies beyond at the edge."""
    return alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)


def _rule(axis: str) -> Any:
    chart = alt.Chart(alt.InlineData(values=[{"one": 1}]))
    encoded = {axis: alt.X("one:Q") if axis == "x" else alt.Y("one:Q")}
    return chart.mark_rule(color=_BAD, strokeDash=[4, 3]).encode(**encoded)


def _delay(rows: list[Row]) -> Any:
    left = [point for r in rows if r["arl"] == 1e4 and r["place"] == 0 for point in _points(r, peers=True)]
    right = [point for r in rows if r["arl"] == 2e7 and r["place"] == 0 for point in _points(r, peers=False)]
    near, far = _curves(left, "One false alarm in 10,000 ticks"), _curves(right, "One in 20 million ticks")
    return alt.hconcat(near, far, spacing=40)


def _points(row: Row, *, peers: bool) -> list[Row]:
    """Times the oracle's delay, by size of the shift."""
    if not row["change"].startswith("shift") or row["margin"]:
        return []
    size = float(row["change"].split()[1])
    seen = {f"ours, {row['baseline']}": row["ours"]}
    if peers and row["baseline"] == "1,000 ticks":
        seen |= row["peers"]
    return [{"size": size, "who": who, "times": t / row["oracle"]} for who, t in seen.items() if t and row["oracle"]]


def _curves(points: list[Row], title: str) -> Any:
    names = list(dict.fromkeys(p["who"] for p in points))
    chart = alt.Chart(alt.InlineData(values=points), width=300, height=280)
    sizes, times = alt.Axis(values=[0.25, 0.5, 1, 2]), alt.Axis(values=[0.7, 1, 1.5, 2, 3, 5, 10], format="~g")
    x = alt.X("size:Q", scale=_log(0.22, 2.3), axis=sizes, title="shift, standard deviations")
    y = alt.Y("times:Q", scale=_log(0.7, 10.0), axis=times, title="median delay / that of the oracle")
    colour = alt.Color("who:N", sort=names, title=None, scale=alt.Scale(scheme="tableau10"))
    lines = chart.mark_line(point=True, strokeWidth=1.8).encode(x, y, colour)
    return alt.layer(_rule("y"), lines, title=title)

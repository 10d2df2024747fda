"""Plots as plain numbers: what a figure shows, its digest, and the drawing of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftwatch._optional import load

Floats = NDArray[np.floating[Any]]
Line = tuple[Floats, Floats]

_INK, _MUTED, _GRID, _BAND, _MARK = "#1f2430", "#646b78", "#e3e6eb", "#fbe3b6", "#b45309"
_COLOURS = ["#1d4ed8", "#b4232a", "#0f766e", "#b45309", "#7c3aed", "#646b78", "#db2777", "#4d7c0f"]
_LINE = {"type": "line", "strokeWidth": 1.6}
_DOTS = {"type": "line", "strokeWidth": 2.6, "strokeCap": "round"}  # points between gaps: a tenth of circles' bytes
_DECADES = [10.0**k for k in range(-6, 9)]
_STYLE = {
    "aria": False,  # the page says what is to be seen
    "background": "white",  # read on a dark page too
    "padding": 8,
    "view": {"stroke": None},
    "axis": {
        **dict.fromkeys(("gridColor", "domainColor", "tickColor"), _GRID),
        **{"labelFont": "sans-serif", "labelFontSize": 11, "labelColor": _MUTED},
        **{"titleFont": "sans-serif", "titleFontSize": 11, "titleFontWeight": 400, "titleColor": _MUTED},
    },
    "legend": {
        "labelFont": "sans-serif",
        "labelFontSize": 11,
        "labelColor": _INK,
        "title": None,
        "symbolType": "stroke",
    },
    "title": {"font": "sans-serif", "fontSize": 12, "fontWeight": 600, "color": _INK, "anchor": "start"},
}


class Panel(NamedTuple):
    """One plot.

    Parameters
    ----------
    title, x, y
        What it shows, and the titles of its axes.
    lines, dots
        By name: where, and how high. An empty name needs no legend.
    across, down
        By name: rules that cross the plot, and that go down it.
    bands
        Spans on the x axis.
    log
        Which of the axes are logarithmic.
    """

    title: str
    lines: Mapping[str, Line] = {}
    dots: Mapping[str, Line] = {}
    across: Mapping[str, float] = {}
    down: Mapping[str, float] = {}
    bands: Sequence[tuple[float, float]] = ()
    x: str = ""
    y: str = ""
    log: str = ""


def digest(panels: Sequence[Panel]) -> str:
    """Of the numbers in a figure, to three digits: what another processor may see otherwise is no change."""
    found = json.dumps([_plain(panel) for panel in panels])
    return hashlib.sha256(found.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [_plain(v) for v in value]
    return [float(f"{v:.3g}") for v in np.atleast_1d(value)]


def drawn(panels: Sequence[Panel]) -> str:
    """An SVG of the panels, one below the other, that says their digest."""
    alt = load("altair", "report")
    charts = [_chart(alt, panel) for panel in panels]
    chart = alt.vconcat(*charts, spacing=24).resolve_scale(color="independent")
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    svg = load("vl_convert", "report").vegalite_to_svg(chart.to_dict() | {"config": _STYLE}, vl_version=version)
    short = re.sub(r'="[^"]*"', _shortened, svg)
    return f"{short.rstrip()}\n<!-- data {digest(panels)} -->\n"


def _shortened(attribute: re.Match[str]) -> str:
    """A hundredth of a pixel will do."""
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute[0])


def _chart(alt: Any, panel: Panel) -> Any:
    x = alt.X("x:Q", title=panel.x or None, scale=_scale(alt, "x", panel), axis=_axis(alt, "x", panel))
    y = alt.Y("y:Q", title=panel.y or None, scale=_scale(alt, "y", panel), axis=_axis(alt, "y", panel))
    layers = [*_bands(alt, panel, x), *_rules(alt, panel, x, y)]
    for series, shape, gaps in ((panel.lines, _LINE, False), (panel.dots, _DOTS, True)):
        if series:
            chart = alt.Chart(alt.InlineData(values=_rows(series, gaps)), mark=alt.MarkDef(**shape))
            layers.append(chart.encode(x, y, _colour(alt, list(series))))
    return alt.layer(*layers, width=560, height=130, title=panel.title)


def _rows(series: Mapping[str, Line], gaps: bool) -> list[dict[str, Any]]:
    return [
        {"x": float(f"{a:.4g}"), "y": y, "name": name}
        for name, line in series.items()
        for a, b in zip(*line, strict=True)
        for y in ([float(f"{b:.3g}"), None] if gaps else [float(f"{b:.3g}")])
    ]


def _scale(alt: Any, axis: str, panel: Panel) -> Any:
    kind = "log" if axis in panel.log else "linear"
    if axis == "y":
        return alt.Scale(type=kind, zero=False)
    xs = np.concatenate([line[0] for line in [*panel.lines.values(), *panel.dots.values()]])
    return alt.Scale(type=kind, domain=[float(xs.min()), float(xs.max())], nice=False)


def _axis(alt: Any, axis: str, panel: Panel) -> Any:
    if axis in panel.log:
        return alt.Axis(values=_DECADES, format="~g", grid=axis == "y")
    return alt.Axis(tickCount=8 if axis == "x" else 4, grid=axis == "y")


def _colour(alt: Any, names: list[str]) -> Any:
    legend = alt.Legend(orient="bottom", columns=4) if names != [""] else None
    return alt.Color("name:N", sort=names, scale=alt.Scale(domain=names, range=_COLOURS[: len(names)]), legend=legend)


def _bands(alt: Any, panel: Panel, x: Any) -> Iterator[Any]:
    for low, high in panel.bands:
        chart = alt.Chart(alt.InlineData(values=[{"x": low, "end": high}]))
        yield chart.mark_rect(color=_BAND, stroke=None).encode(x, alt.X2("end:Q"))


def _rules(alt: Any, panel: Panel, x: Any, y: Any) -> Iterator[Any]:
    """Each with its name beside it."""
    for name, at in panel.across.items():
        chart = alt.Chart(alt.InlineData(values=[{"y": at, "name": name}]))
        yield chart.mark_rule(color=_MUTED, strokeDash=[4, 3]).encode(y)
        words = chart.mark_text(align="left", baseline="bottom", dx=4, dy=-2, color=_MUTED, fontSize=11)
        yield words.encode(y, x=alt.value(0), text="name:N")
    for n, (name, at) in enumerate(panel.down.items()):
        chart = alt.Chart(alt.InlineData(values=[{"x": at, "name": name}]))
        yield chart.mark_rule(color=_MARK, strokeWidth=1.3).encode(x)
        words = chart.mark_text(align="left", dx=4, color=_MARK, fontSize=11)
        yield words.encode(x, y=alt.value(6 + 13 * n), text="name:N")

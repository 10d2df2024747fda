"""The swaps as a picture: our delays and the best rival's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from driftwatch.explain.drawing import Drawing

_STREAM = 303
_COLOURS = ["#8b929e", "#1d4ed8"]


def figure(found: Mapping[str, Any]) -> str:
    """Median delays by pair, as SVG."""
    rows = [
        {"pair": f"{row['from']} → {row['to']}", "who": who, "delay": delay or _STREAM, "found": delay is not None}
        for row in found["swaps"]
        for who, delay in (("driftwatch", row["text"]["delay"]), ("alibi-detect's best", row["alibi"]["delay"]))
    ]
    pairs = [f"{row['from']} → {row['to']}" for row in found["swaps"]]
    base = alt.Chart(alt.NamedData("swaps"), width=520, height={"step": 22})
    title = "answers to the alarm, median (hollow: not within 303)"
    x = alt.X("delay:Q", title=title, scale=alt.Scale(domain=[0, 310]))
    colour = alt.Color("who:N", title=None, scale=alt.Scale(range=_COLOURS))
    filled = alt.condition("datum.found", colour, alt.value("white"))
    points = base.mark_point(size=70, filled=True, strokeWidth=1.5).encode(
        x, alt.Y("pair:N", sort=pairs, title=None, axis=alt.Axis(labelLimit=360)), fill=filled, stroke=colour
    )
    return Drawing((points,), {"swaps": rows}).svg()

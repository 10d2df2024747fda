"""Who was hit: each part of the traffic, before and since."""

from __future__ import annotations

import math

from driftwatch._optional import load
from driftwatch.events.signals import BY_NAME as SIGNALS
from driftwatch.explain.drawing import MUTED, OTHER, SIGNAL, Drawing
from driftwatch.explain.facts import labels, title
from driftwatch.explain.numbers import clean
from driftwatch.incidents.models import Incident, Segment

_MOST = 8


def drawing(incident: Incident, width: int) -> Drawing | None:
    """A row for each part that was compared: before as a ring, since as a dot; nothing where none was.

    Parameters
    ----------
    incident
        The record.
    width
        Of the whole, in pixels.
    """
    parts = _parts(incident)
    if not parts:
        return None
    alt = load("altair", "report")
    rows = [
        {"name": clean(f"{n}. {labels(s.where)}", 26), "before": s.before, "since": s.after}
        for n, s in enumerate(parts, 1)
    ]
    unit = SIGNALS[parts[0].signal].unit if parts[0].signal in SIGNALS else ""
    axis = alt.Axis(title=None, tickCount=4, format=".0%" if unit == "share" else "~g")
    names = alt.Axis(title=None, minExtent=150, maxExtent=150, domain=False, ticks=False, labelLimit=150)
    base = alt.Chart(alt.NamedData("parts"), width=width - 160, height={"step": 24})
    y = alt.Y("name:N", sort=[row["name"] for row in rows], axis=names)
    scale = alt.Scale(zero=True)
    span = base.mark_rule(color=OTHER, strokeWidth=2).encode(
        alt.X("before:Q", axis=axis, scale=scale), alt.X2("since:Q"), y
    )
    before = base.mark_point(color=MUTED, filled=False, size=60).encode(alt.X("before:Q"), y)
    since = base.mark_point(color=SIGNAL, filled=True, size=60, opacity=1).encode(alt.X("since:Q"), y)
    measured = f", {unit}" if unit not in ("", "share") else ""
    words = alt.TitleParams(f"{title(parts[0].signal)}{measured}: before (ring), since (dot)", anchor="start", offset=6)
    return Drawing((alt.layer(span, before, since, title=words),), {"parts": rows})


def _parts(incident: Incident) -> list[Segment]:
    known = [s for s in incident.segments if s.signal and s.compared and _drawable(s.before) and _drawable(s.after)]
    known.sort(key=lambda s: s.share, reverse=True)
    return [s for s in known if s.signal == known[0].signal][:_MOST]


def _drawable(value: float) -> bool:
    return math.isfinite(value) and 0 <= value < 1e12

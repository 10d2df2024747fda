"""All incidents of a report over time, in lanes by stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from driftwatch._optional import load
from driftwatch.explain.chart import milliseconds, time_axis
from driftwatch.explain.drawing import INK, ONSET, SIGNAL, SUPPORTED, Drawing
from driftwatch.explain.numbers import clean
from driftwatch.incidents.models import Incident

_SEVERITY = {"critical": SIGNAL, "warning": ONSET, "info": SUPPORTED}
_NARROW, _LABELS = 500, 150
_ROOM = 0.03  # of the period, between two bars of a lane: for the number of the second


def timeline(incidents: Mapping[int, Incident], period: tuple[datetime, datetime], width: int) -> Drawing:
    """Bars from onset to end, numbered as the incidents are listed, each a link to its own.

    Parameters
    ----------
    incidents
        By their numbers.
    period
        First and last time of what was scanned.
    width
        Of the whole, in pixels.
    """
    alt = load("altair", "report")
    frame = [milliseconds(at) for at in period]
    labels = _LABELS if width > _NARROW else 0
    bars = _bars(incidents, frame)
    x = alt.X("from:T", scale=alt.Scale(type="utc", domain=frame), axis=time_axis(alt, frame, width))
    y = alt.Y("lane:O", axis=None)
    base = alt.Chart(alt.NamedData("bars"), width=width - labels, height={"step": 20})
    drawn = base.mark_bar(height=12, cornerRadius=2, stroke=None).encode(
        x, alt.X2("to:T"), y, alt.Color("colour:N", scale=None), href="link:N"
    )
    numbers = base.mark_text(align="right", dx=-4, fontSize=11, color=INK).encode(x, y, text="number:N")
    layers = [drawn, numbers]
    if labels:
        names = base.mark_text(align="right", fontSize=11, color=INK)
        layers.append(names.encode(y=y, text="stream:N", x=alt.value(-24)))
    return Drawing((alt.layer(*layers),), {"bars": bars})


def _bars(incidents: Mapping[int, Incident], frame: list[float]) -> list[dict[str, Any]]:
    """Each incident in the first lane of its stream that is free; a lane's first bar bears the stream's name."""
    ends: dict[tuple[str, int], float] = {}
    bars: dict[int, dict[str, Any]] = {}
    for n, incident in sorted(incidents.items(), key=lambda pair: milliseconds(pair[1].onset)):
        start, end = (min(max(milliseconds(at), frame[0]), frame[1]) for at in (incident.onset, _end(incident)))
        least = (frame[1] - frame[0]) / 150
        end = max(end, min(start + least, frame[1]))
        lane = next(k for k in range(len(incidents)) if ends.get((incident.stream, k), -1.0) <= start)
        key = (incident.stream, lane)
        bars[n] = {
            **{"from": start, "to": end, "colour": _SEVERITY[incident.severity], "number": str(n)},
            **{"link": f"#incident-{n}", "lane": key, "stream": ""},
        }
        if lane == 0 and key not in ends:
            bars[n]["stream"] = clean(incident.stream, 20)
        ends[key] = end + _ROOM * (frame[1] - frame[0])
    place = {key: n for n, key in enumerate(sorted(ends))}
    return [bars[n] | {"lane": place[bars[n]["lane"]]} for n in sorted(bars)]


def _end(incident: Incident) -> datetime:
    return incident.resolved_at or incident.updated_at

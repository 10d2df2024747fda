"""Pictures of an incident: the signals, and the candidate causes below them on the same time axis.

Drawn by altair and turned into SVG by vl-convert, so that a page needs no script and no network. Colours are
those of ``templates/style.css``, which gives each its counterpart on a dark background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch._optional import load
from driftwatch.explain.drawing import INK, MUTED, svg
from driftwatch.explain.facts import cause_title, named, title
from driftwatch.explain.findings import lead
from driftwatch.explain.numbers import clean, number, span, utc
from driftwatch.explain.story import Table
from driftwatch.incidents.models import Cause, Incident, Line

BAND, ONSET = "#fbe3b6", "#b45309"
_SIGNAL, _SUPPORTED, _CONSISTENT, _OTHER = "#b4232a", "#1d4ed8", "#5f7fc4", "#8b929e"
_SEVERITY = {"critical": _SIGNAL, "warning": ONSET, "info": _SUPPORTED}
_ROLES = ("signal", "mechanism", "exogenous", "event", "symptom", "health")
_MOST_ROWS, _MOST_POINTS, _MOST_MARKS, _NARROW = 8, 200, 5, 500


@dataclass(frozen=True, slots=True)
class _Canvas:
    """What all rows of a figure share; times in milliseconds."""

    alt: Any
    incident: Incident
    width: int
    time: NDArray[np.float64]

    @property
    def frame(self) -> list[float]:
        return [float(self.time.min()), float(self.time.max())]

    def __contains__(self, at: float) -> bool:
        return self.frame[0] <= at <= self.frame[1]


def figure(incident: Incident, width: int) -> str:
    """The incident's lines as one SVG, each with what was expected, the onset and its interval.

    Parameters
    ----------
    width
        Of the plot area, in pixels.

    Returns
    -------
    str
        An ``<svg>`` element, or nothing where the record has no points to draw.
    """
    lines, time = _lines(incident), _milliseconds(incident)
    if not lines or len(time) < 2 or not np.isfinite(time).all():
        return ""
    canvas = _Canvas(load("altair", "report"), incident, width, time)
    rows = [_row(canvas, n, line, last=line is lines[-1]) for n, line in enumerate(lines)]
    points = {f"line {n}": _points(line, time) for n, line in enumerate(lines)}
    return svg(canvas.alt, canvas.alt.vconcat(*rows, spacing=30, bounds="flush"), points)


def timeline(incidents: Sequence[Incident], period: tuple[datetime, datetime], width: int) -> str:
    """All incidents as bars from onset to end, numbered as they are listed."""
    alt = load("altair", "report")
    frame = [_ms(at) for at in period]
    bars = [
        {
            "from": min(max(_ms(i.onset), frame[0]), frame[1]),
            "to": min(max(_ms(i.resolved_at or i.updated_at), frame[0]), frame[1]),
            "colour": _SEVERITY[i.severity],
            "name": str(n),
            "row": n,
        }
        for n, i in enumerate(incidents, 1)
    ]
    x = alt.X("from:T", scale=alt.Scale(type="utc", domain=frame), axis=_time_axis(alt, frame, width))
    y = alt.Y("row:O", axis=None)
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(alt.NamedData("bars"), width=width, height={"step": 20})
    drawn = base.mark_bar(height=11, cornerRadius=2, stroke=None).encode(x, alt.X2("to:T"), y, color=colour)
    names = base.mark_text(align="right", dx=-5, fontSize=11, color=INK).encode(x, y, text="name:N")
    return svg(alt, drawn + names, {"bars": bars})


def numbers(incident: Incident) -> Table:
    """What the figure shows, for those who cannot see it: medians before and since the onset."""
    since = _milliseconds(incident) >= _ms(incident.onset)
    rows = []
    for line in _lines(incident):
        value = _array(line.value, len(since))
        expected = _array(line.expected, len(since))
        medians = (_median(value[~since]), _median(value[since]), _median(expected[since]))
        rows.append((_title(line), line.role, *(number(m, line.unit) if m is not None else "" for m in medians)))
    return Table("The figure in numbers", ("series", "role", "before", "since", "expected since"), tuple(rows))


def described(incident: Incident) -> str:
    """The figure in one sentence, for screen readers."""
    finding = lead(incident)
    first = title(finding.signal) if finding else "signals"
    return f"{first} and {max(len(_lines(incident)) - 1, 0)} other series over time, with the onset marked"


def _lines(incident: Incident) -> list[Line]:
    if incident.chart is None:
        return []
    return sorted(incident.chart.lines, key=lambda line: _ROLES.index(line.role))[:_MOST_ROWS]


def _milliseconds(incident: Incident) -> NDArray[np.float64]:
    time = incident.chart.time if incident.chart else ()
    return 1000 * np.asarray(time, np.float64)


def _array(values: Sequence[float | None], n: int) -> NDArray[np.float64]:
    """As long as the time axis whatever the record holds; NaN where there is no value."""
    known = np.asarray([np.nan if v is None else v for v in values[:n]], np.float64)
    padded = np.full(n, np.nan)
    padded[: len(known)] = np.where(np.isfinite(known), known, np.nan)
    return padded


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _points(line: Line, time: NDArray[np.float64]) -> list[dict[str, float | None]]:
    """At most `_MOST_POINTS` points, each the median of its neighbours."""
    columns = {"t": time, "v": _array(line.value, len(time)), "e": _array(line.expected, len(time))}
    cuts = range(0, len(time), -(-len(time) // _MOST_POINTS))
    return [{name: _median(column[a : a + cuts.step]) for name, column in columns.items()} for a in cuts]


def _row(canvas: _Canvas, position: int, line: Line, *, last: bool) -> Any:
    """One line over time; the marks of the first row have words, the last row has the time axis."""
    alt = canvas.alt
    axis = _time_axis(alt, canvas.frame, canvas.width) if last else None
    x = alt.X("t:T", scale=alt.Scale(type="utc", domain=canvas.frame, clamp=True), axis=axis)
    shape = {"format": ".0%"} if line.unit == "share" else {}
    y_axis = alt.Axis(minExtent=46, maxExtent=46, tickCount=3, title=None, **shape)
    y = alt.Y("v:Q", axis=y_axis, scale=alt.Scale(zero=True, nice=True))
    data = alt.Chart(alt.NamedData(f"line {position}"))
    layers = [*_marks(canvas, x, worded=position == 0)]
    if line.expected:
        layers.append(data.mark_line(color=MUTED, strokeDash=[4, 3], strokeWidth=1.3).encode(x, alt.Y("e:Q")))
    layers.append(data.mark_line(color=_colour(canvas.incident, line), strokeWidth=1.8).encode(x, y))
    words = _heading(canvas.incident, line, 110 if canvas.width > _NARROW else 46)
    heading = alt.TitleParams(words, anchor="start", offset=6)
    return alt.layer(*layers, width=canvas.width, height=84 if line.role == "signal" else 54, title=heading)


def _marks(canvas: _Canvas, x: Any, *, worded: bool) -> Iterator[Any]:
    """The interval of the onset, the onset, and what people or deploy systems did."""
    alt, incident = canvas.alt, canvas.incident
    if _ms(incident.onset) in canvas:
        low, high = map(_ms, incident.onset_interval)
        mark = alt.Chart(alt.InlineData(values=[{"t": low, "end": high}]))
        yield mark.mark_rect(color=BAND, stroke=None).encode(x, alt.X2("end:T"))
    said = [(_ms(m.at), clean(f"{m.kind}: {m.text}", 28), MUTED, [2, 3]) for m in incident.markers]
    drawn = [m for m in [(_ms(incident.onset), "onset", ONSET, [1, 0]), *said] if m[0] in canvas]
    for n, (at, words, colour, dash) in enumerate(drawn[:_MOST_MARKS]):
        mark = alt.Chart(alt.InlineData(values=[{"t": at, "words": words}]))
        yield mark.mark_rule(color=colour, strokeWidth=1.3, strokeDash=dash).encode(x)
        if worded and (words == "onset" or canvas.width > _NARROW):
            late = at > sum(canvas.frame) / 2
            text = mark.mark_text(align="right" if late else "left", dx=-4 if late else 4, fontSize=11, color=colour)
            yield text.encode(x, y=alt.value(8 + 13 * n), text="words:N")


def _heading(incident: Incident, line: Line, limit: int) -> str:
    cause = _drawn_cause(incident, line)
    unit = {"share": "", "": ""}.get(line.unit, f", {clean(line.unit, 12)}")
    name = f"{named(cause) if cause else _title(line)}{unit}"
    if cause is None:
        return clean(name if line.role == "signal" else f"{name} ({line.role})", limit)
    claim = "ruled out" if cause.tier == "ruled_out" else f"{cause.tier}, {span(cause.share_low, cause.share_high)}"
    return f"{clean(name, limit - len(claim) - 3)} ({claim})"


def _title(line: Line) -> str:
    return title(line.name) if line.role == "signal" else cause_title(line.name)


def _colour(incident: Incident, line: Line) -> str:
    if line.role == "signal":
        return _SIGNAL
    cause = _drawn_cause(incident, line)
    return {"supported": _SUPPORTED, "consistent": _CONSISTENT}.get(cause.tier if cause else "", _OTHER)


def _drawn_cause(incident: Incident, line: Line) -> Cause | None:
    """The cause that a line shows: its name, and its labels if it is limited to some."""
    for cause in incident.causes:
        scope = [f"{name}={value}" for name, value in sorted(cause.scope.items())]
        if line.role != "signal" and line.name in (
            f"{cause.name}{{{','.join(scope)}}}",
            " ".join([cause.name, *scope]),
        ):
            return cause
    return None


def _time_axis(alt: Any, frame: list[float], width: int) -> Any:
    shape = "%H:%M" if frame[1] - frame[0] < 86_400_000 else "%m-%d %H:%M"
    return alt.Axis(title=None, grid=False, tickCount=max(3, width // 90), format=shape, labelOverlap=True)


def _ms(at: datetime) -> float:
    return 1000 * utc(at).timestamp()

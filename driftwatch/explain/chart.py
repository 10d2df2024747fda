"""An incident over time: what users felt, below it the candidate causes, below these what the checks saw.

Drawn by altair and turned into SVG by vl-convert, so that a page needs no script and no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch._optional import load
from driftwatch.explain.drawing import BAND, CONSISTENT, GOOD, MUTED, ONSET, OTHER, SIGNAL, SUPPORTED, Drawing
from driftwatch.explain.facts import cause_title, named, title
from driftwatch.explain.findings import lead
from driftwatch.explain.numbers import clean, number, span, utc
from driftwatch.explain.story import Table
from driftwatch.incidents.models import Cause, HealthCheck, Incident, Line

_ROWS = {"signal": 4, "mechanism": 4, "exogenous": 3, "event": 1, "symptom": 2, "health": 3}
"""What is drawn, in this order, and of each so many."""
_MOST_ROWS, _MOST_POINTS, _FEW_POINTS, _MOST_MARKS, _NARROW = 9, 200, 80, 4, 500
_TIERS = {"supported": SUPPORTED, "consistent": CONSISTENT}


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


def drawing(incident: Incident, width: int, *, most: int = _MOST_ROWS) -> Drawing | None:
    """The incident's lines, each with what was expected, the onset and its interval.

    Parameters
    ----------
    incident
        The record.
    width
        Of the plot area, in pixels.
    most
        Rows, at most.

    Returns
    -------
    Drawing or None
        None where the record has no points to draw.
    """
    lines, time = _lines(incident, most), _times(incident)
    if not lines or len(time) < 2 or not np.isfinite(time).all():
        return None
    canvas = _Canvas(load("altair", "report"), incident, width, time)
    rows = tuple(_row(canvas, n, line, last=line is lines[-1]) for n, line in enumerate(lines))
    points = _MOST_POINTS if width > _NARROW else _FEW_POINTS
    drawn = {f"line {n}": _points(line, time, points) for n, line in enumerate(lines)}
    return Drawing(rows, drawn)


def figure(incident: Incident, width: int, *, most: int = _MOST_ROWS) -> str:
    """The same as one ``<svg>`` element, or nothing."""
    drawn = drawing(incident, width, most=most)
    return drawn.svg() if drawn else ""


def numbers(incident: Incident) -> Table:
    """What the figure shows, for those who cannot see it: medians before and since the onset."""
    since = _times(incident) >= milliseconds(incident.onset)
    rows = []
    for line in _lines(incident, _MOST_ROWS):
        value = _array(line.value, len(since))
        expected = _array(line.expected, len(since))
        medians = (_median(value[~since]), _median(value[since]), _median(expected[since]))
        rows.append((_title(line), line.role, *(number(m, line.unit) if m is not None else "" for m in medians)))
    return Table("The figure in numbers", ("series", "role", "before", "since", "expected since"), tuple(rows))


def described(incident: Incident) -> str:
    """The figure in one sentence, for screen readers."""
    finding = lead(incident)
    first = title(finding.signal) if finding else "signals"
    return f"{first} and {max(len(_lines(incident, _MOST_ROWS)) - 1, 0)} other series over time, with the onset marked"


def milliseconds(at: datetime) -> float:
    """A time as altair takes it."""
    return 1000 * utc(at).timestamp()


def time_axis(alt: Any, frame: Sequence[float], width: int) -> Any:
    """Times of the day, with the date where there are several days."""
    shape = "%H:%M" if frame[1] - frame[0] < 86_400_000 else "%m-%d %H:%M"
    return alt.Axis(title=None, grid=False, tickCount=max(3, width // 90), format=shape, labelOverlap=True)


def _lines(incident: Incident, most: int) -> list[Line]:
    """At most so many, some of every role; of signals the leading one, then those that say what was expected."""
    if incident.chart is None:
        return []
    found: list[Line] = []
    for role, limit in _ROWS.items():
        of_role = [line for line in incident.chart.lines if line.role == role]
        if role == "signal":
            of_role = of_role[:1] + sorted(of_role[1:], key=lambda line: not line.expected)
        found += of_role[:limit]
    beyond = max(len(found) - most, 0)
    signals = max(sum(line.role == "signal" for line in found) - beyond, 1)
    kept = [line for n, line in enumerate(found) if line.role != "signal" or n < signals]
    return kept[:most]


def _times(incident: Incident) -> NDArray[np.float64]:
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


def _points(line: Line, time: NDArray[np.float64], most: int) -> list[dict[str, float | None]]:
    """At most so many points, each the median of its neighbours."""
    columns = {"t": time, "v": _array(line.value, len(time)), "e": _array(line.expected, len(time))}
    step = -(-len(time) // most)
    thinned = {name: _medians(column, step) for name, column in columns.items()}
    return [dict(zip(thinned, row, strict=True)) for row in zip(*thinned.values(), strict=True)]


def _medians(values: NDArray[np.float64], step: int) -> list[float | None]:
    """The median of each so many values in a row; None where none is known."""
    if step == 1:
        return [None if v != v else v for v in values.tolist()]
    return [_median(values[a : a + step]) for a in range(0, len(values), step)]


def _row(canvas: _Canvas, position: int, line: Line, *, last: bool) -> Any:
    """One line over time; the marks of the first row have words, the last row has the time axis."""
    alt = canvas.alt
    axis = time_axis(alt, canvas.frame, canvas.width) if last else None
    x = alt.X("t:T", scale=alt.Scale(type="utc", domain=canvas.frame, clamp=True), axis=axis)
    shape = {"format": ".0%"} if line.unit == "share" else {}
    y_axis = alt.Axis(minExtent=46, maxExtent=46, tickCount=3, title=None, labelFlush=True, **shape)
    y = alt.Y("v:Q", axis=y_axis, scale=alt.Scale(zero=True, nice=True))
    data = alt.Chart(alt.NamedData(f"line {position}"))
    layers = [*_marks(canvas, x, worded=position == 0), *_limit(canvas, line)]
    if line.expected:
        layers.append(data.mark_line(color=MUTED, strokeDash=[4, 3], strokeWidth=1.3).encode(x, alt.Y("e:Q")))
    layers.append(data.mark_line(color=_colour(canvas.incident, line), strokeWidth=1.8).encode(x, y))
    words = _heading(canvas.incident, line, min(int(canvas.width / 6.3), 110))
    heading = alt.TitleParams(words, anchor="start", offset=8 if position else 4)
    height = 96 if position == 0 else 64 if line.role == "signal" else 46
    return alt.layer(*layers, width=canvas.width, height=height, title=heading)


def _marks(canvas: _Canvas, x: Any, *, worded: bool) -> Iterator[Any]:
    """The interval of the onset, the onset, and what people or deploy systems did."""
    alt, incident = canvas.alt, canvas.incident
    if milliseconds(incident.onset) in canvas:
        low, high = map(milliseconds, incident.onset_interval)
        mark = alt.Chart(alt.InlineData(values=[{"t": low, "end": high}]))
        yield mark.mark_rect(color=BAND, stroke=None).encode(x, alt.X2("end:T"))
    for n, (at, words, colour, dash) in enumerate(_said(canvas)):
        mark = alt.Chart(alt.InlineData(values=[{"t": at, "words": words}]))
        yield mark.mark_rule(color=colour, strokeWidth=1.3, strokeDash=dash).encode(x)
        if worded:
            late = at > sum(canvas.frame) / 2
            text = mark.mark_text(align="right" if late else "left", dx=-2 if late else 2, fontSize=11, color=colour)
            yield text.encode(x, y=alt.value(-7 - 13 * n), text="words:N")


def _said(canvas: _Canvas) -> list[tuple[float, str, str, list[int]]]:
    """Time, words, colour and dashes of each mark: the onset, and the markers nearest to it."""
    onset = milliseconds(canvas.incident.onset)
    limit = 40 if canvas.width > _NARROW else 22
    said = [(milliseconds(m.at), clean(f"{m.kind}: {m.text}", limit), MUTED, [2, 3]) for m in canvas.incident.markers]
    said.sort(key=lambda mark: abs(mark[0] - onset))
    return [mark for mark in [(onset, "onset", ONSET, [1, 0]), *said] if mark[0] in canvas][:_MOST_MARKS]


def _limit(canvas: _Canvas, line: Line) -> Iterator[Any]:
    """Where a check would fire, if that is near enough to be drawn."""
    check = _check(canvas.incident, line)
    known = [v for v in line.value if v is not None and np.isfinite(v)]
    if check is None or not known or not 0 <= check.threshold <= max(3 * max(known), 1.0):
        return
    alt = canvas.alt
    mark = alt.Chart(alt.InlineData(values=[{"limit": check.threshold}]))
    yield mark.mark_rule(color=ONSET, strokeDash=[6, 3], strokeWidth=1.2).encode(alt.Y("limit:Q"))


def _heading(incident: Incident, line: Line, limit: int) -> str:
    cause, check = _drawn_cause(incident, line), _check(incident, line)
    unit = {"share": "", "": ""}.get(line.unit, f", {clean(line.unit, 12)}")
    name = f"{named(cause) if cause else _title(line)}{unit}"
    if check is not None:
        claim = f"check {check.state}, fires at {check.comparison} {number(check.threshold, check.unit)}"
    elif cause is not None:
        share = span(cause.share_low, cause.share_high)
        claim = "ruled out" if cause.tier == "ruled_out" else f"{cause.tier}, {share}"
    else:
        return clean(name if line.role == "signal" else f"{name} ({line.role})", limit)
    return f"{clean(name, limit - len(claim) - 3)} ({claim})"


def _title(line: Line) -> str:
    if line.role == "health":
        return clean(line.name, 40)
    return title(line.name) if line.role == "signal" else cause_title(line.name)


def _colour(incident: Incident, line: Line) -> str:
    if line.role == "signal":
        return SIGNAL
    check = _check(incident, line)
    if check is not None:
        return GOOD if check.state == "green" else SIGNAL
    cause = _drawn_cause(incident, line)
    return _TIERS.get(cause.tier if cause else "", OTHER)


def _check(incident: Incident, line: Line) -> HealthCheck | None:
    """The check that a line shows."""
    return next((c for c in incident.health if line.role == "health" and c.name == line.name), None)


def _drawn_cause(incident: Incident, line: Line) -> Cause | None:
    """The cause that a line shows: its name, and its labels if it is limited to some."""
    for cause in incident.causes:
        scope = [f"{name}={value}" for name, value in sorted(cause.scope.items())]
        if line.role not in ("signal", "health") and line.name in (
            f"{cause.name}{{{','.join(scope)}}}",
            " ".join([cause.name, *scope]),
        ):
            return cause
    return None

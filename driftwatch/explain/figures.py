"""The pictures of an incident, each with its words: what a page, a notebook and ``report.plot()`` show alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from driftwatch.explain import answers, chart, dose, hit
from driftwatch.explain.drawing import Drawing, empty, together
from driftwatch.explain.story import Table
from driftwatch.explain.timeline import timeline
from driftwatch.incidents.models import Incident

WIDE, NARROW, HALF = 900, 290, 300
"""Widths in pixels: of a page, of a phone, and of a picture that fits on both."""
_FEW_ROWS, _MOST_PLOTTED = 3, 12

Draw = Callable[[int], Drawing | None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture and its words.

    Parameters
    ----------
    kind
        ``time``, ``dose``, ``hit`` or ``answers``.
    title, described
        What it is, and what it shows, for those who cannot see it.
    draw
        Draws it at a width in pixels.
    widths
        At which it is drawn for a page: once, or once for wide and once for narrow screens.
    legend
        What its marks mean.
    table
        The same in numbers.
    """

    kind: str
    title: str
    described: str
    draw: Draw
    widths: tuple[int, ...]
    legend: str = ""
    table: Table | None = None


_OVER_TIME = (
    "Red: what users felt; blue: candidate causes; green: what checks watched (red where one fired). "
    "Dashed grey: what the baseline expects for this workload; dashed brown: where a check fires. "
    "Line: the onset; shaded: its 90% interval. Times are UTC."
)


def figures(incident: Incident, *, small: bool = False) -> Iterator[Figure]:
    """All pictures of an incident; where they must be small, only the one over time, with few rows, once."""
    if incident.chart is not None:
        rows = {"most": _FEW_ROWS} if small else {}
        yield Figure(
            "time",
            "What users felt, and what moved with it",
            chart.described(incident),
            lambda width: chart.drawing(incident, width, **rows),
            (NARROW,) if small else (WIDE, NARROW),
            _OVER_TIME,
            chart.numbers(incident),
        )
    if small:
        return
    for each in incident.doses:
        yield Figure(
            "dose",
            "Dose and response",
            dose.described(each),
            partial(dose.drawing, each),
            (HALF,),
            dose.legend(each),
            dose.numbers(each),
        )
    yield Figure(
        "hit",
        "Who was hit",
        "Each part of the traffic, before and since; the table has the numbers",
        lambda width: hit.drawing(incident, width + 40),
        (HALF,),
    )
    yield Figure(
        "answers",
        "Answers, before and since",
        "Share of answers with each phrase and of each kind, before and since",
        lambda width: answers.drawing(incident, width + 40),
        (HALF,),
        table=answers.numbers(incident),
    )


def plot(incidents: Sequence[Incident], period: tuple[datetime, datetime] | None = None) -> Any:
    """The pictures of at most twelve incidents as one altair chart, with the timeline of all where there are several.

    Parameters
    ----------
    incidents
        In the order in which they are shown.
    period
        First and last time of the timeline.

    Raises
    ------
    MissingExtra
        If the extra ``report`` is not installed.
    """
    numbered = dict(enumerate(incidents, 1))
    overview = [timeline(numbered, period, WIDE)] if period and len(incidents) > 1 else []
    drawn = [figure.draw(figure.widths[0]) for i in incidents[:_MOST_PLOTTED] for figure in figures(i)]
    return together([*overview, *(d for d in drawn if d is not None)] or [empty("nothing to draw")])

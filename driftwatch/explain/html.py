"""The story as one self-contained page: no script, no network, light and dark, on paper too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from driftwatch._optional import load
from driftwatch.explain import answers, chart
from driftwatch.explain.facts import headline, tell
from driftwatch.explain.story import Section
from driftwatch.incidents.models import Incident

WIDE, NARROW = 900, 290
_ROOM_FOR_FIGURES, _ROOM = 800_000, 1_200_000  # bytes of all incidents; the page is to stay below 1.5 MB


def page(
    incidents: Sequence[Incident],
    *,
    heading: str = "",
    summary: Sequence[str] = (),
    watched: Sequence[Section] = (),
    period: tuple[datetime, datetime] | None = None,
    footer: str = "",
) -> str:
    """A whole page, or, from `fragment`, what goes inside one.

    Parameters
    ----------
    incidents
        In the order in which they are shown.
    heading, summary
        What the page is about, in a few words and in a few sentences.
    watched
        Sections after the incidents: what was watched, what could not be read.
    period
        First and last time of what was scanned; with it the page opens with a timeline.
    footer
        What made it.

    Raises
    ------
    MissingExtra
        If the extra ``report`` is not installed.
    """
    body = fragment(incidents, heading=heading, summary=summary, watched=watched, period=period, footer=footer)
    title = heading or " / ".join(headline(i) for i in incidents[:1]) or "driftwatch"
    return _fill("page.html", title=title, body=_safe(body))


def fragment(
    incidents: Sequence[Incident],
    *,
    heading: str = "",
    summary: Sequence[str] = (),
    watched: Sequence[Section] = (),
    period: tuple[datetime, datetime] | None = None,
    footer: str = "",
) -> str:
    """The page without its frame, for a notebook; its style touches nothing outside it."""
    articles = _articles(incidents)
    shown = incidents[: len(articles)]
    overview = _both(lambda width: chart.timeline(shown, period, width)) if period and len(shown) > 1 else None
    return _fill(
        "body.html",
        heading=heading,
        summary=summary,
        watched=watched,
        overview=overview,
        headlines=[headline(incident) for incident in shown],
        articles=articles,
        left_out=len(incidents) - len(shown),
        footer=footer,
    )


def _articles(incidents: Sequence[Incident]) -> list[str]:
    """Each incident as markup, as many as fit; figures only while there is room for what comes after them."""
    articles: list[str] = []
    used = 0
    for position, incident in enumerate(incidents, 1):
        article = _article(incident, position, drawn=used < _ROOM_FOR_FIGURES)
        used += len(article.encode())
        if used > _ROOM:
            break
        articles.append(_safe(article))
    return articles


def _article(incident: Incident, position: int, *, drawn: bool) -> str:
    story = tell(incident)
    figure = _both(lambda width: chart.figure(incident, width)) if drawn and incident.chart else ("", "")
    contrast = _both(lambda width: answers.figure(incident, width)) if drawn and incident.answers else ("", "")
    return _fill(
        "incident.html",
        story=story,
        known={section.key: section for section in story.sections},
        position=position,
        severity=incident.severity,
        figure=figure if any(figure) else None,
        contrast=contrast if any(contrast) else None,
        no_room=bool(incident.chart) and not drawn,
        described=chart.described(incident),
        numbers=chart.numbers(incident),
    )


def _fill(template: str, **values: Any) -> str:
    return str(_environment().get_template(template).render(values))


def _both(draw: Callable[[int], str]) -> tuple[Any, Any]:
    return _safe(draw(WIDE)), _safe(draw(NARROW))


def _safe(markup: str) -> Any:
    """Markup of our own making, in which text is escaped already (by jinja2, or by vl-convert)."""
    return load("markupsafe", "report").Markup(markup)


def _typeset(value: Any) -> Any:
    return value.replace(" -> ", " → ") if isinstance(value, str) else value


@cache
def _environment() -> Any:
    jinja2 = load("jinja2", "report")
    loader = jinja2.PackageLoader("driftwatch.explain")
    return jinja2.Environment(
        loader=loader,
        autoescape=True,
        finalize=_typeset,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

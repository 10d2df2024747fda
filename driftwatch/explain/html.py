"""The story as one self-contained page: no script, no network, light and dark, on paper too."""

from __future__ import annotations

import html as escaping
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import MissingExtra
from driftwatch.explain import panel, text
from driftwatch.explain.facts import headline, tell
from driftwatch.explain.figures import NARROW, WIDE, Figure, figures
from driftwatch.explain.numbers import clean, lasting, utc
from driftwatch.explain.story import Section
from driftwatch.explain.timeline import timeline
from driftwatch.incidents.models import Incident

_ROOM = 1_380_000  # bytes of all incidents: a page is to stay below 1.5 MB
_LISTED, _ALL, _SMALL = 1_000, 90_000, 12_000  # bytes that an incident's line, all its pictures, or a small one take
_PLACED = ("what", "since", "answers", "who", "green", "cause", "ruled_out", "sure", "next")
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class _Picture:
    """A figure as markup; ``position`` makes its ids unique on the page."""

    figure: Figure
    drawn: tuple[Any, ...]
    id: str


def page(
    incidents: Sequence[Incident],
    *,
    heading: str = "",
    summary: Sequence[str] = (),
    watched: Sequence[Section] = (),
    period: tuple[datetime, datetime] | None = None,
    tiles: Sequence[panel.Tile] = (),
    quiet: bool = False,
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
    tiles
        Numbers under the heading.
    quiet
        True where it was looked and nothing was found.
    footer
        What made it.

    Raises
    ------
    MissingExtra
        If the extra ``report`` is not installed.
    """
    body = fragment(
        incidents,
        heading=heading,
        summary=summary,
        watched=watched,
        period=period,
        tiles=tiles,
        quiet=quiet,
        footer=footer,
        whole=True,
    )
    title = heading or " / ".join(headline(i) for i in incidents[:1]) or "driftwatch"
    return _fill("page.html", title=title, body=_safe(body))


def fragment(
    incidents: Sequence[Incident],
    *,
    heading: str = "",
    summary: Sequence[str] = (),
    watched: Sequence[Section] = (),
    period: tuple[datetime, datetime] | None = None,
    tiles: Sequence[panel.Tile] = (),
    quiet: bool = False,
    footer: str = "",
    whole: bool = False,
) -> str:
    """The page without its frame, for a notebook; its style touches nothing outside it."""
    articles = _articles(incidents)
    shown = {number: incidents[number - 1] for number in articles}
    return _fill(
        "body.html",
        heading=heading,
        summary=summary,
        watched=watched,
        overview=_overview(shown, period) if period and len(shown) > 1 else None,
        listed=[_listed(number, incident) for number, incident in shown.items()],
        articles=[_safe(markup) for markup in articles.values()],
        left_out=len(incidents) - len(shown),
        tiles=tiles,
        quiet=quiet,
        footer=footer,
        whole=whole,
    )


def notebook(incident: Incident) -> str:
    """One incident for a notebook: the same pieces, or its words where the extra ``report`` is not installed."""
    try:
        return fragment([incident])
    except MissingExtra:
        return f"<pre>{escaping.escape(text.write(tell(incident)))}</pre>"


def _articles(incidents: Sequence[Incident]) -> dict[int, str]:
    """Incidents as markup by their numbers, as many as fit: the worst ones have their pictures first."""
    numbered = sorted(enumerate(incidents, 1), key=lambda pair: _SEVERITIES.index(pair[1].severity))
    articles: dict[int, str] = {}
    room = _ROOM
    for number, incident in numbered:
        words = _article(incident, number, "none")
        room -= len(words.encode()) + _LISTED
        if room < 0:
            break
        articles[number] = words
    for (number, incident), detail in zip(numbered, _details(len(articles), max(room, 0)), strict=False):
        pictured = _article(incident, number, detail)
        more = len(pictured.encode()) - len(articles[number].encode())
        if more <= room:
            room -= more
            articles[number] = pictured
    return dict(sorted(articles.items()))


def _details(incidents: int, room: int) -> Iterator[str]:
    """What is drawn, the worst incidents first; where not all has room, half of it goes to small pictures.

    Examples
    --------
    >>> from collections import Counter
    >>> dict(Counter(_details(8, 1_000_000))), dict(Counter(_details(50, 600_000)))
    ({'all': 8}, {'all': 3, 'small': 27})
    """
    drawn = incidents if incidents * _ALL <= room else room // (2 * _ALL)
    small = min((room - drawn * _ALL) // _SMALL, incidents - drawn)
    for detail, many in (("all", drawn), ("small", small)):
        yield from (detail for _ in range(many))


def _article(incident: Incident, position: int, detail: str) -> str:
    story = tell(incident)
    pictures = list(_pictures(incident, position, detail))
    return _fill(
        "incident.html",
        story=story,
        known={section.key: section for section in story.sections},
        others=[section for section in story.sections if section.key not in _PLACED],
        position=position,
        severity=incident.severity,
        pictures=pictures,
        no_room=incident.chart is not None and not pictures and detail != "all",
        tiles=panel.tiles(incident),
        felt=panel.felt(incident),
        lamps=panel.lamps(incident),
        shown_green=1 if incident.contrast is None else 2,  # what users felt beside the check closest to firing
        certainty=panel.certainty(incident),
        reach=panel.reach(incident),
    )


def _pictures(incident: Incident, position: int, detail: str) -> Iterator[_Picture]:
    if detail == "none":
        return
    for n, figure in enumerate(figures(incident, small=detail == "small")):
        drawn = [drawing.svg() for width in figure.widths if (drawing := figure.draw(width)) is not None]
        if drawn:
            name = f"figure-{position}-{n}"
            yield _Picture(figure, tuple(_safe(_told(svg, figure, f"{name}-{k}")) for k, svg in enumerate(drawn)), name)


def _told(svg: str, figure: Figure, name: str) -> str:
    """The picture with its title and description inside, as screen readers look for them."""
    escape = load("markupsafe", "report").escape
    start, rest = svg.split(">", 1)
    words = f'<title id="{name}-t">{escape(figure.title)}</title><desc id="{name}-d">{escape(figure.described)}</desc>'
    return f'{start} role="img" aria-labelledby="{name}-t {name}-d">{words}{rest}'


def _overview(shown: Mapping[int, Incident], period: tuple[datetime, datetime]) -> tuple[Any, ...]:
    """The timeline, wide and narrow; its links are for the mouse, since the list below it has them for everybody."""
    drawn = (timeline(shown, period, width).svg() for width in (WIDE + 60, NARROW + 20))
    return tuple(_safe(svg.replace("<a ", '<a tabindex="-1" ')) for svg in drawn)


def _listed(number: int, incident: Incident) -> dict[str, str]:
    """One line of the overview."""
    end = incident.resolved_at or incident.updated_at
    return {
        "number": str(number),
        "severity": incident.severity,
        "kind": incident.kind,
        "status": incident.status,
        "headline": headline(incident),
        "stream": clean(incident.stream, 40),
        "since": f"{utc(incident.onset):%Y-%m-%d %H:%M}",
        "lasted": lasting((utc(end) - utc(incident.onset)).total_seconds()),
    }


def _fill(template: str, **values: Any) -> str:
    return str(_environment().get_template(template).render(values))


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

"""How answers changed, in words: what they are made of, what they say more often, and where to look."""

from __future__ import annotations

import math
from collections.abc import Iterator

from driftwatch._optional import load
from driftwatch.explain.drawing import MUTED, OTHER, SIGNAL, Drawing
from driftwatch.explain.numbers import clean, number, pair
from driftwatch.explain.story import Table
from driftwatch.incidents.models import AnswerChange, Incident, Term

TITLES = {
    "characters": "characters",
    "words": "words",
    "lines": "line breaks",
    "compressibility": "size when compressed, against prose",
    "repeated": "runs of words that were there before",
    "foreign": "letters of another script than the prompt's",
    "non_latin": "letters that are not Latin",
    "broken": "broken characters",
    "refusal": "refusals",
    "truncated": "answers that end in mid-sentence",
    "echo": "runs of words of the prompt",
    "dominance": "most frequent symbol",
    "symbols": "symbols",
    "digits": "digits",
}
"""Features of answers as a person would say them; the others are marks, called by their names."""
_EXCERPT = 160


def told(incident: Incident) -> Iterator[str]:
    """Sentences on how answers changed."""
    change = incident.answers
    if change is None:
        return
    yield f"{change.after:,} answers since then against {change.before:,} that were learnt from"
    if not (change.traits or change.more or change.fewer or change.kinds):
        yield "no single feature or phrase moved clearly: the change is spread over many"
    if change.traits:
        yield "; ".join(f"{trait_title(t.name)} {pair(t.before, t.after, t.unit)}" for t in change.traits[:4])
    if change.more:
        yield f"more answers say {_terms(change.more)}"
    if change.fewer:
        yield f"fewer answers say {_terms(change.fewer)}"
    for kind in change.kinds[:2]:
        grew = "grew" if kind.after > kind.before else "shrank"
        like = f" (they often say {', '.join(map(_quoted, kind.terms))})" if kind.terms else ""
        yield f"answers of kind {kind.kind} {grew} {pair(kind.before, kind.after, 'share')}{like}"
    yield from _examples(change)


def _examples(change: AnswerChange) -> Iterator[str]:
    named = [clean(e.request_id, 48) for e in change.examples if e.request_id]
    if named:
        yield f"look at requests {', '.join(named)}"
    for example in change.examples:
        if example.excerpt:
            yield f'{clean(example.request_id, 24)}: "{clean(example.excerpt, _EXCERPT)}"'


def trait_table(incident: Incident) -> Table | None:
    """What answers are made of, before and since."""
    change = incident.answers
    if change is None or len(change.traits) < 2:
        return None
    rows = tuple((trait_title(t.name), number(t.before, t.unit), number(t.after, t.unit)) for t in change.traits)
    return Table("Answers, before and since", ("per answer", "before", "since"), rows)


def trait_title(name: str) -> str:
    """A feature of answers as a person would say it.

    Examples
    --------
    >>> trait_title("lines"), trait_title("asterisks")
    ('line breaks', 'asterisks')
    """
    return TITLES.get(name) or clean(name.replace("_", " "), 40)


def _terms(terms: tuple[Term, ...]) -> str:
    return ", ".join(f"{_quoted(t.text)} ({pair(t.before, t.after, 'share')})" for t in terms[:4])


def _quoted(text: str) -> str:
    return f'"{clean(text, 30)}"'


def drawing(incident: Incident, width: int) -> Drawing | None:
    """Before and since: the share of answers with each phrase, and of each kind; nothing without any."""
    moved = _moves(incident)
    if not moved:
        return None
    alt = load("altair", "report")
    rows = [{"name": name, "before": old, "since": new} for name, old, new in moved]
    names = [row["name"] for row in rows]
    base = alt.Chart(alt.NamedData("answers"), width=width - 130, height={"step": 20})
    y = alt.Y("name:N", sort=names, axis=alt.Axis(title=None, minExtent=120, maxExtent=120, domain=False, ticks=False))
    axis = alt.Axis(title=None, format=".0%", tickCount=4)
    span = base.mark_rule(color=OTHER, strokeWidth=2).encode(alt.X("before:Q", axis=axis), alt.X2("since:Q"), y)
    before = base.mark_point(color=MUTED, filled=False, size=55).encode(alt.X("before:Q"), y)
    since = base.mark_point(color=SIGNAL, filled=True, size=55, opacity=1).encode(alt.X("since:Q"), y)
    words = alt.TitleParams("share of answers: before (ring), since (dot)", anchor="start", offset=6)
    return Drawing((alt.layer(span, before, since, title=words),), {"answers": rows})


def figure(incident: Incident, width: int) -> str:
    """The same as one ``<svg>`` element, or nothing."""
    drawn = drawing(incident, width)
    return drawn.svg() if drawn else ""


def numbers(incident: Incident) -> Table:
    """What the picture shows, for those who cannot see it."""
    rows = tuple((name, number(old, "share"), number(new, "share")) for name, old, new in _moves(incident))
    return Table("The phrases in numbers", ("answers that say", "before", "since"), rows)


def _moves(incident: Incident) -> list[tuple[str, float, float]]:
    """Phrases and kinds of answers, with their shares before and since."""
    change = incident.answers
    if change is None:
        return []
    moved = [(_quoted(t.text), t.before, t.after) for t in (*change.more[:5], *change.fewer[:5])]
    moved += [(f"kind {k.kind}", k.before, k.after) for k in change.kinds]
    return [move for move in moved if math.isfinite(move[1]) and math.isfinite(move[2])]

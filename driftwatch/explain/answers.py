"""How answers changed, in words: what they are made of, what they say more often, and where to look."""

from __future__ import annotations

from collections.abc import Iterator

from driftwatch._optional import load
from driftwatch.explain.drawing import svg
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
_BEFORE, _SINCE, _BETWEEN = "#646b78", "#b4232a", "#8b929e"


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


def figure(incident: Incident, width: int) -> str:
    """Before and since as one SVG: the share of answers with each phrase, and of each kind; empty without any."""
    change = incident.answers
    terms = () if change is None else (*change.more[:5], *change.fewer[:5])
    kinds = () if change is None else change.kinds
    moved = [(_quoted(t.text), t.before, t.after) for t in terms]
    moved += [(f"kind {k.kind}", k.before, k.after) for k in kinds]
    if not moved:
        return ""
    alt = load("altair", "report")
    rows = [{"name": name, "before": old, "since": new, "row": n} for n, (name, old, new) in enumerate(moved)]
    names = [row["name"] for row in rows]
    base = alt.Chart(alt.NamedData("answers"), width=width - 130, height={"step": 20})
    y = alt.Y("name:N", sort=names, axis=alt.Axis(title=None, minExtent=120, maxExtent=120, domain=False, ticks=False))
    axis = alt.Axis(title=None, format=".0%", tickCount=4)
    span = base.mark_rule(color=_BETWEEN, strokeWidth=2).encode(alt.X("before:Q", axis=axis), alt.X2("since:Q"), y)
    before = base.mark_point(color=_BEFORE, filled=False, size=55).encode(alt.X("before:Q"), y)
    since = base.mark_point(color=_SINCE, filled=True, size=55).encode(alt.X("since:Q"), y)
    words = alt.TitleParams("share of answers: before (ring), since (dot)", anchor="start", offset=6)
    return svg(alt, (span + before + since).properties(title=words), {"answers": rows})

"""How answers changed, in words: what they are made of, what they say more often, and where to look."""

from __future__ import annotations

from collections.abc import Iterator

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

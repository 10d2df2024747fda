"""Token economics in words: what was generated for whom, what was wasted, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from driftwatch.explain.numbers import clean, number, pair
from driftwatch.explain.story import Table
from driftwatch.incidents.chapters import Economics, Span, Waste
from driftwatch.incidents.models import Incident

_WASTE = {
    "recomputed": "computed again after preemptions",
    "aborted": "of answers that were given up",
    "failed": "of answers that failed",
    "cut": "of answers cut at the token limit",
}


def told(incident: Incident) -> Iterator[str]:
    """Tokens a second, what was wasted, and the cost where there is a price."""
    found = incident.economics
    if found is None:
        return
    per_gpu = ""
    if found.gpus:
        gpus = "GPU" if found.gpus == 1 else f"of {number(found.gpus)} GPUs"
        per_gpu = f", {_tokens(tuple(x / found.gpus for x in found.generated))} for each {gpus}"
    yield f"all streams together generated {_tokens(found.generated)}{per_gpu}"
    for waste in found.wasted:
        yield f"{_WASTE[waste.what]}: {_range(waste.before)} -> {_range(waste.after)} tokens/s"
    yield from _cost(found)


def table(incident: Incident) -> Table | None:
    """Useful and wasted tokens side by side."""
    found = incident.economics
    if found is None:
        return None
    useful = ("useful", _range(found.useful_before), _range(found.useful_after))
    rows = [useful, *(_row(waste) for waste in found.wasted)]
    if found.cost_before and found.cost_after:
        title = clean(f"{found.currency} for 1,000 useful tokens", 40)
        rows.append((title, _range(found.cost_before), _range(found.cost_after)))
    return Table("Tokens a second, all streams together", ("tokens", "before", "since"), tuple(rows))


def _row(waste: Waste) -> tuple[str, str, str]:
    return _WASTE[waste.what], _range(waste.before), _range(waste.after)


def _cost(found: Economics) -> Iterator[str]:
    if found.cost_before and found.cost_after:
        before, after = _range(found.cost_before), _range(found.cost_after)
        money = clean(found.currency, 16)
        yield f"1,000 useful tokens cost {before} -> {after} {money} (the lower end counts cut answers)"


def _tokens(span: tuple[float, ...]) -> str:
    return f"{pair(span[0], span[1], '1')} tokens/s"


def _range(span: Span) -> str:
    """Both ends, or one number where they are the same to two digits."""
    low, high = (number(x) for x in span)
    return low if low == high else f"{low} to {high}"

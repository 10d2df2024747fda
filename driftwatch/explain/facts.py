"""An incident record as a short story: sections of sentences and tables, each made of the record's own fields.

Nothing is known here but the record, so nothing can be said that is not in it. The writers (text, markdown,
html) only lay the story out; strings in it are plain text, cleaned of control characters but not escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from driftwatch.events.catalogue import BY_NAME as SERIES
from driftwatch.events.catalogue import RATIOS
from driftwatch.events.signals import BY_NAME as SIGNALS
from driftwatch.explain import answers, economics, health, losses, memory
from driftwatch.explain.findings import is_tail, lead, prominence
from driftwatch.explain.numbers import (
    between,
    change,
    clean,
    clock,
    interval,
    lasting,
    number,
    odds,
    pair,
    span,
    utc,
)
from driftwatch.explain.steps import next_steps
from driftwatch.explain.story import Advice, Section, Story, Table
from driftwatch.incidents.models import Cause, Finding, Incident, Segment

KINDS = {
    "degradation": "degradation",
    "improvement": "suspiciously better",
    "change": "changed, for better or worse is not known",
    "workload": "workload moved",
    "telemetry": "telemetry lost",
}
_RATIOS = {ratio.name: ratio for ratio in RATIOS}
_CAUSES = {
    "traffic": "traffic",
    "held_tokens": "tokens in flight",
    "concurrency_cap": "cap on concurrent requests",
    "concurrency": "requests decoded at once",
    "cached_share": "part of the prompt taken from the cache",
    "engine_age": "age of the engine's process",
}
_ROLES = {"exogenous": "load", "mechanism": "engine", "event": "event"}
_TIERS = {"supported": "supported", "consistent": "consistent", "ruled_out": "ruled out"}
_MOST = 12  # rows of a table; how many were left out is said


def tell(incident: Incident) -> Story:
    """Turn a record into the story that every format lays out."""
    sections = (
        Section("what", "What changed", sentences(_what(incident))),
        Section("since", "Since", sentences(_since(incident))),
        Section("answers", "Answers", sentences(answers.told(incident)), answers.trait_table(incident)),
        Section("who", "For whom", sentences(_who(incident)), _segment_table(incident)),
        Section("green", "What stayed green", sentences(health.told(incident)), health.table(incident)),
        Section("cause", "Likely cause", sentences(_why(incident)), _cause_table(incident)),
        Section("memory", "Memory", sentences(memory.told(incident)), memory.table(incident)),
        Section("ruled_out", "Ruled out", sentences(map(_excluded, _of_tier(incident, "ruled_out")))),
        Section("sure", "How sure", sentences(_sure(incident))),
        Section("economics", "Token economics", sentences(economics.told(incident)), economics.table(incident)),
        Section("next", "Try next", advice=tuple(_advice(incident))),
    )
    return Story(
        headline=headline(incident),
        badges=(KINDS[incident.kind], incident.severity, incident.status, *(("silent",) if incident.silent else ())),
        reference=f"{clean(incident.id)}, update {incident.seq}",
        sections=tuple(s for s in sections if s.sentences or s.table or s.advice),
    )


def headline(incident: Incident) -> str:
    """What changed and by how much, and where, in at most 120 characters."""
    if incident.losses:
        return clean(losses.head(incident), 120)
    stream = f" for {clean(incident.stream, 44)}" if incident.stream else ""
    finding = lead(incident)
    if finding is None:
        return clean(f"{KINDS[incident.kind]}{stream}".capitalize(), 120)
    prefix = {"improvement": "Suspiciously better: ", "workload": "Workload moved: "}.get(incident.kind, "")
    words = f"{prefix}{title(finding.signal)} {_moved(finding)}"
    return clean(clean(words[:1].upper() + words[1:], 118 - len(stream)) + stream, 120)


def sentences(said: Iterable[str]) -> tuple[str, ...]:
    """Each with a capital first letter."""
    return tuple(s[:1].upper() + s[1:] for s in said)


def title(name: str) -> str:
    """The name of a signal or series as a person would say it."""
    known = SIGNALS.get(name) or SERIES.get(name) or _RATIOS.get(name)
    return clean(known.title if known else name.replace("_", " "))


def cause_title(name: str) -> str:
    """The name of a candidate, which may carry its labels.

    Examples
    --------
    >>> cause_title("traffic{tenant=batch}"), cause_title("preemptions")
    ('traffic of tenant=batch', 'preemptions')
    """
    bare, _, scope = name.partition("{")
    whose = f" of {clean(scope.rstrip('}'))}" if scope else ""
    return f"{_CAUSES.get(bare) or title(bare)}{whose}"


def labels(where: dict[str, str]) -> str:
    """Labels on one line.

    Examples
    --------
    >>> labels({"tenant": "chat", "replica": "a"})
    'tenant=chat, replica=a'
    """
    return clean(", ".join(f"{clean(k, 30)}={clean(v, 40)}" for k, v in list(where.items())[:4]), 90)


def _moved(finding: Finding) -> str:
    by = "from nothing" if finding.before == 0 and finding.unit != "share" else change(finding.change, finding.unit)
    return f"{pair(finding.before, finding.after, finding.unit)} ({by})"


def _what(incident: Incident) -> Iterator[str]:
    if incident.losses:
        yield from losses.what(incident)
        return
    findings = sorted(incident.findings, key=lambda f: prominence(f, incident), reverse=True)
    for finding in findings[:_MOST]:
        where = "" if finding.stream == incident.stream else f" of {clean(finding.stream, 40)}"
        likely = interval(*finding.interval, finding.unit)
        beyond = ", further behind the rest than the healthy 95% point" if is_tail(finding) else ""
        yield f"{title(finding.signal)}{where} {_moved(finding)}{beyond}; 95% interval {likely}"
    if len(findings) > _MOST:
        yield f"and {len(findings) - _MOST} more signals"
    if not findings and incident.notes:
        yield clean(incident.notes[0], 300)


def _since(incident: Incident) -> Iterator[str]:
    yield f"{clock(incident.onset)} (90% interval {between(*incident.onset_interval, incident.onset)})"
    unnoticed = (utc(incident.opened_at) - utc(incident.onset)).total_seconds()
    yield f"noticed {lasting(unnoticed)} {'later' if unnoticed >= 0 else 'earlier'}"
    end = incident.resolved_at or incident.updated_at
    lasted = lasting((utc(end) - utc(incident.onset)).total_seconds())
    if incident.resolved_at is not None:
        yield f"resolved {lasted} after it began, at {clock(end)}"
    elif incident.status != "resolved":
        yield f"still going on {lasted} after it began, at {clock(end)}"


def _who(incident: Incident) -> Iterator[str]:
    if incident.losses:
        yield from losses.who(incident)
        return
    if not incident.segments:
        yield "no part of the traffic is singled out in this record"
        return
    worst = max(incident.segments, key=lambda s: s.share)
    yield f"{number(worst.share, 'share')} of the excess falls on {labels(worst.where)}, {_lift(worst)}"
    if worst.added is not None and worst.rest is not None:
        yield f"a request of it typically takes {_ms(worst.added)}, one of the rest {_ms(worst.rest)}"


def _ms(seconds: float) -> str:
    return f"{abs(1000 * seconds):,.0f} ms {'longer' if seconds >= 0 else 'less'}"


def _lift(segment: Segment) -> str:
    if not segment.compared:
        return "the only part that can be judged: the rest is unlike any traffic that was learnt"
    if not math.isfinite(segment.lift):
        return "how much harder than the rest is not known"
    if 0.8 <= segment.lift <= 1.25:
        return "its requests hit about as hard as the rest"
    return f"its requests hit {number(segment.lift)} times as hard as the rest"


def _segment_table(incident: Incident) -> Table | None:
    ordered = sorted(incident.segments, key=lambda s: s.share, reverse=True)[:_MOST]
    if len(ordered) < 2:
        return None
    rows = tuple(
        (
            labels(s.where),
            number(s.share, "share"),
            f"x{number(s.lift)}" if math.isfinite(s.lift) else "unknown",
            pair(s.before, s.after, _unit(s.signal)) if s.signal else "",
            f"{s.requests:,}",
        )
        for s in ordered
    )
    return Table("Who is hit", ("segment", "of the excess", "against the rest", "before -> after", "requests"), rows)


def _unit(signal: str) -> str:
    return SIGNALS[signal].unit if signal in SIGNALS else ""


def _of_tier(incident: Incident, *tiers: str) -> list[Cause]:
    return [c for c in incident.causes if c.tier in tiers][:_MOST]


def _why(incident: Incident) -> Iterator[str]:
    candidates = _of_tier(incident, "supported", "consistent")
    if not candidates and incident.losses:
        yield from losses.why(incident)
        return
    if not candidates:
        examined = f" ({len(incident.causes)} examined)" if incident.causes else ""
        yield f"unknown: no measured cause explains it{examined}"
        return
    first = candidates[0]
    if first.tier == "supported":
        yield f"supported by the data: {named(first)} explains {_explains(first)}"
    else:
        yield f"consistent with {named(first)} ({_explains(first)}), but not proven to be its cause"
    if first.reason:
        yield f"{'test' if first.tier == 'supported' else 'because'}: {clean(first.reason, 240)}"
    if first.via:
        yield f"chain: {' -> '.join(map(cause_title, first.via[:8]))}"
    if _both(first):
        yield f"{named(first)} went {_moves(first)}"
    if first.evidence.get("by_way_of_traffic", 0) > 0:
        yield f"{number(first.evidence['by_way_of_traffic'], 'share')} of the excess comes by way of traffic"
    for driver in [c for c in candidates[1:] if c.role == "exogenous"][:2]:
        drives = "drives" if driver.tier == "supported" else "may drive"
        yield f"what {drives} it: {named(driver)} ({_TIERS[driver.tier]}, {_explains(driver)})"
    yield from _beside(first, candidates[1:])


def _beside(first: Cause, others: Sequence[Cause]) -> Iterator[str]:
    """What is left over, and who would be next."""
    if first.tier == "supported" and first.share_low < 0.995:
        least, most = (number(1.0 - share, "share") for share in (first.share_high, first.share_low))
        yield f"left unexplained by it: {least} to {most} of the excess"
    second = next((c for c in others if c.role != "exogenous"), None)
    if second is not None:
        yield f"the runner-up: {named(second)} ({_TIERS[second.tier]}, {_explains(second)})"


def named(cause: Cause) -> str:
    """A cause with the labels that it is limited to; the text of an event in quotes."""
    name = f'"{clean(cause.name)}"' if cause.role == "event" else cause_title(cause.name)
    return f"{name} of {labels(cause.scope)}" if cause.scope else name


def _explains(cause: Cause) -> str:
    ahead = f", {lasting(cause.lag_s)} ahead of it" if cause.lag_s >= 0.5 else ", at the same time"
    return f"{span(cause.share_low, cause.share_high)} of the excess{ahead}"


def _moves(cause: Cause) -> str:
    return pair(cause.evidence["before"], cause.evidence["after"], cause.unit) if _both(cause) else ""


def _both(cause: Cause) -> bool:
    return {"before", "after"} <= cause.evidence.keys()


def _cause_table(incident: Incident) -> Table | None:
    if len(incident.causes) < 2:
        return None
    rows = tuple(
        (
            _TIERS[c.tier],
            named(c),
            _ROLES[c.role],
            span(c.share_low, c.share_high) if c.tier != "ruled_out" else "",
            lasting(c.lag_s) if c.tier != "ruled_out" else "",
            _moves(c),
        )
        for c in incident.causes[:_MOST]
    )
    return Table("Causes examined", ("claim", "cause", "role", "of the excess", "ahead by", "before -> after"), rows)


def _excluded(cause: Cause) -> str:
    return f"{named(cause)}: {clean(cause.reason, 240) or 'the reason is not in this record'}"


def _sure(incident: Incident) -> Iterator[str]:
    finding = lead(incident)
    if incident.losses:
        yield from losses.sure(incident)
    elif finding is not None:
        strongest = max(f.evidence for f in incident.findings)
        yield f"that it moved by more than its margin: {odds(strongest)} (e-value of the strongest signal)"
        if finding.requests > 0:
            yield f"{title(finding.signal)} measured on {finding.requests:,} requests since it moved"
    yield from (clean(note, 300) for note in incident.notes[:_MOST])


def _sender(incident: Incident) -> str:
    """Whom to slow down: named only where the record names a driver, and with the same certainty."""
    senders = [c for c in _of_tier(incident, "supported", "consistent") if c.role == "exogenous" and c.scope]
    proven = next((c for c in senders if c.tier == "supported"), None)
    if proven:
        return labels(proven.scope)
    return f"whoever sends most (perhaps {labels(senders[0].scope)})" if senders else "whoever sends most"


def _advice(incident: Incident) -> Iterator[Advice]:
    who = _sender(incident)
    for cause, step in next_steps(incident):
        prefix = f"If it is {named(cause)}: " if cause and cause.tier == "consistent" else ""
        yield Advice(prefix + step.do.replace("{who}", who), step.cost, step.flags)

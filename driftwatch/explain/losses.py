"""What is not heard of any more, in words: traffic, requests that hang, metrics that went stale."""

from __future__ import annotations

from collections.abc import Iterator

from driftwatch.explain.numbers import clean, lasting, number, odds, utc
from driftwatch.incidents.models import Incident, Loss

_MOST = 6


def head(incident: Incident) -> str:
    """The loss that says most, and how many more there are."""
    first, *others = sorted(incident.losses, key=lambda loss: ("traffic", "requests", "series").index(loss.what))
    where = clean(first.source, 44)
    said = {
        "traffic": f"No requests on {where} for {_silent(first, incident)}",
        "requests": f"{first.missing:,} requests on {where} began and {_not_ended(first)}",
        "series": f"{_share(first)} of {where} went stale",
    }[first.what]
    return f"{said}{_more(first, others)}"


def _not_ended(loss: Loss) -> str:
    return "have not ended" if loss.until is None else "did not end"


def _more(first: Loss, others: list[Loss]) -> str:
    counts = {what: sum(loss.what == what for loss in others) for what in ("traffic", "requests", "series")}
    streams = f"{counts['traffic']} more stream{'s' * (counts['traffic'] > 1)}" if counts["traffic"] else ""
    hung = "requests that hang" if counts["requests"] and first.what != "requests" else ""
    again = "more " if first.what == "series" else ""
    metrics = f"metrics of {counts['series']} {again}source{'s' * (counts['series'] > 1)}" if counts["series"] else ""
    said = [x for x in (streams, hung, metrics) if x]
    return f"; also {', '.join(said)}" if said else ""


def _silent(loss: Loss, incident: Incident) -> str:
    end = loss.until or incident.updated_at
    return lasting(max((utc(end) - utc(loss.since)).total_seconds(), 0.0))


def _share(loss: Loss) -> str:
    if loss.missing == loss.of:
        return f"all {loss.of} metrics" if loss.of > 1 else "the only metric"
    return f"{loss.missing} of {loss.of} metrics"


def what(incident: Incident) -> Iterator[str]:
    """A sentence for each loss."""
    for loss in incident.losses[:_MOST]:
        yield f"{_told(loss, incident)}{_came_back(loss)}"
    if len(incident.losses) > _MOST:
        yield f"and {len(incident.losses) - _MOST} more"


def _told(loss: Loss, incident: Incident) -> str:
    where = clean(loss.source, 60)
    if loss.what == "traffic":
        return (
            f"nothing was completed on {where} for {_silent(loss, incident)}; it had {number(loss.rate, '1/s')} before "
            f"and was {_usual_silence(loss)}, so about {loss.missing:,} requests were to be expected"
        )
    if loss.what == "requests":
        return (
            f"on {where} {loss.missing:,} of {loss.of:,} requests that began {_not_ended(loss)}, long after the "
            f"{lasting(loss.longest_s)} within which all but one in a thousand end"
        )
    names = ", ".join(clean(name, 40) for name in loss.names[:_MOST])
    rest = f" and {len(loss.names) - _MOST} more" if len(loss.names) > _MOST else ""
    return f"{_share(loss)} of {where}, sampled every {lasting(loss.longest_s)} until then, stopped: {names}{rest}"


def _usual_silence(loss: Loss) -> str:
    return f"silent for at most {lasting(loss.longest_s)}" if loss.longest_s > 0 else "never silent"


def _came_back(loss: Loss) -> str:
    return "" if loss.until is None else f"; back at {utc(loss.until):%H:%M:%S}"


def who(incident: Incident) -> Iterator[str]:
    """Streams and sources."""
    for kind, said in (("traffic", "silent"), ("requests", "hanging requests"), ("series", "stale metrics")):
        sources = [clean(loss.source, 60) for loss in incident.losses if loss.what == kind]
        rest = f" and {len(sources) - _MOST} more" if len(sources) > _MOST else ""
        if sources:
            yield f"{said}: {', '.join(sources[:_MOST])}{rest}"


def why(incident: Incident) -> Iterator[str]:
    """No cause is looked for."""
    yield "unknown: what stopped has no dose to compare a cause with, so none is looked for"


def sure(incident: Incident) -> Iterator[str]:
    """How strong the evidence is, by what it is about."""
    for kind, about in (("traffic", "a silence of healthy traffic"), ("requests", "the usual loss of requests")):
        evidence = [loss.evidence for loss in incident.losses if loss.what == kind]
        if evidence:
            yield f"that it is more than {about}: {odds(max(evidence))}"
    if any(loss.what == "series" for loss in incident.losses):
        yield "metrics come by a clock, so that they are stale is a rule (5 missed samples and 90 s), not a test"

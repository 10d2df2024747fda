"""An incident in the few lines that somebody reads on a phone: what, since when, who, why, how sure, what next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from driftwatch.explain import headline, tell
from driftwatch.explain.numbers import clean, lasting, utc
from driftwatch.explain.story import Section
from driftwatch.incidents.models import Incident, Severity

_MOST_STEPS, _LINE, _STEP = 3, 300, 200
_WHAT = ("since", "who", "cause", "sure", "green")
_LABELS = {"since": "Since", "who": "Who", "cause": "Likely cause", "sure": "How sure", "green": "Dashboards"}
_SAID = {"since": 3, "cause": 3, "sure": 3}
_NOT_SAID = ("Test: ",)  # how a claim was tested is in the report; here it is enough that it is supported
_COVER = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Message:
    """What is said about one transition.

    Parameters
    ----------
    title
        At most 150 characters, the state first.
    facts
        Labels and sentences.
    steps
        What to try next; none once it is over.
    link
        Where to look; may be empty.
    reference
        The id and number of the transition.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    link: str
    reference: str
    severity: Severity
    over: bool

    def text(self, width: int = 4000) -> str:
        """As plain text of at most ``width`` characters."""
        lines = [self.title, *(f"{label}: {said}" for label, said in self.facts)]
        lines += [f"{'Next: ' if n == 1 else '      '}{n}. {step}" for n, step in enumerate(self.steps, 1)]
        end = [f"Look: {self.link}"] * bool(self.link) + [self.reference]
        body = cut("\n".join(lines), max(width - sum(map(len, end)) - 2, 0))
        return cut("\n".join([body, *end]), width)


def message(incident: Incident, link: str = "") -> Message:
    """What to say about a transition.

    Parameters
    ----------
    link
        A template of where to look, see `linked`.
    """
    over = incident.status == "resolved"
    story = tell(incident)
    known = {section.key: section for section in story.sections}
    steps = [advice.do for advice in known["next"].advice] if "next" in known and not over else []
    return Message(
        title=title(incident),
        facts=tuple((_LABELS[key], _sentence(known[key])) for key in _WHAT if key in known),
        steps=tuple(clean(step, _STEP) for step in steps[:_MOST_STEPS]),
        link=linked(link, incident),
        reference=story.reference,
        severity=incident.severity,
        over=over,
    )


def title(incident: Incident) -> str:
    """The state and the headline.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 27, 10, tzinfo=UTC)
    >>> one = Incident(id="dw-1", kind="degradation", severity="critical", stream="model=m", opened_at=at, onset=at,
    ...     onset_interval=(at, at), updated_at=at, findings=())
    >>> title(one)
    '[CRITICAL] Degradation for model=m'
    >>> over = {"status": "resolved", "transition": "resolve", "resolved_at": at.replace(minute=25)}
    >>> title(one.model_copy(update=over))
    '[RESOLVED after 25 min] Degradation for model=m'
    """
    return f"[{_state(incident)}] {headline(incident)}"


def _state(incident: Incident) -> str:
    if incident.transition == "accept":
        return "ACCEPTED as the new normal"
    if incident.status == "resolved":
        return f"RESOLVED after {lasting(_lasted(incident).total_seconds())}"
    if incident.status == "acknowledged":
        return f"{incident.severity.upper()}, acknowledged"
    return incident.severity.upper() + (", update" if incident.transition == "update" else "")


def _lasted(incident: Incident) -> timedelta:
    return max(utc(incident.resolved_at or incident.updated_at) - utc(incident.onset), timedelta())


def _sentence(section: Section) -> str:
    said = [sentence for sentence in section.sentences if not sentence.startswith(_NOT_SAID)]
    return clean(". ".join(said[: _SAID.get(section.key, 1)]), _LINE)


def linked(template: str, incident: Incident) -> str:
    """A template with ``{id}``, ``{stream}``, ``{from_ms}`` and ``{to_ms}`` filled in; half an hour more on both sides.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 27, 10, tzinfo=UTC)
    >>> one = Incident(id="dw-1", kind="change", severity="warning", stream="model=a b", opened_at=at, onset=at,
    ...     onset_interval=(at, at), updated_at=at, findings=())
    >>> linked("https://grafana.example/d/llm?var-stream={stream}&from={from_ms}", one)
    'https://grafana.example/d/llm?var-stream=model%3Da%20b&from=1795771800000'
    """
    end = utc(incident.resolved_at or incident.updated_at) + _COVER
    known = {
        "id": quote(clean(incident.id), safe=""),
        "stream": quote(clean(incident.stream, 200), safe=""),
        "from_ms": str(milliseconds(utc(incident.onset) - _COVER)),
        "to_ms": str(milliseconds(end)),
    }
    for name, value in known.items():
        template = template.replace("{" + name + "}", value)
    return template


def milliseconds(at: datetime) -> int:
    """Since the epoch."""
    return round(utc(at).timestamp() * 1000)


def digest(incidents: Sequence[Incident]) -> str:
    """What several incidents in one message are called."""
    firing = sum(i.status != "resolved" for i in incidents)
    counts = [(firing, "open"), (len(incidents) - firing, "resolved")]
    return f"{len(incidents)} incidents: " + ", ".join(f"{n} {what}" for n, what in counts if n)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, with an ellipsis where something is missing.

    Examples
    --------
    >>> cut("abcdef", 5), cut("abc", 5)
    ('ab...', 'abc')
    """
    return text if len(text) <= limit else text[: max(limit - 3, 0)].rstrip() + "..."[:limit]


def fields(incident: Incident) -> dict[str, str]:
    """Identity and state in few words, for services that show a table."""
    return {
        "incident": clean(incident.id),
        "update": str(incident.seq),
        "kind": incident.kind,
        "severity": incident.severity,
        "stream": clean(incident.stream, 200),
        "since": utc(incident.onset).isoformat(timespec="seconds"),
        "silent": "yes" if incident.silent else "no",
    }

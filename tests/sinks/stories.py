"""Incidents to deliver: their transitions, with present times, plain and hostile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from driftwatch.incidents.models import Incident, Mark

SAMPLE = Incident.model_validate_json(
    (Path(__file__).parents[1] / "explain" / "sample.json").read_text(encoding="utf-8")
)
NOW = datetime.now(UTC).replace(microsecond=0)
ATTACKS = (
    "<script>alert(1)</script> <!channel> <@U123> @everyone <http://x.example|click>",
    "[a](javascript:alert(1)) **b** `c` | d | {stream} {{ 7 * 7 }}",
    "\x1b[31mred\x1b[0m\r\nX-Injected: yes\n\u202eesrever\u2028",
    "half \ud800 of a character",
    "\U0001f525" * 3000,
    "x" * 20_000,
    "",
)


def opened(
    name: str = "dw-0001", severity: str = "critical", stream: str = "model=chat", ago_s: float = 300
) -> Incident:
    """An incident that has just opened, and whose onset was so long ago."""
    onset = NOW - timedelta(seconds=ago_s)
    times = {"opened_at": NOW, "onset": onset, "updated_at": NOW, "onset_interval": (onset, onset), "resolved_at": None}
    state = {"id": name, "seq": 1, "status": "open", "transition": "open", "severity": severity, "stream": stream}
    return SAMPLE.model_copy(update=times | state | {"chart": None})


def updated(incident: Incident, **changed: object) -> Incident:
    """The next update."""
    return incident.model_copy(update={"seq": incident.seq + 1, "transition": "update", **changed})


def resolved(incident: Incident) -> Incident:
    """Its end."""
    end = {"status": "resolved", "transition": "resolve", "resolved_at": NOW, "updated_at": NOW}
    return incident.model_copy(update={"seq": incident.seq + 1, **end})


def life(name: str = "dw-0001", updates: int = 1) -> list[Incident]:
    """Open, updates, resolve."""
    story = [opened(name)]
    for _ in range(updates):
        story.append(updated(story[-1]))
    return [*story, resolved(story[-1])]


def hostile(text: str) -> Incident:
    """An incident with this text wherever a stranger's text can be."""
    record = json.loads(json.dumps(SAMPLE.model_dump(mode="json")))
    base = opened("dw-hostile", stream=text)
    found = Incident.model_validate(record)
    return base.model_copy(
        update={
            "causes": tuple(
                c.model_copy(update={"name": text, "reason": text, "scope": {text: text}}) for c in found.causes
            )
            * 20,
            "segments": tuple(s.model_copy(update={"where": {text: text}}) for s in found.segments) * 20,
            "markers": (Mark(at=NOW, kind=text, text=text),) * 20,
            "notes": (text,) * 20,
            "health": tuple(h.model_copy(update={"name": text, "source": text}) for h in found.health) * 5,
            "findings": tuple(f.model_copy(update={"stream": text}) for f in found.findings),
        }
    )

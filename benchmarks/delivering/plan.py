"""What is to be told: many incidents that overlap, each of which opens, changes and ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from driftwatch import Incident

SAMPLE = Path(__file__).parents[2] / "tests" / "explain" / "sample.json"
LASTING = 20
"""So many others open before an incident is updated, and again before it ends."""


def plan(incidents: int) -> list[Incident]:
    """All transitions, in the order in which they happen: three for each incident."""
    sample = Incident.model_validate_json(SAMPLE.read_text(encoding="utf-8")).model_copy(update={"chart": None})
    found = []
    for step in range(incidents + 2 * LASTING):
        for seq, number in enumerate((step, step - LASTING, step - 2 * LASTING), 1):
            if 0 <= number < incidents:
                found.append(_transition(sample, number, seq))
    return found


def _transition(sample: Incident, number: int, seq: int) -> Incident:
    now = datetime.now(UTC)
    state = {"id": f"dw-{number:06}", "seq": seq, "opened_at": now, "onset": now, "updated_at": now}
    state |= {"onset_interval": (now, now), "resolved_at": now if seq == 3 else None}
    words = {1: ("open", "open"), 2: ("open", "update"), 3: ("resolved", "resolve")}[seq]
    return sample.model_copy(update=state | {"status": words[0], "transition": words[1]})


def wanted(transitions: Sequence[Incident]) -> set[tuple[str, int]]:
    """What must arrive: each opening and each end."""
    return {(i.id, i.seq) for i in transitions if i.transition in ("open", "resolve")}

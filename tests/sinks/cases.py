"""Every kind of destination, made so that it can be tested against something real on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivering.receiver import Received, Receiver, Reply

from driftwatch import sinks
from driftwatch.sinks import Egress, Sink

SECRET = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU="
PATH_SECRET = "T0000-s3cret"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case works: a folder, a receiver, and what may be reached."""

    folder: Path
    receiver: Receiver
    egress: Egress

    @property
    def url(self) -> str:
        """With a secret in its path, as chat services have it."""
        return f"{self.receiver.url}/{PATH_SECRET}"


@dataclass(frozen=True, slots=True)
class Case:
    """One destination.

    Parameters
    ----------
    make
        The sink.
    heard
        What arrived, in order: (incident id, "open" or "resolved"), one for each incident in each message.
    answer
        How the service answers when all is well.
    http
        Whether it is told by HTTP.
    check
        Asserts the published limits of the service on one message.
    """

    name: str
    make: Callable[[Place], Sink]
    heard: Callable[[Place], list[tuple[str, str]]]
    answer: Callable[[int, str, str, bytes], Reply] = lambda *_: Reply()
    http: bool = True
    check: Callable[[Received], None] = lambda message: None


def _records(place: Place) -> list[dict[str, Any]]:
    return [message.json["data"] for message in place.receiver.accepted]


def _state(record: dict[str, Any]) -> tuple[str, str]:
    return record["id"], "resolved" if record["status"] == "resolved" else "open"


def _below_20_kb(message: Received) -> None:
    assert len(message.body) < 20_000


def _alerts(place: Place) -> list[tuple[str, str]]:
    alerts = [alert for message in place.receiver.accepted for alert in message.json]
    ended = [alert["annotations"]["summary"].startswith("[RESOLVED") for alert in alerts]
    return [(a["labels"]["incident"], "resolved" if e else "open") for a, e in zip(alerts, ended, strict=True)]


def _lines(place: Place) -> list[tuple[str, str]]:
    return [_state(json.loads(line)) for line in (place.folder / "out.jsonl").read_text().splitlines()]


CASES = (
    Case(
        "webhook",
        lambda p: sinks.Webhook(p.url, SECRET, egress=p.egress),
        lambda p: [_state(record) for record in _records(p)],
        check=_below_20_kb,
    ),
    Case(
        "cloudevents",
        lambda p: sinks.CloudEvents(p.url, SECRET, egress=p.egress),
        lambda p: [_state(record) for record in _records(p)],
        check=_below_20_kb,
    ),
    Case(
        "alertmanager",
        lambda p: sinks.Alertmanager(p.url, headers={"Authorization": SECRET}, egress=p.egress),
        _alerts,
    ),
    Case("jsonlines", lambda p: sinks.JsonLines(p.folder / "out.jsonl"), _lines, http=False),
)

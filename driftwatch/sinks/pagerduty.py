"""PagerDuty (Events API v2): trigger, acknowledge, resolve, by one key for each incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from driftwatch.explain.numbers import clean, utc
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import encoded
from driftwatch.sinks.message import Message, cut, fields, message
from driftwatch.sinks.protocol import HttpSink, Letter
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request

# https://developer.pagerduty.com/docs/events-api-v2-overview and .../trigger-events (PD-CEF fields)
SUMMARY, DEDUP_KEY, EVENT_BYTES = 1024, 255, 512_000
_LINK = 2000


class PagerDuty(HttpSink):
    """Triggers an alert for each incident, and acknowledges and resolves it with the incident.

    Parameters
    ----------
    routing_key
        The integration key, 32 characters; or a reference to it, ``env:NAME`` or ``file:PATH``.
    name
        In the outbox, in metrics and in logs.
    link
        Template of where to look, see the docs.
    url
        Of the Events API; accounts in the EU have ``https://events.eu.pagerduty.com/v2/enqueue``.
    egress
        What may be reached.
    """

    every = False

    def __init__(
        self,
        routing_key: str,
        *,
        name: str = "pagerduty",
        link: str = "",
        url: str = "https://events.pagerduty.com/v2/enqueue",
        egress: Egress | None = None,
    ) -> None:
        super().__init__(name, egress or Egress())
        self._key, self._link, self._url = Secret(routing_key), link, url
        self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """One event."""
        incident, key = letters[0].incident, self._key.reveal()
        action = {"resolved": "resolve", "acknowledged": "acknowledge"}.get(incident.status, "trigger")
        event = {"routing_key": key, "event_action": action, "dedup_key": cut(clean(incident.id, 250), DEDUP_KEY)}
        if action == "trigger":
            event |= _details(incident, message(incident, self._link))
        return Request(self._url, encoded(event), {"Content-Type": "application/json"}, hide=(key,))


def _details(incident: Incident, said: Message) -> dict[str, Any]:
    steps = "; ".join(f"{n}. {step}" for n, step in enumerate(said.steps, 1))
    link = said.link[:_LINK]
    return {
        "client": "driftwatch",
        **({"client_url": link, "links": [{"href": link, "text": "Where to look"}]} if link else {}),
        "payload": {
            "summary": cut(said.title, SUMMARY),
            "source": clean(incident.stream, 200) or "driftwatch",
            "severity": incident.severity,
            "timestamp": utc(incident.onset).isoformat(),
            "class": incident.kind,
            "custom_details": dict(said.facts) | {"Next": steps} | fields(incident),
        },
    }

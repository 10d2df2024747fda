"""The webhook in the form of CloudEvents, for event buses: one JSON document that says itself what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from driftwatch.explain.numbers import utc
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import facts
from driftwatch.sinks.webhook import MOST_BYTES, Webhook, key
from driftwatch.sinks.wire import Egress

_ENVELOPE = 1_500


class CloudEvents(Webhook):
    """POSTs each transition as a CloudEvent 1.0 in structured mode, signed as `Webhook` is.

    Parameters
    ----------
    url, secret, name, headers, egress
        As for `Webhook`.
    source
        Who says it, as a URI reference.

    References
    ----------
    .. [1] CloudEvents, version 1.0.2, and its HTTP protocol binding. https://github.com/cloudevents/spec
    """

    content_type = "application/cloudevents+json; charset=utf-8"

    def __init__(
        self,
        url: str,
        secret: str | Sequence[str] | None = None,
        *,
        name: str = "cloudevents",
        source: str = "driftwatch",
        headers: Mapping[str, str] | None = None,
        egress: Egress | None = None,
    ) -> None:
        super().__init__(url, secret, name=name, headers=headers, egress=egress)
        self._source = source

    def payload(self, incident: Incident) -> dict[str, Any]:
        """The event."""
        return {
            "specversion": "1.0",
            "id": key(incident),
            "source": quote(self._source, safe=":/?#[]@!$&'()*+,;=%"),
            "type": f"driftwatch.incident.{incident.transition}",
            "subject": incident.id,
            "time": utc(incident.updated_at).isoformat(),
            "datacontenttype": "application/json",
            "data": facts(incident, MOST_BYTES - _ENVELOPE),
        }

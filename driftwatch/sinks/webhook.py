"""A webhook after the Standard Webhooks specification: an id that tells duplicates, a time, a signature, a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import ConfigError
from driftwatch.explain.numbers import utc
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import encoded, facts
from driftwatch.sinks.protocol import HttpSink, Letter
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request

MOST_BYTES = 20_000
"""A body is smaller than this (Standard Webhooks 1.0.0, 'Payload size': recommended to be below 20 kB)."""
_ENVELOPE = 1_000


class Webhook(HttpSink):
    """POSTs each transition as JSON, signed after Standard Webhooks.

    The body is ``{"type": "incident.open", "timestamp": ..., "data": {...}}`` and follows docs/webhook.schema.json. The
    header ``webhook-id`` is the incident's id and the number of the transition: a receiver knows a duplicate by it.

    Parameters
    ----------
    url
        Where to; or a reference to it, ``env:NAME`` or ``file:PATH``.
    secret
        ``whsec_...`` (base64), or a reference; several during a rotation: the body is signed with each.
    name
        In the outbox, in metrics and in logs.
    headers
        More headers; values may be references.
    egress
        What may be reached.

    Raises
    ------
    ConfigError
        If the URL may not be used.

    References
    ----------
    .. [1] Standard Webhooks, version 1.0.0. https://github.com/standard-webhooks/standard-webhooks
    """

    def __init__(
        self,
        url: str,
        secret: str | Sequence[str] | None = None,
        *,
        name: str = "webhook",
        headers: Mapping[str, str] | None = None,
        egress: Egress | None = None,
    ) -> None:
        super().__init__(name, egress or Egress())
        self._url = Secret(url)
        self._secrets = [Secret(s) for s in ([secret] if isinstance(secret, str) else secret or [])]
        self._headers = {key: Secret(value) for key, value in (headers or {}).items()}
        if not self._url.reference:
            self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """One transition, signed at ``now``."""
        incident = letters[0].incident
        secrets = [secret.reveal() for secret in self._secrets]
        headers = {key: value.reveal() for key, value in self._headers.items()}
        body = encoded(self.payload(incident))
        return Request(
            self._url.reveal(),
            body,
            {"Content-Type": self.content_type} | headers | signed(key(incident), now, body, secrets),
            hide=(*secrets, *headers.values()),
        )

    content_type = "application/json"

    def payload(self, incident: Incident) -> dict[str, Any]:
        """The body."""
        return {
            "type": f"incident.{incident.transition}",
            "timestamp": utc(incident.updated_at).isoformat(),
            "data": facts(incident, MOST_BYTES - _ENVELOPE),
        }


def key(incident: Incident) -> str:
    """The id of a transition: what a receiver knows a duplicate by."""
    return f"{incident.id}-{incident.seq}"


def signed(id_: str, now: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of Standard Webhooks; without a secret there is no signature.

    Raises
    ------
    ConfigError
        If a secret is not base64.
    """
    at = utc(now)
    headers = {"webhook-id": id_, "webhook-timestamp": str(int(at.timestamp()))}
    if not secrets:
        return headers
    library = load("standardwebhooks", "alerts")
    try:
        signatures = [library.Webhook(secret).sign(id_, at, body.decode()) for secret in secrets]
    except ValueError:
        raise ConfigError("a webhook's secret is not base64 after 'whsec_'") from None
    return headers | {"webhook-signature": " ".join(signatures)}

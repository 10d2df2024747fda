"""Grafana annotations: a region from onset to end, so that the green dashboard shows the silent incident."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode

from driftwatch.errors import DeliveryError
from driftwatch.explain.numbers import clean, utc
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import encoded
from driftwatch.sinks.message import message, milliseconds
from driftwatch.sinks.protocol import HttpSink, Letter, Memory
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request, Response, post


class Grafana(HttpSink):
    """Writes one annotation for each incident and moves its end along.

    It is found again by its tags (``driftwatch``, ``incident:ID``): a message that is sent twice makes no second one.

    Parameters
    ----------
    url
        Of Grafana, with a path prefix if it has one; or a reference to it.
    token
        Of a service account that may read and write annotations; or a reference to it.
    name
        In the outbox, in metrics and in logs.
    dashboard
        Uid of the dashboard that the annotations are for; without one, every dashboard can show them by their tags.
    egress
        What may be reached.

    References
    ----------
    .. [1] https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
    """

    every = False

    def __init__(
        self, url: str, token: str, *, name: str = "grafana", dashboard: str = "", egress: Egress | None = None
    ) -> None:
        super().__init__(name, egress or Egress())
        self._url, self._token, self._dashboard = Secret(url), Secret(token), dashboard
        if not self._url.reference:
            self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """A new annotation."""
        place = {"dashboardUID": self._dashboard} if self._dashboard else {}
        return self._call("POST", "", encoded(_annotation(letters[0].incident) | place))

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """Change the annotation that is there, or make one."""
        known = self._known(letters[0].incident)
        change = self._call("PATCH", f"/{known}", encoded(_annotation(letters[0].incident)))
        post(self.request(letters, now) if known is None else change, self.egress)
        return [{}]

    def _known(self, incident: Incident) -> int | None:
        """The id of the annotation that is there, if it is."""
        tags = urlencode([("tags", "driftwatch"), ("tags", _tag(incident)), ("limit", "1")])
        return _first(post(self._call("GET", f"?{tags}"), self.egress))

    def _call(self, method: str, path: str, body: bytes = b"") -> Request:
        token = self._token.reveal()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return Request(f"{self._url.reveal().rstrip('/')}/api/annotations{path}", body, headers, method, hide=(token,))


def _annotation(incident: Incident) -> dict[str, Any]:
    said = message(incident)
    lines = [escape(said.title), *(f"<b>{label}</b> {escape(text)}" for label, text in said.facts)]
    return {
        "time": milliseconds(utc(incident.onset)),
        "timeEnd": milliseconds(utc(incident.resolved_at or incident.updated_at)),
        "tags": ["driftwatch", _tag(incident), incident.severity, incident.kind],
        "text": "<br>".join(lines),
    }


def _tag(incident: Incident) -> str:
    return f"incident:{clean(incident.id, 80)}"


def _first(response: Response) -> int | None:
    try:
        found = json.loads(response.body)
        return int(found[0]["id"]) if found else None
    except (ValueError, TypeError, LookupError):
        raise DeliveryError("server", "Grafana did not answer with a list of annotations") from None

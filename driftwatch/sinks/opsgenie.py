"""Opsgenie, and Jira Service Management's alerts, which have the same API: create, acknowledge, close, by alias."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from driftwatch.explain.numbers import clean
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import encoded
from driftwatch.sinks.message import cut, fields, message
from driftwatch.sinks.protocol import HttpSink, Letter
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request

# https://docs.opsgenie.com/docs/alert-api and .../alerts-and-alert-fields; characters, tags and characters of a tag
MESSAGE, ALIAS, DESCRIPTION, ENTITY, SOURCE, NOTE = 130, 512, 15_000, 512, 100, 25_000
TAGS, TAG, DETAILS = 20, 50, 8_000
_PRIORITY = {"critical": "P1", "warning": "P3", "info": "P5"}
_ACTIONS = {"resolved": "close", "acknowledged": "acknowledge"}


class Opsgenie(HttpSink):
    """Creates an alert for each incident, and acknowledges and closes it with the incident.

    Parameters
    ----------
    key
        The key of an API integration; or a reference to it, ``env:NAME`` or ``file:PATH``.
    name
        In the outbox, in metrics and in logs.
    tags
        More tags.
    link
        Template of where to look, see the docs.
    url
        ``https://api.eu.opsgenie.com`` for accounts in the EU, ``https://api.atlassian.com/jsm/ops/integration`` for
        Jira Service Management (Opsgenie itself ends in April 2027).
    egress
        What may be reached.
    """

    every = False

    def __init__(
        self,
        key: str,
        *,
        name: str = "opsgenie",
        tags: Sequence[str] = (),
        link: str = "",
        url: str = "https://api.opsgenie.com",
        egress: Egress | None = None,
    ) -> None:
        super().__init__(name, egress or Egress())
        self._key, self._tags, self._link, self._url = Secret(key), tuple(tags), link, url.rstrip("/")
        self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """One action on one alert."""
        incident, key = letters[0].incident, self._key.reveal()
        alias = clean(incident.id, 500)
        action = _ACTIONS.get(incident.status)
        path = f"/v2/alerts/{quote(alias, safe='')}/{action}?identifierType=alias" if action else "/v2/alerts"
        body = self._note(incident) if action else self._alert(incident, alias)
        headers = {"Content-Type": "application/json", "Authorization": f"GenieKey {key}"}
        return Request(self._url + path, encoded(body), headers, hide=(key,))

    def _note(self, incident: Incident) -> dict[str, Any]:
        return {"source": "driftwatch", "note": message(incident, self._link).text(NOTE)}

    def _alert(self, incident: Incident, alias: str) -> dict[str, Any]:
        said = message(incident, self._link)
        tags = ("driftwatch", incident.kind, *(("silent",) if incident.silent else ()), *self._tags)
        return {
            "message": cut(said.title, MESSAGE),
            "alias": cut(alias, ALIAS),
            "description": said.text(DESCRIPTION),
            "entity": clean(incident.stream, ENTITY),
            "source": "driftwatch",
            "priority": _PRIORITY[incident.severity],
            "tags": [cut(tag, TAG) for tag in tags[:TAGS]],
            "details": {name: cut(value, 400) for name, value in fields(incident).items()},
        }

"""Alertmanager (API v2): identity in labels, evidence in annotations, said again while it lasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from driftwatch.explain.numbers import clean, utc
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import encoded
from driftwatch.sinks.message import message
from driftwatch.sinks.protocol import HttpSink, Letter, Memory
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request, Response

_SILENT_AFTER = 4  # missed repetitions, as Prometheus has it: then nobody repeats it any more
_AFTERWARDS_S = 900.0  # its end is repeated this long, as Prometheus does, for an Alertmanager that restarts
_CHANGEABLE = ("severity", "kind")


class Alertmanager(HttpSink):
    """POSTs alerts to ``/api/v2/alerts``: firing ones again and again until they are resolved.

    Labels: ``alertname="DriftwatchIncident"``, ``incident``, ``stream``, ``severity``, ``kind`` and yours. When
    severity or kind change, the alert with the old labels is ended in the same request. Annotations: ``summary``,
    ``description`` and each line of the message.

    Parameters
    ----------
    url
        Of the Alertmanager, such as ``http://alertmanager:9093``, with a path prefix if it has one; or a reference.
    name
        In the outbox, in metrics and in logs.
    repeat_s
        Time between repetitions, in seconds. An alert that is not repeated ends by itself after four times as long, so
        that none outlives a driftwatch that is gone.
    labels
        More labels, such as the cluster.
    headers
        More headers, such as ``Authorization``; values may be references.
    link
        Template of where to look, see the docs: becomes the alert's source.
    egress
        What may be reached.

    References
    ----------
    .. [1] https://prometheus.io/docs/alerting/latest/clients/
    """

    most = 50

    def __init__(
        self,
        url: str,
        *,
        name: str = "alertmanager",
        repeat_s: float = 60.0,
        labels: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        link: str = "",
        egress: Egress | None = None,
    ) -> None:
        super().__init__(name, egress or Egress())
        self._url, self._repeat_s, self._labels, self._link = Secret(url), repeat_s, dict(labels or {}), link
        self._headers = {key: Secret(value) for key, value in (headers or {}).items()}
        if not self._url.reference:
            self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """One alert for each incident, and one more for each whose labels changed."""
        alerts = [alert for letter in letters for alert in self._alerts(letter, now)]
        headers = {key: value.reveal() for key, value in self._headers.items()}
        return Request(
            self._url.reveal().rstrip("/") + "/api/v2/alerts",
            encoded(alerts),
            {"Content-Type": "application/json"} | headers,
            hide=tuple(headers.values()),
        )

    def learn(self, letters: Sequence[Letter], response: Response) -> list[Memory]:
        """The labels that may change."""
        return [{name: getattr(letter.incident, name) for name in _CHANGEABLE} for letter in letters]

    def again_s(self, incident: Incident, now: datetime) -> float | None:
        """While it lasts, and for a while after."""
        ended = incident.resolved_at
        over = ended is not None and (now - max(utc(ended), utc(incident.updated_at))).total_seconds() > _AFTERWARDS_S
        return None if over else self._repeat_s

    def _alerts(self, letter: Letter, now: datetime) -> list[dict[str, Any]]:
        incident = letter.incident
        present = {name: getattr(incident, name) for name in _CHANGEABLE}
        alerts = [self._alert(incident, present, self._ends(incident, now))]
        if letter.memory and dict(letter.memory) != present:
            alerts.insert(0, self._alert(incident, letter.memory, now))
        return alerts

    def _ends(self, incident: Incident, now: datetime) -> datetime:
        """Its end; while it lasts, some time from now, unless it is said again."""
        if incident.status == "resolved":
            return min(utc(incident.resolved_at or incident.updated_at), now)
        return now + timedelta(seconds=_SILENT_AFTER * self._repeat_s)

    def _alert(self, incident: Incident, changeable: Mapping[str, str], ends: datetime) -> dict[str, Any]:
        said = message(incident, self._link)
        identity = {"alertname": "DriftwatchIncident", "incident": incident.id, "stream": clean(incident.stream, 200)}
        lines = {label.lower().replace(" ", "_"): text for label, text in said.facts}
        return {
            "labels": {name: clean(value, 200) for name, value in (self._labels | identity | dict(changeable)).items()},
            "annotations": {"summary": said.title, "description": said.text(), **lines},
            "startsAt": min(utc(incident.onset), ends).isoformat(),
            "endsAt": ends.isoformat(),
            **({"generatorURL": said.link} if said.link else {}),
        }

"""Every kind of destination, made so that it can be tested against something real on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from delivering.receiver import Received, Receiver, Reply
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from slack_sdk.models.blocks import Block

from driftwatch import sinks
from driftwatch.sinks import Egress, Sink

SECRET = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1zZWU="
PATH_SECRET = "T0000-s3cret"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case works: a folder, servers of each kind with what they received, and what may be reached."""

    folder: Path
    receiver: Receiver
    egress: Egress
    smtp: int
    mails: list[EmailMessage]
    logs: InMemoryLogRecordExporter
    provider: LoggerProvider

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
        Makes how the service answers when all is well.
    http
        Whether it is told by HTTP, by us.
    keyed
        Whether `SECRET` is its key.
    check
        Asserts the published limits of the service on one message.
    """

    name: str
    make: Callable[[Place], Sink]
    heard: Callable[[Place], list[tuple[str, str]]]
    answer: Callable[[], Callable[[int, str, str, bytes], Reply]] = lambda: lambda *_: Reply()
    http: bool = True
    keyed: bool = False
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


def _told(text: str) -> list[tuple[str, str]]:
    """The incidents that a message for people speaks of: a state at the head of each, its reference at the end."""
    state, found = "", []
    for head, name in re.findall(r"\[([A-Z]{4,})|(dw-[\w-]+), update", text):
        state = head or state
        found += [(name, "resolved" if state == "RESOLVED" else "open")] if name else []
    return found


def _slack(place: Place) -> list[tuple[str, str]]:
    return [
        told for message in place.receiver.accepted if b'"blocks"' in message.body for told in _told(_plain(message))
    ]


def _plain(message: Received) -> str:
    return json.dumps(message.json, ensure_ascii=False)


def _slack_limits(message: Received) -> None:
    """Slack's own library checks lengths and numbers; the sum is what users found out."""
    if b'"blocks"' not in message.body:
        return
    body = message.json
    found = [block.to_dict() for block in Block.parse_all(body["blocks"])]
    assert 0 < len(found) <= 50
    texts = [text for block in found for text in _texts(block)]
    assert sum(map(len, texts)) < 13_000
    assert len(body["text"]) <= 4000
    for text in [body["text"], *_texts(body["blocks"], "mrkdwn")]:
        assert not re.search(r"<(?!https://grafana)", text)


def _texts(part: Any, kind: str = "") -> list[str]:
    """All texts in blocks, or those of one kind."""
    if isinstance(part, list):
        return [text for inner in part for text in _texts(inner, kind)]
    if not isinstance(part, dict):
        return []
    own = [part["text"]] if isinstance(part.get("text"), str) and kind in ("", part["type"]) else []
    return own + [text for inner in part.values() for text in _texts(inner, kind)]


def _slack_api() -> Callable[[int, str, str, bytes], Reply]:
    def answer(n: int, method: str, path: str, body: bytes) -> Reply:
        told = {"ok": True, "ts": f"1700000000.{n:06}", "channel": "C0123456789", "file_id": f"F{n}"}
        return Reply(body=json.dumps(told).encode())

    return answer


def _teams_limits(message: Received) -> None:
    assert len(message.body) < 28 * 1024
    (attachment,) = message.json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {part["type"] for part in attachment["content"]["body"]} == {"RichTextBlock"}  # which knows no markdown


def _pagerduty_limits(message: Received) -> None:
    """https://developer.pagerduty.com/docs/events-api-v2-overview, and PD-CEF."""
    event = message.json
    assert len(message.body) <= 512_000
    assert event["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 0 < len(event["dedup_key"]) <= 255
    if event["event_action"] == "trigger":
        payload = event["payload"]
        assert 0 < len(payload["summary"]) <= 1024
        assert payload["severity"] in ("critical", "error", "warning", "info")
        assert payload["source"]


def _opsgenie_limits(message: Received) -> None:
    """https://docs.opsgenie.com/docs/alert-api."""
    alert = message.json
    assert len(alert["source"]) <= 100
    if "note" in alert:
        assert len(alert["note"]) <= 25_000
        return
    assert 0 < len(alert["message"]) <= 130
    assert len(alert["alias"]) <= 512
    assert len(alert["description"]) <= 15_000
    assert len(alert["entity"]) <= 512
    assert len(alert["tags"]) <= 20
    assert all(len(tag) <= 50 for tag in alert["tags"])
    assert sum(len(name) + len(value) for name, value in alert["details"].items()) <= 8000


def _opsgenie(place: Place) -> list[tuple[str, str]]:
    closing = re.compile(r"/alerts/([^/]+)/close")
    closed = [(m, closing.search(m.path)) for m in place.receiver.accepted]
    return [(found[1], "resolved") if found else (m.json["alias"], "open") for m, found in closed]


class _GrafanaApi:
    """Annotations as Grafana's HTTP API keeps them: found by tags, made, changed."""

    def __init__(self) -> None:
        self.kept: dict[int, dict[str, Any]] = {}

    def __call__(self, n: int, method: str, path: str, body: bytes) -> Reply:
        where = urlsplit(path)
        if method == "GET":
            tags = set(parse_qs(where.query)["tags"])
            found = [{"id": key, **kept} for key, kept in self.kept.items() if tags <= set(kept["tags"])]
            return Reply(body=json.dumps(found).encode())
        key = n if method == "POST" else int(where.path.rpartition("/")[2])
        self.kept[key] = self.kept.get(key, {}) | json.loads(body)
        return Reply(body=json.dumps({"id": key}).encode())


def _grafana(place: Place) -> list[tuple[str, str]]:
    changes = [m for m in place.receiver.accepted if m.method in ("POST", "PATCH")]
    return [(_tagged(m.json), "resolved" if "[RESOLVED" in m.json["text"] else "open") for m in changes]


def _tagged(annotation: dict[str, Any]) -> str:
    return next(tag.removeprefix("incident:") for tag in annotation["tags"] if tag.startswith("incident:"))


def _grafana_text(message: Received) -> None:
    if message.body:
        assert not re.search(r"<(?!/?b>|br>)", message.json["text"])


def _events(place: Place) -> list[tuple[str, str]]:
    found = [log.log_record.attributes for log in place.logs.get_finished_logs()]
    return [(a["driftwatch.incident"], "resolved" if a["driftwatch.status"] == "resolved" else "open") for a in found]


def _mailed(place: Place) -> list[tuple[str, str]]:
    texts = [mail.get_body().get_content() for mail in place.mails]
    return [told for text in texts for told in _told(text)]


def _apprise_text(message: Received) -> None:
    assert len(message.json["message"]) <= 1500
    assert len(message.json["title"]) <= 150


LINK = "https://grafana.example/d/llm?from={from_ms}&to={to_ms}&var-stream={stream}"
CASES = (
    Case(
        "webhook",
        lambda p: sinks.Webhook(p.url, SECRET, egress=p.egress),
        lambda p: [_state(record) for record in _records(p)],
        check=_below_20_kb,
        keyed=True,
    ),
    Case(
        "cloudevents",
        lambda p: sinks.CloudEvents(p.url, SECRET, egress=p.egress),
        lambda p: [_state(record) for record in _records(p)],
        check=_below_20_kb,
        keyed=True,
    ),
    Case(
        "alertmanager",
        lambda p: sinks.Alertmanager(p.url, headers={"Authorization": SECRET}, link=LINK, egress=p.egress),
        _alerts,
        keyed=True,
    ),
    Case(
        "pagerduty",
        lambda p: sinks.PagerDuty(SECRET, url=p.url, link=LINK, egress=p.egress),
        lambda p: [
            (m.json["dedup_key"], {"trigger": "open", "resolve": "resolved"}[m.json["event_action"]])
            for m in p.receiver.accepted
        ],
        answer=lambda: lambda *_: Reply(202, b'{"status": "success"}'),
        check=_pagerduty_limits,
        keyed=True,
    ),
    Case(
        "opsgenie",
        lambda p: sinks.Opsgenie(SECRET, url=p.url, link=LINK, tags=["x" * 99] * 30, egress=p.egress),
        _opsgenie,
        answer=lambda: lambda *_: Reply(202),
        check=_opsgenie_limits,
        keyed=True,
    ),
    Case(
        "slack",
        lambda p: sinks.Slack(p.url, link=LINK, egress=p.egress),
        _slack,
        answer=lambda: lambda *_: Reply(200, b"ok"),
        check=_slack_limits,
    ),
    Case(
        "slackapp",
        lambda p: sinks.SlackApp(SECRET, "C0123456789", url=p.url, link=LINK, egress=p.egress),
        _slack,
        answer=_slack_api,
        check=_slack_limits,
        keyed=True,
    ),
    Case(
        "teams",
        lambda p: sinks.Teams(p.url, link=LINK, egress=p.egress),
        lambda p: [told for m in p.receiver.accepted for told in _told(_plain(m))],
        answer=lambda: lambda *_: Reply(202),
        check=_teams_limits,
    ),
    Case(
        "grafana",
        lambda p: sinks.Grafana(p.url, SECRET, egress=p.egress),
        _grafana,
        answer=_GrafanaApi,
        check=_grafana_text,
        keyed=True,
    ),
    Case(
        "apprise",
        lambda p: sinks.Apprise(f"json://127.0.0.1:{p.receiver.port}/{PATH_SECRET}", link=LINK),
        lambda p: [told for m in p.receiver.accepted for told in _told(m.json["message"])],
        http=False,
        check=_apprise_text,
    ),
    Case(
        "email",
        lambda p: sinks.Email(
            "127.0.0.1",
            "driftwatch@example.org",
            ["sre@example.org"],
            port=p.smtp,
            tls="none",
            link=LINK,
            egress=p.egress,
        ),
        _mailed,
        http=False,
    ),
    Case("jsonlines", lambda p: sinks.JsonLines(p.folder / "out.jsonl"), _lines, http=False),
    Case("opentelemetry", lambda p: sinks.OpenTelemetry(p.provider), _events, http=False),
)

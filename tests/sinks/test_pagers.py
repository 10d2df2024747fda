"""PagerDuty, Opsgenie, Teams, Grafana, OpenTelemetry, Apprise: what each is told at each turn."""

import json
from datetime import UTC, datetime

import pytest
from delivering.receiver import Receiver, Reply
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from driftwatch.errors import ConfigError, DeliveryError
from driftwatch.sinks import Apprise, Grafana, Letter, OpenTelemetry, Opsgenie, PagerDuty, Teams
from tests.sinks.conftest import LOOPBACK
from tests.sinks.stories import opened, resolved, updated

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
ACKNOWLEDGED = updated(opened(), status="acknowledged", transition="acknowledge")


def told(receiver, sink, *incidents):
    for incident in incidents:
        sink.send([Letter(incident)], NOW)
    return receiver.received


def test_pagerduty_is_triggered_acknowledged_and_resolved_by_one_key(receiver):
    sink = PagerDuty("k" * 32, url=receiver.url, link="https://grafana.example/{id}", egress=LOOPBACK)
    events = [m.json for m in told(receiver, sink, opened(), ACKNOWLEDGED, resolved(opened()))]
    assert [e["event_action"] for e in events] == ["trigger", "acknowledge", "resolve"]
    assert {e["dedup_key"] for e in events} == {"dw-0001"}
    assert {e["routing_key"] for e in events} == {"k" * 32}
    payload = events[0]["payload"]
    assert payload["severity"] == "critical"
    assert payload["source"] == "model=chat"
    assert payload["custom_details"]["Likely cause"]
    assert payload["custom_details"]["Next"].startswith("1. ")
    assert events[0]["links"] == [{"href": "https://grafana.example/dw-0001", "text": "Where to look"}]


def test_opsgenie_creates_acknowledges_and_closes_by_alias(receiver):
    sink = Opsgenie("s3cret", url=f"{receiver.url}/jsm", tags=["llm"], egress=LOOPBACK)
    created, acknowledged, closed = told(receiver, sink, opened(), ACKNOWLEDGED, resolved(opened()))
    assert created.path == "/jsm/v2/alerts"
    assert acknowledged.path == "/jsm/v2/alerts/dw-0001/acknowledge?identifierType=alias"
    assert closed.path == "/jsm/v2/alerts/dw-0001/close?identifierType=alias"
    assert (created.json["alias"], created.json["priority"]) == ("dw-0001", "P1")
    assert {"driftwatch", "degradation", "silent", "llm"} == set(created.json["tags"])
    assert "[RESOLVED after 5 min]" in closed.json["note"]
    assert {m.headers["authorization"] for m in receiver.received} == {"GenieKey s3cret"}


def test_teams_shows_one_card_and_its_colour(receiver):
    sink = Teams(receiver.url, link="https://grafana.example/{id}", egress=LOOPBACK)
    cards = [m.json["attachments"][0]["content"] for m in told(receiver, sink, opened(), resolved(opened()))]
    assert [card["body"][0]["inlines"][0]["color"] for card in cards] == ["Attention", "Good"]
    assert cards[0]["actions"] == [
        {"type": "Action.OpenUrl", "title": "Where to look", "url": "https://grafana.example/dw-0001"}
    ]
    sink.send([Letter(opened()), Letter(resolved(opened("dw-0002")))], NOW)
    digest = receiver.received[-1].json["attachments"][0]["content"]["body"]
    assert digest[0]["inlines"][0]["text"] == "2 incidents: 1 open, 1 resolved"


def test_grafana_shows_a_region_that_grows_and_ends():
    kept = {}

    def api(n, method, path, body):
        if method == "GET":
            return Reply(body=json.dumps([{"id": key} for key in kept]).encode())
        key = n if method == "POST" else int(path.rpartition("/")[2])
        kept[key] = kept.get(key, {}) | json.loads(body)
        return Reply(body=b"{}")

    with Receiver(api) as receiver:
        sink = Grafana(receiver.url, "s3cret", dashboard="llm", egress=LOOPBACK)
        told(receiver, sink, opened())
        (first,) = [dict(a) for a in kept.values()]
        told(receiver, sink, opened(), resolved(opened()))  # said twice: still one
    (annotation,) = kept.values()
    assert annotation["time"] == first["time"] == opened().onset.timestamp() * 1000
    assert annotation["timeEnd"] == resolved(opened()).resolved_at.timestamp() * 1000
    assert annotation["dashboardUID"] == "llm"
    assert {"driftwatch", "incident:dw-0001", "critical", "degradation"} == set(annotation["tags"])
    assert annotation["text"].startswith("[RESOLVED after 5 min]")
    assert [m.method for m in receiver.received] == ["GET", "POST", "GET", "PATCH", "GET", "PATCH"]
    assert {m.headers["authorization"] for m in receiver.received} == {"Bearer s3cret"}


def test_grafana_that_does_not_answer_as_grafana_does():
    with (
        Receiver(lambda *_: Reply(body=b"<html>")) as receiver,
        pytest.raises(DeliveryError, match="list of annotations"),
    ):
        Grafana(receiver.url, "s3cret", egress=LOOPBACK).send([Letter(opened())], NOW)


def test_opentelemetry_gets_log_events():
    logs, provider = InMemoryLogRecordExporter(), LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    sink = OpenTelemetry(provider)
    sink.send([Letter(opened()), Letter(resolved(opened()))], NOW)
    first, second = (log.log_record for log in logs.get_finished_logs())
    assert (first.event_name, first.severity_number) == ("driftwatch.incident", SeverityNumber.ERROR)
    assert first.body.startswith("Time to first token")
    assert first.attributes["driftwatch.incident"] == "dw-0001"
    assert first.attributes["gen_ai.request.model"] == "chat"
    assert first.timestamp == opened().updated_at.timestamp() * 1e9
    assert (second.severity_number, second.attributes["driftwatch.status"]) == (SeverityNumber.INFO, "resolved")


def test_opentelemetry_that_cannot_flush_is_tried_again():
    class Slow(LoggerProvider):
        def force_flush(self, timeout_millis=30_000):
            return False

    with pytest.raises(DeliveryError, match="did not flush"):
        OpenTelemetry(Slow(shutdown_on_exit=False)).send([Letter(opened())], NOW)


def test_opentelemetry_without_a_provider_is_a_setup_error():
    with pytest.raises(ConfigError, match="no logger provider"):
        OpenTelemetry().send([Letter(opened())], NOW)


def test_apprise_does_not_know_every_url():
    with pytest.raises(ConfigError, match="no URL of a service"):
        Apprise("carrier-pigeon://s3cret").send([Letter(opened())], NOW)


def test_apprise_says_how_bad_it_is(receiver):
    sink = Apprise(f"json://127.0.0.1:{receiver.port}/x")
    messages = [m.json for m in told(receiver, sink, opened(), opened(severity="info"), resolved(opened()))]
    assert [m["type"] for m in messages] == ["failure", "info", "success"]
    assert messages[0]["title"].startswith("[CRITICAL] Time to first token")

"""A real Alertmanager is told, keeps on firing while it lasts, and lets go."""

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta

from delivering.servers import wait_for

from driftwatch.sinks import Alertmanager, Letter, Outbox
from tests.sinks.conftest import LOOPBACK
from tests.sinks.stories import ATTACKS, hostile, opened, resolved, updated


def sink(url, **more):
    return Alertmanager(url, egress=LOOPBACK, **more)


def held(url):
    """The alerts that it holds, by incident."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as reply:
        return {alert["labels"]["incident"]: alert for alert in json.load(reply)}


def notified(receiver):
    """What it told its own receiver: (incident, status)."""
    return [(a["labels"]["incident"], a["status"]) for m in receiver.accepted for a in m.json["alerts"]]


def test_an_incident_fires_and_is_resolved(alertmanager, tmp_path):
    url, told = alertmanager
    with Outbox(tmp_path / "outbox.db", [sink(url)]) as outbox:
        outbox.put([opened()])
        alert = wait_for(lambda: held(url).get("dw-0001"))
        assert alert["labels"]["alertname"] == "DriftwatchIncident"
        assert (alert["labels"]["severity"], alert["labels"]["kind"]) == ("critical", "degradation")
        assert "Time to first token" in alert["annotations"]["summary"]
        assert alert["annotations"]["likely_cause"]
        assert datetime.fromisoformat(alert["startsAt"]) == opened().onset
        wait_for(lambda: notified(told) == [("dw-0001", "firing")])
        outbox.put([resolved(opened())])
        wait_for(lambda: notified(told) == [("dw-0001", "firing"), ("dw-0001", "resolved")])
        assert held(url) == {}


def test_it_keeps_on_firing_while_it_lasts_and_ends_when_driftwatch_is_gone(alertmanager, tmp_path):
    url, told = alertmanager
    with Outbox(tmp_path / "outbox.db", [sink(url, repeat_s=0.3)]) as outbox:
        outbox.put([opened()])
        first = wait_for(lambda: held(url).get("dw-0001"))
        wait_for(lambda: held(url)["dw-0001"]["endsAt"] > first["endsAt"])
        time.sleep(1.5)  # longer than an alert lives that is not said again
        assert notified(told) == [("dw-0001", "firing")]
    wait_for(lambda: notified(told) == [("dw-0001", "firing"), ("dw-0001", "resolved")])


def test_a_severity_that_changes_is_one_alert_not_two(alertmanager, tmp_path):
    url, told = alertmanager
    warning = opened(severity="warning")
    with Outbox(tmp_path / "outbox.db", [sink(url)]) as outbox:
        outbox.put([warning])
        wait_for(lambda: notified(told) == [("dw-0001", "firing")])
        outbox.put([updated(warning, severity="critical")])
        wait_for(lambda: len(notified(told)) == 3)
        with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as reply:
            assert [a["labels"]["severity"] for a in json.load(reply)] == ["critical"]


def test_labels_and_link_of_ones_own(alertmanager):
    url, _ = alertmanager
    own = sink(url, labels={"cluster": "eu-1"}, link="https://grafana.example/d/x?i={id}")
    own.send([Letter(opened())], datetime.now(UTC))
    alert = wait_for(lambda: held(url).get("dw-0001"))
    assert alert["labels"]["cluster"] == "eu-1"
    assert alert["generatorURL"] == "https://grafana.example/d/x?i=dw-0001"


def test_hostile_text_is_taken(alertmanager):
    url, _ = alertmanager
    letters = [Letter(hostile(a).model_copy(update={"id": f"dw-{n}"})) for n, a in enumerate(ATTACKS)]
    sink(url).send(letters, datetime.now(UTC))
    assert wait_for(lambda: len(held(url)) == len(ATTACKS))


def test_it_says_again_that_it_is_over_for_a_while_only():
    over = resolved(opened())
    own = sink("http://127.0.0.1:9093", repeat_s=60)
    assert own.again_s(opened(), datetime.now(UTC)) == 60
    assert own.again_s(over, over.updated_at + timedelta(minutes=14)) == 60
    assert own.again_s(over, over.updated_at + timedelta(minutes=16)) is None

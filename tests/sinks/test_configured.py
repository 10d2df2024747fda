"""From the configuration to an outbox, and from a report to people."""

import json

import pytest
from delivering.receiver import Receiver, Reply

from driftwatch import Config, ConfigError, Report
from driftwatch.alerting import Alerts
from driftwatch.cli import run
from driftwatch.sinks import JsonLines, Outbox, configured
from driftwatch.sinks.configured import Sink
from tests.sinks.cases import CASES
from tests.sinks.scripted import Scripted, down
from tests.sinks.stories import life, opened, resolved

GIVEN = {
    "webhook": {"url": "https://example.org/hook", "secrets": ["env:NEW", "env:OLD"], "headers": {"X-Key": "env:KEY"}},
    "cloudevents": {"url": "https://example.org/events"},
    "alertmanager": {"url": "http://alertmanager:9093", "allow_http": True, "allow_private": True},
    "pagerduty": {"key": "env:KEY"},
    "opsgenie": {"key": "file:/run/secrets/opsgenie", "tags": ["llm"]},
    "slack": {"url": "env:SLACK_URL"},
    "slackapp": {"key": "env:SLACK_TOKEN", "channel": "C0123"},
    "teams": {"url": "env:TEAMS_URL"},
    "grafana": {"url": "https://grafana.example", "key": "env:GRAFANA_TOKEN"},
    "apprise": {"url": "env:NTFY_URL"},
    "email": {
        "host": "smtp.example.org",
        "sender": "a@example.org",
        "to": ["b@example.org"],
        "user": "a",
        "key": "env:K",
    },
    "jsonlines": {"path": "incidents.jsonl"},
    "opentelemetry": {},
}


def alerts(*destinations, **more):
    return Config.parse({"alerts": {"destinations": list(destinations), **more}}).alerts


@pytest.mark.parametrize("kind", [case.name for case in CASES])
def test_every_destination_can_be_configured(kind, tmp_path):
    outbox = configured(alerts({"kind": kind, **GIVEN[kind]}), path=tmp_path / "outbox.db")
    assert repr(outbox) == f"<Outbox: {tmp_path / 'outbox.db'}, {kind}>"
    sink = outbox._sinks[kind]
    assert isinstance(sink, Sink)
    assert type(sink).__name__.lower() == kind


@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ({"kind": "pagerduty", "key": "0123456789abcdef"}, "never itself"),
        ({"kind": "webhook", "url": "https://x.example", "secrets": ["whsec_abc"]}, "never itself"),
        ({"kind": "webhook", "url": "https://x.example", "headers": {"Authorization": "Bearer x"}}, "never itself"),
        ({"kind": "slack", "url": "https://hooks.slack.com/services/T/B/x"}, "is a secret"),
        ({"kind": "slack"}, "slack needs url"),
        ({"kind": "email", "host": "smtp.example.org"}, "email needs sender, to"),
        ({"kind": "carrier-pigeon"}, "'webhook'"),
        ({"kind": "jsonlines", "path": "x", "severity": "fatal"}, "'critical'"),
        ({"kind": "jsonlines", "path": "x", "colour": "red"}, "unknown key 'alerts.destinations.0.colour'"),
    ],
)
def test_what_is_wrong_is_said(destination, problem):
    with pytest.raises(ConfigError, match=problem):
        alerts(destination)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"quiet": "10pm-7am"}, "no hours"),
        ({"quiet": "07:00-07:00"}, "begin and end at the same time"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"deadline_s": 0}, "deadline_s"),
    ],
)
def test_what_is_wrong_with_the_section_is_said(more, problem):
    with pytest.raises(ConfigError, match=problem):
        alerts(**more)


def test_two_destinations_of_one_kind_need_names():
    two = {"kind": "jsonlines", "path": "a"}, {"kind": "jsonlines", "path": "b"}
    with pytest.raises(ConfigError, match="two destinations are called jsonlines"):
        alerts(*two)
    assert len(alerts(two[0], two[1] | {"name": "archive"}).destinations) == 2


def test_a_url_that_may_not_be_used_is_refused_when_it_is_configured(tmp_path):
    plain = {"kind": "alertmanager", "url": "http://alertmanager:9093"}
    with pytest.raises(ConfigError, match="allow_http = true"):
        configured(alerts(plain), path=tmp_path / "x.db")
    elsewhere = {"kind": "webhook", "url": "https://elsewhere.example"}
    with pytest.raises(ConfigError, match="not among the allowed hosts"):
        configured(alerts(elsewhere, allow_hosts=["*.example.org"]), path=tmp_path / "x.db")


def test_who_is_told_does_not_change_what_was_learnt_with():
    told = Config.parse({"alerts": {"destinations": [{"kind": "opentelemetry"}]}})
    assert told.digest() == Config().digest()
    assert Config.parse({"ticks": {"width_s": 10}}).digest() != Config().digest()


def test_a_report_is_sent_once(tmp_path):
    report = Report(incidents=(opened(), resolved(opened("dw-0002"))))
    sink = JsonLines(tmp_path / "out.jsonl")
    assert [o.result for o in report.send([sink], path=tmp_path / "outbox.db")] == ["delivered", "delivered"]
    assert report.send([sink], path=tmp_path / "outbox.db") == []
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_a_report_can_be_sent_through_an_outbox_that_is_there(tmp_path):
    with Outbox(tmp_path / "outbox.db", [JsonLines(tmp_path / "out.jsonl")]) as outbox:
        Report(incidents=(opened(),)).send(outbox)
        outbox.put(life("dw-0002"))


@pytest.fixture
def told(bundled, tmp_path, monkeypatch):
    """A configuration with a receiver of ours, and one with a file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with Receiver() as receiver:
        (tmp_path / "driftwatch.toml").write_text(f'''
[[alerts.destinations]]
kind = "webhook"
url = "{receiver.url}/hook"
allow_http = true
allow_private = true
severity = "info"

[[alerts.destinations]]
kind = "jsonlines"
path = "told.jsonl"
''')
        yield receiver


def test_scan_sends_and_the_outbox_can_be_looked_after(told, bundled, tmp_path, capfd):
    told.answer = lambda *_: Reply(400)
    arguments = ["scan", str(bundled), "--config", "driftwatch.toml", "--send"]
    assert run(arguments) == 1
    out = capfd.readouterr().out
    assert "Alerts: 1 delivered, 1 given up (webhook: refused); driftwatch outbox list" in out
    assert len((tmp_path / "told.jsonl").read_text().splitlines()) == 1

    assert run(["outbox", "list"]) == 0
    listed = capfd.readouterr().out
    assert "webhook" in listed
    assert "refused" in listed
    assert run(["outbox", "list", "--json", "--status", "dead"]) == 0
    (letter,) = json.loads(capfd.readouterr().out)
    assert letter["sink"] == "webhook"

    told.answer = lambda *_: Reply(200)
    assert run(["outbox", "--config", "driftwatch.toml", "replay", "--sink", "webhook"]) == 0
    assert "1 letters wait again.\nAlerts: 1 delivered" in capfd.readouterr().out
    assert run(arguments) == 1
    assert "Alerts: none were due" in capfd.readouterr().out
    assert run(["outbox", "list"]) == 0
    assert "Nothing waits" in capfd.readouterr().out


def test_sending_to_nobody_is_a_usage_error(bundled, capfd):
    assert run(["scan", str(bundled), "--send"]) == 2
    assert "[[alerts.destinations]]" in capfd.readouterr().err


def test_there_must_be_an_outbox_to_look_after(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert run(["outbox", "list"]) == 2
    assert "there is no outbox here" in capfd.readouterr().err
    assert not (tmp_path / "driftwatch").exists()


def test_dropping_everything_must_be_meant(tmp_path, capfd):
    outbox = Outbox(tmp_path / "o.db", [Scripted(fate=down())])
    outbox.put(life())
    outbox.close()
    assert run(["outbox", "--file", str(tmp_path / "o.db"), "drop"]) == 2
    assert run(["outbox", "--file", str(tmp_path / "o.db"), "drop", "--all"]) == 0
    assert "3 letters were given up." in capfd.readouterr().out


def test_the_section_has_defaults():
    assert Alerts().destinations == ()

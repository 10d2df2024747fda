"""The webhook keeps to Standard Webhooks, and the other form to CloudEvents."""

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import standardwebhooks
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from jsonschema import Draft202012Validator

from driftwatch.errors import ConfigError, DeliveryError
from driftwatch.sinks import CloudEvents, Letter, Webhook
from driftwatch.sinks.facts import encoded, facts, size
from tests.explain.test_hostile import incidents, quick
from tests.sinks.conftest import LOOPBACK
from tests.sinks.stories import SAMPLE, hostile, life, opened, updated

OLD = "whsec_b2xkLXNlY3JldC1vbGQtc2VjcmV0LTEyMw=="
NEW = "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LTQ1Ng=="


def now():
    return datetime.now(UTC)


def sent(receiver, sink, incident=None):
    sink.send([Letter(incident or opened())], now())
    return receiver.received[-1]


def test_the_signature_is_verified_by_the_library(receiver):
    message = sent(receiver, Webhook(receiver.url, NEW, egress=LOOPBACK))
    assert standardwebhooks.Webhook(NEW).verify(message.body, dict(message.headers))["type"] == "incident.open"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OLD).verify(message.body, dict(message.headers))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(NEW).verify(message.body + b" ", dict(message.headers))


def test_during_a_rotation_both_secrets_verify(receiver):
    message = sent(receiver, Webhook(receiver.url, [NEW, OLD], egress=LOOPBACK))
    for secret in (OLD, NEW):
        standardwebhooks.Webhook(secret).verify(message.body, dict(message.headers))


def test_a_rotated_secret_is_used_without_a_restart(receiver, tmp_path, monkeypatch):
    (tmp_path / "secret").write_text(OLD + "\n")
    sink = Webhook(receiver.url, f"file:{tmp_path / 'secret'}", egress=LOOPBACK)
    message = sent(receiver, sink)
    standardwebhooks.Webhook(OLD).verify(message.body, dict(message.headers))
    (tmp_path / "secret").write_text(NEW)
    message = sent(receiver, sink)
    standardwebhooks.Webhook(NEW).verify(message.body, dict(message.headers))


def test_the_id_is_that_of_the_transition_and_the_same_at_each_attempt(receiver):
    sink = Webhook(receiver.url, egress=LOOPBACK)
    ids = [sent(receiver, sink, incident).headers["webhook-id"] for incident in [*life(), *life()]]
    assert ids == ["dw-0001-1", "dw-0001-2", "dw-0001-3"] * 2


def test_without_a_secret_there_is_no_signature(receiver):
    message = sent(receiver, Webhook(receiver.url, egress=LOOPBACK))
    assert "webhook-signature" not in message.headers
    assert {"webhook-id", "webhook-timestamp"} <= message.headers.keys()


def test_a_secret_that_is_not_there_or_is_none_is_said_by_name(receiver, monkeypatch):
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    with pytest.raises(ConfigError, match="NO_SUCH_SECRET is not set"):
        sent(receiver, Webhook(receiver.url, "env:NO_SUCH_SECRET", egress=LOOPBACK))
    with pytest.raises(ConfigError, match="not base64"):
        sent(receiver, Webhook(receiver.url, "whsec_a", egress=LOOPBACK))
    assert receiver.received == []


def test_a_url_from_the_environment(receiver, monkeypatch):
    monkeypatch.setenv("HOOK", receiver.url)
    assert sent(receiver, Webhook("env:HOOK", egress=LOOPBACK)).path == "/"
    monkeypatch.setenv("HOOK", "http://169.254.169.254/")
    with pytest.raises(DeliveryError, match="may never be"):
        sent(receiver, Webhook("env:HOOK", egress=LOOPBACK))


def test_a_url_that_may_not_be_used_is_refused_at_once():
    with pytest.raises(ConfigError, match="not https"):
        Webhook("http://example.org/hook")


def test_the_body_is_the_record(receiver):
    body = sent(receiver, Webhook(receiver.url, egress=LOOPBACK)).json
    assert body["type"] == "incident.open"
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    whole = opened().to_dict()
    assert {name: body["data"][name] for name in whole} == json.loads(json.dumps(whole))
    assert body["data"]["trimmed"] == []


def test_what_does_not_fit_is_left_out_in_the_stated_order():
    whole = updated(SAMPLE)
    assert facts(whole, 10**9)["trimmed"] == []
    first = facts(whole, size(facts(whole, 10**9)) - 1)
    assert first["trimmed"] == ["chart"]
    assert first["causes"] == facts(whole, 10**9)["causes"]
    orders = [facts(whole, limit)["trimmed"] for limit in range(20_000, 4_000, -50)]
    for less, more in pairwise(orders):
        assert more[: len(less)] == less


@pytest.fixture(scope="module")
def schema(root):
    return Draft202012Validator(json.loads((root / "docs" / "webhook.schema.json").read_text()))


@quick
@given(incident=incidents)
def test_any_record_fits_and_follows_the_schema(schema, incident):
    body = encoded(Webhook("https://example.org").payload(incident))
    assert len(body) < 20_000
    schema.validate(json.loads(body, parse_constant=lambda name: pytest.fail(name)))


def test_what_is_cut_as_far_as_can_be_follows_the_schema(schema):
    long = hostile("\U0001f525" * 3000)
    cut = facts(long, 4_000)
    assert cut["trimmed"][-1] == "findings"
    assert size(cut) <= 4_000
    schema.validate(Webhook("https://example.org").payload(long) | {"data": cut})


def test_the_schema_refuses_what_is_none(schema):
    body = Webhook("https://example.org").payload(opened())
    for wrong in ({"severity": "fatal"}, {"id": 7}, {"surprise": 1}):
        assert not schema.is_valid(body | {"data": body["data"] | wrong})


def test_a_cloud_event_is_one(receiver):
    message = sent(receiver, CloudEvents(receiver.url, NEW, source="https://gpu.example/a b", egress=LOOPBACK))
    event = from_http_event(HTTPMessage(dict(message.headers), message.body))
    assert (event.get_specversion(), event.get_id(), event.get_subject()) == ("1.0", "dw-0001-1", "dw-0001")
    assert event.get_type() == "driftwatch.incident.open"
    assert event.get_source() == "https://gpu.example/a%20b"
    assert event.get_time().tzinfo is not None
    assert event.get_data()["severity"] == "critical"
    standardwebhooks.Webhook(NEW).verify(message.body, dict(message.headers))


def test_secrets_are_not_pickled_and_not_shown():
    import pickle

    from driftwatch.sinks.secret import Secret

    assert NEW not in repr(Secret(NEW))
    with pytest.raises(TypeError, match="env:NAME"):
        pickle.dumps(Secret(NEW))
    assert pickle.loads(pickle.dumps(Secret("env:X"))).reference


def test_the_library_of_http_does_not_log_the_url(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    sent(receiver, Webhook(f"{receiver.url}/s3cret", egress=LOOPBACK))
    assert "s3cret" not in caplog.text


def test_importing_sinks_needs_no_extra(root):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['httpcore2', 'standardwebhooks', 'apprise', 'opentelemetry']))\n"
        "from driftwatch import sinks; sinks.Webhook('https://example.org', 'whsec_x')"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)

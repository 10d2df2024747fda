"""Slack: a webhook's message, and a bot's thread with a picture."""

import json
from datetime import UTC, datetime

import pytest
from delivering.receiver import Receiver, Reply

from driftwatch.errors import DeliveryError
from driftwatch.sinks import Letter, Outbox, Slack, SlackApp
from tests.sinks.conftest import LOOPBACK
from tests.sinks.stories import SAMPLE, opened, resolved, updated

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TOKEN = "xoxb-s3cret"


class Api:
    """Answers as Slack's Web API and its upload server do; ``failing`` methods say no."""

    def __init__(self):
        self.failing, self.url = {}, ""

    def __call__(self, n, method, path, body):
        name = path.rpartition("/")[2]
        if name in self.failing:
            return Reply(body=json.dumps({"ok": False, "error": self.failing[name]}).encode())
        told = {"ok": True, "ts": f"{n}.5", "channel": "C0123456789"}
        return Reply(body=json.dumps(told | {"upload_url": f"{self.url}/upload/v1/abc", "file_id": "F1"}).encode())


@pytest.fixture
def slack():
    """(the API, the receiver behind it, a sink)."""
    api = Api()
    with Receiver(api) as receiver:
        api.url = receiver.url
        yield api, receiver, SlackApp(TOKEN, "C0123456789", url=f"{receiver.url}/api", egress=LOOPBACK)


def called(receiver):
    return [message.path.rpartition("/")[2] for message in receiver.received]


def test_a_message_can_be_acted_on_from_a_phone(receiver):
    Slack(receiver.url, link="https://grafana.example/d/x?from={from_ms}", egress=LOOPBACK).send(
        [Letter(opened())], NOW
    )
    body = receiver.received[0].json
    text = json.dumps(body)
    assert body["text"].startswith("[CRITICAL] Time to first token")
    for said in ("*Since*", "*Who*", "*Likely cause*", "*How sure*", "*Dashboards*", "*Next*", "1. ", "Where to look"):
        assert said in text
    assert "dw-0001, update 1" in text


def test_what_is_over_asks_for_nothing(receiver):
    Slack(receiver.url, egress=LOOPBACK).send([Letter(resolved(opened()))], NOW)
    body = receiver.received[0].json
    assert body["text"].startswith("[RESOLVED after 5 min]")
    assert "*Next*" not in json.dumps(body)


def test_what_follows_goes_into_the_thread_and_the_end_is_shown_in_the_channel(slack, tmp_path):
    _, receiver, sink = slack
    story = [opened(), updated(opened())]
    story.append(resolved(story[-1]))
    outbox = Outbox(tmp_path / "outbox.db", [sink])
    for incident in story:
        outbox.put([incident])
        outbox.deliver()
    outbox.close()
    first, second, third = (message.json for message in receiver.received)
    assert "thread_ts" not in first
    assert (second["thread_ts"], second["reply_broadcast"]) == ("0.5", False)
    assert (third["thread_ts"], third["reply_broadcast"]) == ("0.5", True)
    assert receiver.received[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_picture_goes_into_the_thread(slack):
    _, receiver, sink = slack
    sink.send([Letter(SAMPLE)], NOW)
    assert called(receiver) == ["chat.postMessage", "files.getUploadURLExternal", "abc", "files.completeUploadExternal"]
    _, asked, uploaded, shared = receiver.received
    assert uploaded.body.startswith(b"\x89PNG")
    assert f"length={len(uploaded.body)}".encode() in asked.body
    assert "authorization" not in uploaded.headers  # the token is for the API alone
    assert shared.json == {"files": [{"id": "F1"}], "channel_id": "C0123456789", "thread_ts": "0.5"}


def test_without_a_picture_the_message_is_there_all_the_same(slack, caplog):
    api, receiver, sink = slack
    api.failing = {"files.getUploadURLExternal": "missing_scope"}
    assert sink.send([Letter(SAMPLE)], NOW) == [{"thread": "0.5", "channel": "C0123456789"}]
    assert "no picture" in caplog.text
    assert called(receiver) == ["chat.postMessage", "files.getUploadURLExternal"]


def test_a_picture_is_not_uploaded_to_where_we_must_not_go(slack, caplog):
    api, receiver, sink = slack
    api.url = "http://169.254.169.254"
    sink.send([Letter(SAMPLE)], NOW)
    assert "not connected to" in caplog.text
    assert len(receiver.received) == 2


@pytest.mark.parametrize(
    ("error", "reason", "retry"),
    [
        ("invalid_blocks", "refused", False),
        ("channel_not_found", "setup", True),
        ("token_revoked", "setup", True),
        ("ratelimited", "throttled", True),
    ],
)
def test_the_api_says_no_with_200(slack, error, reason, retry):
    api, _, sink = slack
    api.failing = {"chat.postMessage": error}
    with pytest.raises(DeliveryError, match=error) as caught:
        sink.send([Letter(opened())], NOW)
    assert (caught.value.reason, caught.value.retry) == (reason, retry)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"ok"'])
def test_an_answer_that_is_none(body):
    with Receiver(lambda *_: Reply(body=body)) as receiver, pytest.raises(DeliveryError, match="JSON"):
        SlackApp(TOKEN, "C1", url=receiver.url, egress=LOOPBACK).send([Letter(opened())], NOW)

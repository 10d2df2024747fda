"""From a monitor to the destinations of its configuration."""

import json

import pytest

from driftwatch import Config, ConfigError, Monitor
from driftwatch.alerting import Alerts
from driftwatch.monitor.post import Post
from driftwatch.sinks import JsonLines, Outbox
from tests.sinks.stories import life, opened

NOBODY = Alerts()


def lines(path):
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def told(path, **more):
    return Config.parse({"alerts": {"destinations": [{"kind": "jsonlines", "path": str(path)}], **more}}).alerts


def test_the_configuration_s_destinations_are_told_and_those_of_the_call(tmp_path):
    post = Post([JsonLines(tmp_path / "b", name="second")], tmp_path / "outbox.db", told(tmp_path / "a"))
    post.put(life())
    post.close(timeout=5)
    assert lines(tmp_path / "a") == lines(tmp_path / "b") == ["dw-0001"] * 3
    assert {name: s.delivered for name, s in post.stats().items()} == {"jsonlines": 3, "second": 3}


def test_the_configuration_may_say_where_the_outbox_is(tmp_path):
    post = Post((), tmp_path / "not-here.db", told(tmp_path / "a", outbox=str(tmp_path / "here.db")))
    post.put([opened()])
    post.close(timeout=5)
    assert (tmp_path / "here.db").exists()
    assert not (tmp_path / "not-here.db").exists()


def test_nobody_to_tell_is_no_outbox(tmp_path):
    post = Post((), tmp_path / "outbox.db", NOBODY)
    post.put(life())
    post.close(timeout=1)
    assert (post.stats(), list(tmp_path.iterdir())) == ({}, [])


def test_an_outbox_that_is_handed_in_is_its_owner_s(tmp_path):
    with Outbox(tmp_path / "outbox.db", [JsonLines(tmp_path / "a")]) as outbox:
        post = Post(outbox, None, told(tmp_path / "b"))
        post.put([opened()])
        post.close(timeout=1)
        outbox.put([opened("dw-0002")])
    assert sorted(lines(tmp_path / "a")) == ["dw-0001", "dw-0002"]


def test_a_destination_that_cannot_be_is_said_when_the_monitor_is_made():
    wrong = {"alerts": {"destinations": [{"kind": "alertmanager", "url": "http://alertmanager:9093"}]}}
    with pytest.raises(ConfigError, match="allow_http"):
        Monitor(wrong)

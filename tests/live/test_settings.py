"""watch.toml: what is wrong with it is said before anything starts, and secrets are not."""

import pytest

from driftwatch.errors import ConfigError
from driftwatch.live.alerts import KINDS, sinks_of
from driftwatch.live.settings import Settings


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[targets]]\nurl = 'ftp://x'", "'targets.0.url'"),
        ("[[targets]]\nurl = 'http://x'\nevery_s = 0", "'targets.0.every_s'"),
        ("[[targets]]\nurl = 'http://x'\nevery = 5", "'targets.0.every': Extra inputs are not permitted"),
        ("[host]\nevery_s = 'often'", "'host.every_s'"),
        ("[config.ticks]\nwidth = 1", "'config.ticks.width'"),
        ("config = 'nowhere.toml'", "nowhere.toml: cannot be read"),
        ("[[logs]]\npath = ''", "'logs.0.path'"),
        ("[serve]\nport = 99999", "'serve.port'"),
        ("[[alerts]]\nurl = 'http://x'", "'alerts.0.kind'"),
        ("[targets", "not a TOML file"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, complaint):
    path = tmp_path / "watch.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"watch\.toml|nowhere\.toml") as failure:
        Settings.load(path)
    assert complaint in str(failure.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Settings.load(tmp_path / "watch.toml")


def test_a_wrong_key_beside_a_token_does_not_show_it(tmp_path):
    path = tmp_path / "watch.toml"
    path.write_text("[[targets]]\nurl = 'http://x'\ntoken = 's3cret'\nevery_s = -1")
    with pytest.raises(ConfigError) as failure:
        Settings.load(path)
    assert "s3cret" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_the_path_of_a_configuration_starts_at_the_folder_of_the_file(tmp_path):
    (tmp_path / "driftwatch.toml").write_text("[ticks]\nwidth_s = 2")
    (tmp_path / "watch.toml").write_text("config = 'driftwatch.toml'")
    assert Settings.load(tmp_path / "watch.toml").config.ticks.width_s == 2


@pytest.mark.parametrize(
    ("given", "inside", "traffic"),
    [({}, False, "histograms"), ({}, True, "requests"), ({"logs": [{"path": "x"}]}, False, "requests")],
)
def test_what_tells_of_latency(given, inside, traffic):
    judging = Settings.parse({**given, "state": "folder"}).judging(inside=inside)
    assert (judging.monitor.traffic, judging.monitor.folder) == (traffic, "folder")


def test_alerts(tmp_path):
    given = [
        {"kind": "jsonlines", "path": str(tmp_path / "a.jsonl")},
        {"kind": "webhook", "url": "env:HOOK", "name": "hook"},
        {"kind": "alertmanager", "url": "http://127.0.0.1:9093", "egress": {"allow_http": True, "allow_private": True}},
    ]
    assert [sink.name for sink in sinks_of(Settings.parse({"alerts": given}))] == ["jsonlines", "hook", "alertmanager"]
    assert {"webhook", "alertmanager", "jsonlines", "cloudevents"} <= KINDS.keys()


@pytest.mark.parametrize(
    ("alert", "complaint"),
    [
        ({"kind": "pigeon"}, "'alerts.0.kind': there is no 'pigeon'; there are: alertmanager"),
        ({"kind": "jsonlines"}, "'alerts.0': jsonlines: .*path"),
        ({"kind": "jsonlines", "path": "x", "colour": "red"}, "'alerts.0': jsonlines: .*colour"),
        ({"kind": "sink", "name": "x"}, "'alerts.0"),
    ],
)
def test_a_wrong_alert_is_said(alert, complaint):
    with pytest.raises(ConfigError, match=complaint):
        list(sinks_of(Settings.parse({"alerts": [alert]})))

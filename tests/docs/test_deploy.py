"""What is offered to be deployed says what the program takes."""

import configparser
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from driftwatch.cli import app
from driftwatch.live import Settings
from driftwatch.live.alerts import sinks_of


@pytest.fixture
def deploy(root):
    return root / "docs" / "deploy"


def test_the_settings_in_the_manifest_are_valid(deploy):
    config, deployment, claim = yaml.safe_load_all((deploy / "kubernetes.yaml").read_text())
    settings = Settings.parse(tomllib.loads(config["data"]["watch.toml"]))
    assert settings.judging().monitor.traffic == "histograms"
    assert [sink.name for sink in sinks_of(settings)] == ["alertmanager"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert settings.state in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert container["ports"][0]["containerPort"] == settings.serve.port
    assert (
        deployment["spec"]["selector"]["matchLabels"].items()
        <= deployment["spec"]["template"]["metadata"]["labels"].items()
    )
    assert claim["metadata"]["name"] in str(pod["volumes"])


def test_commands_have_the_options_that_the_command_has(deploy):
    options = {option for p in app.commands["watch"].params for option in p.opts}
    unit = (deploy / "driftwatch.service").read_text()
    image = (deploy / "Dockerfile").read_text()
    used = set(re.findall(r"--[\w-]+", re.search(r"ENTRYPOINT .*", image)[0]))
    used |= {flag for line in re.findall(r"ExecStart\w*=(.*)", unit) for flag in re.findall(r"--[\w-]+", line)}
    assert used == {"--config", "--check"} <= options


def test_the_unit_is_a_unit(deploy, tmp_path):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(deploy / "driftwatch.service")
    assert {"Unit", "Service", "Install"} == set(unit.sections())
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("there is no systemd-analyze here to check the rest")
    here = tmp_path / "driftwatch.service"
    here.write_text((deploy / "driftwatch.service").read_text().replace("/opt/driftwatch/bin/driftwatch", "/bin/true"))
    done = subprocess.run([checker, "verify", str(here)], capture_output=True, text=True)
    assert "driftwatch.service" not in done.stderr

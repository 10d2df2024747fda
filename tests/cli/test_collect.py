"""driftwatch collect, as a service manager sees it."""

import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

import driftwatch as dw
from driftwatch.cli import app


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_takes_and_ends_when_it_is_told_to(number, tmp_path, root):
    (tmp_path / "token").write_text("secret\n")
    command = [sys.executable, "-m", "driftwatch", "collect", f"--listen=unix://{tmp_path}/socket"]
    command += [f"--token-file={tmp_path}/token"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().removeprefix("listening at ").strip()
        assert address == f"unix://{tmp_path}/socket"
        with dw.Monitor(collector=address, token="secret") as monitor:
            monitor.request(model="m", ttft=0.1)
        assert monitor.stats().collector.delivered >= 1
        process.send_signal(number)
        assert process.wait(30) == 0
    assert os.listdir(tmp_path) == ["token"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--listen", "nowhere"], "is no address to listen to"),
        (["--listen", "http://127.0.0.1:0"], "a collector needs a token"),
        (["--listen", "http://127.0.0.1:0", "--token-file", "/nothing"], "the token cannot be read"),
        ([], "Missing option '--listen'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options, said, monkeypatch):
    monkeypatch.setenv("DRIFTWATCH_TOKEN", "secret" if "nowhere" in options else "")
    done = CliRunner().invoke(app, ["collect", *options])
    assert done.exit_code == 2 or isinstance(done.exception, dw.ConfigError)
    assert said in done.output + str(done.exception)

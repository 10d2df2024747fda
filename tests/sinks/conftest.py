"""Servers that tests of destinations talk to: all of them real, on loopback, gone afterwards."""

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
import trustme
from delivering.receiver import Receiver

from driftwatch.sinks import Egress

LOOPBACK = Egress(allow_http=True, allow_private=True, deadline_s=5.0)


@pytest.fixture
def receiver():
    """Takes everything."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority of our own: (server context, file to trust)."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return context, file


@pytest.fixture
def alertmanager(tmp_path):
    """A real one, which tells a receiver of ours what it notifies: (its URL, the receiver)."""
    with Receiver() as told, running_alertmanager(tmp_path, told.url) as url:
        yield url, told


@contextmanager
def running_alertmanager(folder, webhook):
    """Debian's Alertmanager on free ports of loopback."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("needs Debian's package prometheus-alertmanager")
    config = {
        "route": {
            "receiver": "us",
            "group_by": ["..."],
            "group_wait": "100ms",
            "group_interval": "200ms",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "us", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
    }
    (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
    url = f"http://127.0.0.1:{free_port()}"
    options = {
        "config.file": folder / "alertmanager.yml",
        "storage.path": folder / "alertmanager",
        "web.listen-address": url.removeprefix("http://"),
        "cluster.listen-address": "",
        "log.level": "error",
    }
    process = subprocess.Popen([program, *(f"--{name}={value}" for name, value in options.items())])
    try:
        wait_for(lambda: answers(f"{url}/-/ready"))
        yield url
    finally:
        process.terminate()
        process.wait(10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_for(condition, timeout=20.0):
    """Wait until something holds, and return it."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"still not so after {timeout:g} s")

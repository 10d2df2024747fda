"""Real servers on free ports of loopback, and waiting for them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """Debian's Alertmanager, which notifies a webhook of each alert by itself; yields its URL.

    Raises
    ------
    FileNotFoundError
        If it is not installed.
    """
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        raise FileNotFoundError("needs Debian's package prometheus-alertmanager")
    (folder / "alertmanager.yml").write_text(json.dumps(_config(webhook)), encoding="utf-8")  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    options = {
        "config.file": folder / "alertmanager.yml",
        "storage.path": folder / "alertmanager",
        "web.listen-address": address,
        "cluster.listen-address": "",
        "log.level": "error",
    }
    process = subprocess.Popen([program, *(f"--{name}={value}" for name, value in options.items())])
    try:
        wait_for(lambda: answers(f"http://{address}/-/ready"))
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def _config(webhook: str) -> dict[str, object]:
    times = {"group_wait": "100ms", "group_interval": "200ms", "repeat_interval": "1h"}
    return {
        "route": {"receiver": "us", "group_by": ["..."], **times},
        "receivers": [{"name": "us", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether somebody says 200 there."""
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_for(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Wait until something is true, and return it.

    Raises
    ------
    TimeoutError
        If it is not by then.
    """
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise TimeoutError(f"still not so after {timeout_s:g} s")

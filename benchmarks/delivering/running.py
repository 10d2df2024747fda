"""Senders that are started, killed, and started again."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from delivering.sender import Settings
from delivering.servers import wait_for
from driftwatch.sinks import Outbox

BENCHMARKS = Path(__file__).parents[1]


def while_killed(settings: Settings, kills: int, life_s: tuple[float, float]) -> tuple[list[float], list[float]]:
    """Start a sender, kill it, start another where the last one was, until all is put and enough were killed.

    Returns
    -------
    tuple
        When each transition was known to be in the outbox, and when senders were killed.
    """
    lot = random.Random(3)
    put_at: list[float] = []
    killed_at: list[float] = []
    while len(killed_at) < kills or len(put_at) < 3 * settings.incidents:
        with _sender(replace(settings, begin=len(put_at)), put_at):
            time.sleep(lot.uniform(*life_s))
        killed_at.append(time.time())
    return put_at, killed_at


def until_delivered(settings: Settings) -> None:
    """One last sender, until nothing waits any more."""
    with _sender(settings, []):
        wait_for(lambda: _nothing_waits(settings), 300)


def _nothing_waits(settings: Settings) -> bool:
    time.sleep(0.2)
    outbox = Outbox(settings.outbox)
    waiting = sum(sink.pending for sink in outbox.stats().values())
    outbox.close()
    return waiting == 0


@contextmanager
def _sender(settings: Settings, put_at: list[float]) -> Iterator[None]:
    """A process that has begun to send; SIGKILL ends it."""
    command = [sys.executable, "-m", "delivering.sender", json.dumps(asdict(settings))]
    process = subprocess.Popen(command, cwd=BENCHMARKS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ready = threading.Event()
    ear = threading.Thread(target=_hear, args=(process, put_at, ready), daemon=True)
    ear.start()
    try:
        if not ready.wait(60):
            raise TimeoutError("the sender did not start")
        yield
    finally:
        process.kill()
        process.wait()
        ear.join()
        if process.stdout is not None:
            process.stdout.close()


def _hear(process: subprocess.Popen[str], put_at: list[float], ready: threading.Event) -> None:
    """Each line says how many transitions are in the outbox."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith("\n"):
            put_at.extend(time.time() for _ in range(int(line) - len(put_at)))
            ready.set()

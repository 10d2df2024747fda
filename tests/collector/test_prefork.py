"""Servers that fork: the workers of a real one, with the monitor that was made before the fork, are one stream."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from driftwatch.collector import Collector
from tests.collector.test_spool import TOKEN, free_port

APP = """
import os
import driftwatch as dw

monitor = dw.Monitor(collector=os.environ["COLLECTOR"])
monitor.marker("start", "before the fork")  # so that there is a thread in the master, too


def plain(environ, start_response):
    monitor.request(model="m", ttft=0.1, latency=0.5)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


async def asynchronous(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                monitor.close()
                return
    monitor.request(model="m", ttft=0.1, latency=0.5)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
REQUESTS = 400
SERVERS = {
    "gunicorn, preloaded": ["gunicorn", "app:plain", "--preload", "--workers=8", "--bind=127.0.0.1:{port}"],
    "uvicorn": ["uvicorn", "app:asynchronous", "--workers=4", "--port={port}", "--log-level=error"],
}


def get(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def served(port: int) -> bool:
    try:
        return bool(get(port))
    except OSError:
        return False


@pytest.mark.parametrize("server", SERVERS)
def test_workers_of_one_server_are_one_stream_and_nothing_is_counted_twice(server, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    with Collector(f"unix://{tmp_path}/socket", TOKEN) as collector:
        environment = {**os.environ, "COLLECTOR": collector.address, "DRIFTWATCH_TOKEN": TOKEN}
        command = [sys.executable, "-m", *(part.format(port=port) for part in SERVERS[server])]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as process:
            try:
                deadline = time.monotonic() + 60
                while not served(port) and time.monotonic() < deadline:
                    time.sleep(0.2)
                sent, workers = 1, set()
                with ThreadPoolExecutor(16) as pool:
                    while len(workers) < 2 and time.monotonic() < deadline:  # the first that is up may answer all
                        workers |= set(pool.map(get, [port] * REQUESTS))
                        sent += REQUESTS
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        assert len(workers) > 1
        collector.monitor.finish()
        stats = collector.monitor.stats()
        assert [stream.name for stream in stats.streams] == ["model=m"]
        assert stats.streams[0].requests == sent
        assert stats.late == 0
        assert len(collector.monitor._work.place.seen) >= len(workers)

"""What the ASGI middleware adds to a request and to a chunk of a stream: paired runs of a real uvicorn on loopback.

Four servers answer the same requests in turns: plain, behind a wrapper that passes every message on and does nothing
else, with the middleware before a monitor that only counts, and with it before a real `driftwatch.Monitor`. What is
compared is CPU time of the server's process, so that others on the machine weigh less; answers of two lengths tell what
a request costs from what a chunk costs. The wait for the first byte is the client's. On a machine that has other work
to do run it as ``chrt -f 10``: who shares a core finds its caches cold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import machine

RESULTS = Path(__file__).parent / "results"
CHUNKS = (8, 264)
SERVERS = ("plain", "nothing", "counting", "monitor")

_HEAD = '"id":"chatcmpl-a1b2c3d4e5f60718","object":"chat.completion.chunk","created":1764324000,"model":"m"'
_CHOICE = '{"index":0,"delta":{"content":" mountain"},"logprobs":null,"finish_reason":null}'
_WORD = f'data: {{{_HEAD},"choices":[{_CHOICE}]}}\n\n'.encode()
_END = (
    f'data: {{{_HEAD},"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}]}}\n\n'.encode(),
    f'data: {{{_HEAD},"choices":[],"usage":{{"prompt_tokens":160,"completion_tokens":99}}}}\n\n'.encode(),
    b"data: [DONE]\n\n",
)
_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "word " * 150}], "stream": True}).encode()
_START = [(b"content-type", b"text/event-stream; charset=utf-8")]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Streams as many chunks as the query says; ``/cpu`` tells the CPU time of this process."""
    if scope["path"] == "/cpu":
        body = repr(time.process_time()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": _START})
    for _ in range(int(scope["query_string"])):
        await send({"type": "http.response.body", "body": _WORD, "more_body": True})
    for piece in _END:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def wrapped(app: App) -> App:
    """An application behind a wrapper that does nothing: what any middleware costs that sees both sides."""

    async def call(scope: Message, receive: Receive, send: Send) -> None:
        async def received() -> Message:
            return await receive()

        async def sent(message: Message) -> None:
            await send(message)

        await app(scope, received, sent)

    return call


class Counting:
    """A monitor that only counts."""

    rows = 0

    def request(self, **fields: Any) -> None:
        """One more."""
        self.rows += 1

    def started(self, **fields: Any) -> None:
        """Nothing."""

    def metric(self, name: str, value: float, **more: Any) -> None:
        """Nothing."""


def serve(kind: str, port: int) -> None:
    """One of the servers, until it is killed."""
    import uvicorn

    from driftwatch.integrations.asgi import Middleware
    from driftwatch.monitor import Monitor

    app: App = application
    if kind == "nothing":
        app = wrapped(application)
    elif kind != "plain":
        app = Middleware(application, Monitor() if kind == "monitor" else Counting())
    uvicorn.run(app, port=port, log_level="error", lifespan="off", access_log=False)


@dataclass(slots=True)
class Client:
    """Keeps connections to one server.

    Parameters
    ----------
    port
        Where it listens.
    first_byte
        Seconds that each request waited for the first byte of the answer's body.
    """

    port: int
    first_byte: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in CHUNKS})

    async def ask(self, chunks: int, requests: int, connections: int = 8) -> None:
        """So many requests, over a few connections at once."""
        left = [requests]

        async def one() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            head = f"POST /v1/chat/completions?{chunks} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(_BODY)}\r\n"
            asked = head.encode() + b"Content-Type: application/json\r\n\r\n" + _BODY
            while left[0] > 0:
                left[0] -= 1
                writer.write(asked)
                began = time.perf_counter()
                await reader.readuntil(b"data: ")
                self.first_byte[chunks].append(time.perf_counter() - began)
                await reader.readuntil(b"\r\n0\r\n\r\n")
            writer.close()

        await asyncio.gather(*(one() for _ in range(connections)))

    async def cpu_s(self) -> float:
        """CPU time of the server's process, in seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /cpu HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return float(answer.rpartition(b"\r\n\r\n")[2])


def wait_for(port: int, seconds: float = 60.0) -> None:
    """Until a server listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


async def measured(ports: dict[str, int], rounds: int, requests: int) -> tuple[dict[str, Any], dict[str, Client]]:
    """CPU microseconds a request, for each server and length, a value a round."""
    clients = {kind: Client(port) for kind, port in ports.items()}
    spent: dict[str, dict[int, list[float]]] = {kind: {n: [] for n in CHUNKS} for kind in ports}
    for number in range(-1, rounds):
        order = list(ports) if number % 2 else list(ports)[::-1]
        for chunks in CHUNKS:
            for kind in order:
                before = await clients[kind].cpu_s()
                await clients[kind].ask(chunks, requests)
                took = (await clients[kind].cpu_s() - before) / requests * 1e6
                if number >= 0:  # the first round warms up
                    spent[kind][chunks].append(took)
    for client in clients.values():
        client.first_byte = {n: [] for n in CHUNKS}
    for number in range(rounds * 4):  # one at a time, so that nobody waits for another
        for kind in list(ports) if number % 2 else list(ports)[::-1]:
            await clients[kind].ask(CHUNKS[0], requests // 8, connections=1)
    return spent, clients


def added(spent: dict[str, dict[int, list[float]]], kind: str) -> dict[str, Any]:
    """What a server spends more than the plain one, from rounds paired with it."""
    few, many = CHUNKS
    more = {n: [a - b for a, b in zip(spent[kind][n], spent["plain"][n], strict=True)] for n in CHUNKS}
    chunk = [(b - a) / (many - few) for a, b in zip(more[few], more[many], strict=True)]
    per_chunk = statistics.median(chunk)
    return {
        "us_a_request": statistics.median(more[few]) - few * per_chunk,
        "us_a_chunk": per_chunk,
        "us_a_request_quartiles": [q - few * per_chunk for q in statistics.quantiles(more[few], n=4)[::2]],
        "us_a_chunk_quartiles": statistics.quantiles(chunk, n=4)[::2],
    }


def waits(client: Client) -> dict[str, float]:
    """The wait for the first byte, in microseconds."""
    every = sorted(w * 1e6 for w in client.first_byte[CHUNKS[0]])
    return {"p50": every[len(every) // 2], "p99": every[int(len(every) * 0.99)]}


def table(found: dict[str, Any]) -> str:
    """The results as a page."""
    lines = [
        "# What the middleware adds",
        "",
        f"`python benchmarks/middleware.py`, on {found['machine']['cpu']}, Python {found['machine']['python']}; "
        f"{found['rounds']} rounds of {found['requests']} requests for each server and length, paired"
        f"{found['priority']}.",
        "",
        "| server | added a request | added a chunk | first byte, p50 | first byte, p99 |",
        "|---|---|---|---|---|",
    ]
    for kind in SERVERS:
        more, wait = found["added"].get(kind), found["first_byte_us"][kind]
        cost = f"{more['us_a_request']:.1f} us | {more['us_a_chunk']:.2f} us" if more else "- | -"
        lines.append(f"| {kind} | {cost} | {wait['p50']:.0f} us | {wait['p99']:.0f} us |")
    lines += [
        "",
        "CPU time of the server's process. `nothing` is a wrapper of the same shape that does nothing: the floor.",
        "`counting` is the middleware alone; `monitor` has the work of a real monitor's background thread in it too.",
        "Quartiles are in middleware.json.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write unless it was quick."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--port", type=int, default=8750)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port)
        return
    rounds, requests = (5, 60) if asked.quick else (20, 160)
    ports = {kind: asked.port + k for k, kind in enumerate(SERVERS)}
    own = [sys.executable, __file__, "--serve"]
    processes = [subprocess.Popen([*own, kind, "--port", str(port)]) for kind, port in ports.items()]
    try:
        for port in ports.values():
            wait_for(port)
        spent, clients = asyncio.run(measured(ports, rounds, requests))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    found = {
        "machine": machine(["uvicorn", "httptools", "uvloop", "numpy", "pydantic"]),
        "priority": ", at real-time priority" if os.sched_getscheduler(0) == os.SCHED_FIFO else "",
        "rounds": rounds,
        "requests": requests,
        "added": {kind: added(spent, kind) for kind in SERVERS[1:]},
        "first_byte_us": {kind: waits(client) for kind, client in clients.items()},
    }
    print(table(found))
    if not asked.quick:
        (RESULTS / "middleware.json").write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / "middleware.md").write_text(table(found))


if __name__ == "__main__":
    main()

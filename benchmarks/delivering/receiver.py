"""An HTTP receiver that does as it is told: takes a message, or misbehaves in one of the ways that receivers do."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ENDLESS = 64 * 1024 * 1024
"""An endless body ends here after all, in bytes: a sender that reads that much has failed the test anyway."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How to answer.

    Parameters
    ----------
    how
        ``plain``; ``hang`` (read the message, never answer); ``reset`` (read it, then cut the connection); ``slow``
        (the body drips for ever); ``endless`` (the body goes on and on); ``cut`` (promise more body than is sent).
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    how: str = "plain"


OK = Reply()


@dataclass(frozen=True, slots=True)
class Received:
    """A message that arrived whole, and how it was answered."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    reply: Reply
    at: float

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def accepted(self) -> bool:
        """Whether the sender was told that it was taken."""
        return 200 <= self.reply.status < 300 and self.reply.how not in ("hang", "reset")


class Receiver:
    """A server on loopback, in threads of this process.

    Parameters
    ----------
    answer
        From (number of the message, method, path, body) to how to answer; by default everything is taken.
    tls
        A server context for HTTPS.
    """

    def __init__(
        self, answer: Callable[[int, str, str, bytes], Reply] | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer or (lambda *_: OK)
        self.received: list[Received] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Write a message down and decide how to answer it."""
        with self._lock:
            reply = self.answer(len(self.received), method, path, body)
            self.received.append(Received(method, path, headers, body, reply, time.time()))
            return reply

    @property
    def accepted(self) -> list[Received]:
        """The messages whose sender was told so."""
        with self._lock:
            return [message for message in self.received if message.accepted]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders that are killed, or hang up on an endless body, are what this is for."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # the sender died in the middle of it
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            _answer(self, receiver.take(self.command, self.path, headers, body))
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815  # the names that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    if reply.how == "hang":
        handler.connection.recv(1)  # until the sender gives up
        return
    if reply.how == "reset":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        return
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    more = {"plain": 0, "cut": 1000, "slow": ENDLESS, "endless": ENDLESS}[reply.how]
    handler.send_header("Content-Length", str(len(reply.body) + more))
    handler.end_headers()
    handler.wfile.write(reply.body)
    if reply.how in ("slow", "endless"):
        _go_on(handler, slowly=reply.how == "slow")


def _go_on(handler: BaseHTTPRequestHandler, *, slowly: bool) -> None:
    piece = b"." * (1 if slowly else 65_536)
    for _ in range(ENDLESS // 65_536):
        handler.wfile.write(piece)
        if slowly:
            time.sleep(0.05)

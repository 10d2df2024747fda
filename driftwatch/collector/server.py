"""HTTP on a port or a Unix socket, by the standard library: parcels in, a Prometheus page and incidents out."""

from __future__ import annotations

import hmac
import json
import os
import socket
import stat
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Protocol
from urllib.parse import urlsplit

from driftwatch.errors import ConfigError, StateError
from driftwatch.monitor import CONTENT_TYPE, Monitor
from driftwatch.monitor.courier import PATH
from driftwatch.monitor.parcel import MOST

_CONNECTIONS = 512
_PATIENCE_S = 30.0  # with a client that sends nothing


class Taking(Protocol):
    """What the server serves."""

    monitor: Monitor

    def take(self, content: bytes) -> None:
        """Take a parcel."""
        ...


class Server(ThreadingHTTPServer):
    """Serves a bounded number of connections, a thread each.

    Parameters
    ----------
    place
        Host and port, or the path of a Unix socket.
    token
        What clients must know.
    taking
        What takes the parcels.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, place: tuple[str, int] | str, token: str, taking: Taking) -> None:
        self.token, self.taking = token, taking
        self.address_family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        if isinstance(place, tuple) and ":" in place[0]:
            self.address_family = socket.AF_INET6
        self._connections = BoundedSemaphore(_CONNECTIONS)
        super().__init__(place, _Handler)  # type: ignore[arg-type]  # the path of a Unix socket is an address too

    @property
    def address(self) -> str:
        """Where it is reached."""
        if self.address_family == socket.AF_UNIX:
            return f"unix://{self.server_address!s}"
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def server_bind(self) -> None:
        """Bind; a Unix socket is for its user alone."""
        if self.address_family != socket.AF_UNIX:
            super().server_bind()
            return
        before = os.umask(0o077)
        try:
            self.socket.bind(self.server_address)
        finally:
            os.umask(before)

    def server_close(self) -> None:
        """Close, and take the socket's name away."""
        super().server_close()
        if self.address_family == socket.AF_UNIX:
            with suppress(OSError):
                Path(str(self.server_address)).unlink()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, unless there are too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "driftwatch", ""
    timeout = _PATIENCE_S
    server: Server

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if self.path != PATH:
            self._answer(404, "there is nothing here")
        elif not size.isdigit() or "Transfer-Encoding" in self.headers:
            self._answer(411, "how long it is must be said")
        elif int(size) > MOST:
            self._answer(413, f"a parcel has at most {MOST} bytes")
        elif self._known():
            self._take(self.rfile.read(int(size)))

    def _take(self, content: bytes) -> None:
        try:
            self.server.taking.take(content)
        except StateError as error:
            self._answer(400, str(error), keep=True)
        except OSError as error:
            self._answer(503, f"it cannot be kept ({error.strerror or error})", keep=True)
        else:
            self._answer(200, "taken", keep=True)

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, "ok", keep=True)
        elif self.path not in ("/metrics", "/incidents"):
            self._answer(404, "there is nothing here")
        elif self._known():
            self._show(self.server.taking.monitor)

    def _show(self, monitor: Monitor) -> None:
        if self.path == "/metrics":
            self._answer(200, monitor.metrics_text(), kind=CONTENT_TYPE, keep=True)
        else:
            told = [incident.to_dict() for incident in monitor.incidents()]
            self._answer(200, json.dumps(told), kind="application/json", keep=True)

    def _known(self) -> bool:
        """Whether the client knows the token; it is told if not."""
        given = self.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {self.server.token}".encode()):
            return True
        self._answer(401, "the token is wrong: give that of the collector")
        return False

    def _answer(self, status: int, text: str, *, kind: str = "text/plain; charset=utf-8", keep: bool = False) -> None:
        """Answer; the connection is only kept where all that was sent has been read."""
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if not keep:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: what matters is on the page."""


def bound(listen: str, token: str, taking: Taking) -> Server:
    """A server at an address.

    Raises
    ------
    ConfigError
        If that is none, or cannot be bound.
    """
    parts = urlsplit(listen)
    try:
        if parts.scheme == "unix" and parts.path:
            _take_away(Path(parts.path))
            return Server(parts.path, token, taking)
        if parts.scheme == "http" and parts.hostname and parts.port is not None:
            return Server((parts.hostname, parts.port), token, taking)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{listen}: cannot be listened to ({error})") from error
    raise ConfigError(f"'{listen}' is no address to listen to: give unix:///path or http://host:port")


def _take_away(path: Path) -> None:
    """Remove the socket of a collector that is gone.

    Raises
    ------
    OSError
        If one is alive, or it is no socket.
    """
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise OSError("there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise OSError("another process listens there")

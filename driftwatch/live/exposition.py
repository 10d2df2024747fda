"""The service's page: how its sources are doing, for whoever watches the watch; and a small server for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from driftwatch.errors import ConfigError
from driftwatch.live.settings import Serve
from driftwatch.live.source import Health
from driftwatch.monitor.exposition import CONTENT_TYPE

_COUNTERS = (
    ("reads", "Readings of a source that went well."),
    ("failures", "Readings of a source that failed."),
    ("overdue", "Readings that were left out because the one before had not come back."),
    ("rows", "Samples or requests that a source gave."),
)
_PATIENCE_S = 5.0
_MOST_AT_ONCE = 8


def exposition(sources: Mapping[str, Health]) -> str:
    """The health of each source, in the Prometheus text format.

    Examples
    --------
    >>> print(exposition({"host": Health(reads=3, last_read_at=1.0)}).splitlines()[2])
    driftwatch_source_reads_total{source="host"} 3
    """
    names = {source: source.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for source in sources}
    lines = []
    for field, meaning in _COUNTERS:
        name = f"driftwatch_source_{field}_total"
        lines += [f"# HELP {name} {meaning}", f"# TYPE {name} counter"]
        lines += [f'{name}{{source="{names[key]}"}} {getattr(health, field)}' for key, health in sources.items()]
    name = "driftwatch_source_up"
    lines += [f"# HELP {name} Whether the newest reading of a source went well.", f"# TYPE {name} gauge"]
    lines += [f'{name}{{source="{names[key]}"}} {int(health.up)}' for key, health in sources.items()]
    return "\n".join(lines) + "\n"


class _Server(ThreadingHTTPServer):
    """Serves a few at a time; who comes while they are busy is turned away."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


@contextmanager
def served(settings: Serve | None, page: Callable[[], str]) -> Iterator[int]:
    """Serve a page at ``/metrics``, and ``/healthz``, while inside; gives the port (0 where nothing is to be served).

    Raises
    ------
    ConfigError
        If the port cannot be had.
    """
    if settings is None:
        yield 0
        return

    pages: dict[str, Callable[[], str]] = {"/metrics": page, "/healthz": lambda: "ok\n"}

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            found = pages.get(self.path.partition("?")[0])
            body = (found() if found else "there are /metrics and /healthz\n").encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    try:
        server = _Server((settings.host, settings.port), Handler)
    except OSError as error:
        raise ConfigError(f"serve: {settings.host}:{settings.port} cannot be listened on ({error.strerror})") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="driftwatch-page", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

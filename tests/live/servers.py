"""Servers on loopback that behave well, and badly."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """A page that tests write; ``asked`` has the path and headers of each request."""

    def __init__(self) -> None:
        self.body, self.status, self.asked = b"", 200, []
        self.hang = threading.Event()
        self.hang.set()


@contextmanager
def site():
    page = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page.asked.append((self.path, dict(self.headers)))
            page.hang.wait(30)
            try:
                self.send_response(page.status)
                self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()
                self.wfile.write(page.body)
            except OSError:
                pass  # the client has given up

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    page.url = f"http://127.0.0.1:{server.server_port}/metrics"
    try:
        yield page
    finally:
        page.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listening(talk):
    """A raw socket: ``talk(connection, stopped)`` answers each client."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve():
            while not stopped.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                with client, suppress(OSError):
                    talk(client, stopped)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/metrics"
        finally:
            stopped.set()
            thread.join()


def silent(client, stopped):
    """Takes the request and says nothing."""
    stopped.wait(20)


def drips(client, stopped):
    """A byte now and then, so that no single wait is long."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not stopped.wait(0.05):
        client.sendall(b"x")


def floods(client, stopped):
    """More and more, without end."""
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    until = time.monotonic() + 10
    while not stopped.is_set() and time.monotonic() < until:
        client.sendall(b"x" * 65536)


def babbles(client, stopped):
    """No HTTP."""
    client.sendall(b"\x00\x01 nonsense\r\n\r\n")


def breaks_off(client, stopped):
    """Half an answer."""
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nvllm:num")

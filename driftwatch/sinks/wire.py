"""One HTTP request: checked, bounded in time and size, over verified TLS, without redirects, and judged."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from driftwatch._optional import load
from driftwatch._version import __version__
from driftwatch.errors import ConfigError, DeliveryError
from driftwatch.explain.numbers import clean
from driftwatch.sinks.address import addresses
from driftwatch.sinks.verdict import verdict

_SECRET = 8  # a part of a path this long may be one: chat services have theirs there
MOST_OF_A_REPLY = 65_536
"""Bytes of a reply that are read; the rest is left unread and the connection closed."""


@dataclass(frozen=True, slots=True)
class Egress:
    """What may be reached, and how long it may take.

    Parameters
    ----------
    allow_http
        Send without TLS.
    allow_private
        Send to private and loopback addresses.
    hosts
        If any: only these hosts; ``*`` stands for anything.
    ca_file
        Certificates to trust instead of the system's, as a PEM file.
    deadline_s
        Longest time for one request in all, in seconds.
    """

    allow_http: bool = False
    allow_private: bool = False
    hosts: tuple[str, ...] = ()
    ca_file: str = ""
    deadline_s: float = 10.0

    def check(self, url: str) -> SplitResult:
        """Take a URL apart, if it may be used.

        Raises
        ------
        ConfigError
            If it may not; the message has no more of it than its host.
        """
        parts = _split(url)
        host = parts.hostname or ""
        if parts.scheme not in ("https", "http") or not host:
            raise ConfigError("a URL must begin with https:// and a host")
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ConfigError("a URL may only hold ASCII characters without spaces (hosts as punycode, %XX elsewhere)")
        if parts.scheme == "http" and not self.allow_http:
            raise ConfigError(f"the URL of {host} is not https; allow_http = true lets it be http")
        if "@" in parts.netloc:
            raise ConfigError(f"the URL of {host} holds a user name; send an Authorization header instead")
        if self.hosts and not any(fnmatchcase(host, pattern.lower()) for pattern in self.hosts):
            raise ConfigError(f"{host} is not among the allowed hosts ({', '.join(self.hosts)})")
        return parts


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``hide`` lists secrets that must not show up in what is said about it."""

    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    hide: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Request: {self.method} {_split(self.url).hostname}, {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: the status, and the beginning of the body."""

    status: int
    body: bytes


def post(request: Request, egress: Egress) -> Response:
    """Send a request, once.

    Raises
    ------
    DeliveryError
        If it was not taken; says why, and whether trying again is of use.
    MissingExtra
        If the extra ``alerts`` is not installed.
    """
    core = load("httpcore2", "alerts")
    try:
        parts = egress.check(request.url)
        with core.ConnectionPool(
            ssl_context=trust(egress.ca_file) if parts.scheme == "https" else None,
            network_backend=_Door(core, egress, time.monotonic() + egress.deadline_s),
        ) as pool:
            return _exchange(core, pool, request, parts)
    except ConfigError as error:
        raise DeliveryError("setup", str(error)) from None
    except core.TimeoutException:
        raise DeliveryError("timeout", f"{_host(request)} did not answer within {egress.deadline_s:g} s") from None
    except core.ConnectError as error:
        raise _unconnected(request, error) from None
    except core.LocalProtocolError as error:
        raise DeliveryError("setup", f"cannot be sent as HTTP: {_masked(str(error), request)}") from None
    except (core.NetworkError, core.ProtocolError) as error:
        raise DeliveryError("connection", f"{_host(request)}: {_masked(str(error), request)}") from None


def _exchange(core: Any, pool: Any, request: Request, parts: SplitResult) -> Response:
    headers = {
        "Host": parts.netloc,
        "User-Agent": f"driftwatch/{__version__}",
        "Accept": "application/json",
        "Connection": "close",
        **request.headers,
    }
    url = parts._replace(fragment="").geturl()
    with pool.stream(request.method, url, headers=[*headers.items()], content=request.body) as reply:
        said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers}
        body = _beginning(core, reply)
        verdict(reply.status, said, where=_host(request), said=_masked(body.decode("utf-8", "replace"), request))
        return Response(reply.status, body)


def _beginning(core: Any, reply: Any) -> bytes:
    """As much of a body as comes in time and fits; by now the status has said what became of the request."""
    found = bytearray()
    try:
        for piece in reply.iter_stream():
            found += piece
            if len(found) >= MOST_OF_A_REPLY:
                break
    except (core.TimeoutException, core.NetworkError, core.ProtocolError):
        pass
    return bytes(found[:MOST_OF_A_REPLY])


def _unconnected(request: Request, error: Exception) -> DeliveryError:
    cause = error.__cause__ or error.__context__
    said = _masked(str(error), request)
    if isinstance(cause, ssl.SSLError):
        return DeliveryError("tls", f"{_host(request)}: {said}")
    return DeliveryError("connection", f"{_host(request)} cannot be connected to ({said})")


def _masked(text: str, request: Request) -> str:
    """What a stranger said, in short, without our secrets."""
    parts = _split(request.url)
    path = [part for part in parts.path.split("/") if len(part) >= _SECRET]
    for secret in (request.url, parts.query, *path, *request.hide):
        text = text.replace(secret, "...") if secret else text
    return clean(text, 200)


def _host(request: Request) -> str:
    return _split(request.url).hostname or "?"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
        return parts
    except ValueError:
        raise ConfigError("a URL must begin with https:// and a host") from None


@cache
def trust(ca_file: str) -> ssl.SSLContext:
    """How a server is verified: by these certificates, or by those that the system trusts.

    Raises
    ------
    ConfigError
        If it is no file of certificates.
    """
    if not ca_file:
        context: ssl.SSLContext = load("httpcore2", "alerts").default_ssl_context()
        return context
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{ca_file}: not a file of certificates ({error})") from None


class _Door:
    """Where connections are opened: only to addresses that may be reached, with one deadline for all that follows."""

    def __init__(self, core: Any, egress: Egress, until: float) -> None:
        self.core, self.egress, self.until = core, egress, until

    def connect_tcp(self, host: str, port: int, **options: Any) -> _Timed:
        """Connect to the first address that answers."""
        failed: Exception | None = None
        for address in addresses(host, port, private=self.egress.allow_private):
            try:
                options["timeout"] = _left(self.until)
                return _Timed(self.core.SyncBackend().connect_tcp(address, port, **options), self.until)
            except (self.core.ConnectError, self.core.TimeoutException) as error:
                failed = error
        raise failed or self.core.ConnectError("no address")


class _Timed:
    """A connection on which every wait ends at the deadline, however slowly the other side drips."""

    def __init__(self, inner: Any, until: float) -> None:
        self.inner, self.until = inner, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most so many bytes."""
        received: bytes = self.inner.read(max_bytes, _left(self.until))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All bytes."""
        self.inner.write(buffer, _left(self.until))

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, **_: Any) -> _Timed:
        """The same connection, encrypted; the certificate must be that of the name in the URL."""
        return _Timed(self.inner.start_tls(ssl_context, server_hostname, _left(self.until)), self.until)

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self.inner.get_extra_info(info)

    def close(self) -> None:
        """Hang up."""
        self.inner.close()


def _left(until: float) -> float:
    """Seconds until the deadline; never zero, which would mean 'do not wait' to a socket."""
    return max(until - time.monotonic(), 0.001)

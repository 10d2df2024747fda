"""Takes parcels to the collector, over HTTP on a port or a Unix socket; waits longer each time that it fails."""

from __future__ import annotations

import http.client
import socket
import time
from urllib.parse import urlsplit

from driftwatch.errors import ConfigError
from driftwatch.monitor.parcel import CONTENT_TYPE
from driftwatch.monitor.spool import Spool

PATH = "/v1/parcels"
_TIMEOUT_S = 1.0
_LONGEST_WAIT_S = 5.0
_AT_ONCE_S = 0.5  # time for which parcels are sent one after the other


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Courier:
    """Delivers what waits in a spool, in order.

    Parameters
    ----------
    address
        ``unix:///path``, ``http://host:port`` or ``https://host:port``.
    token
        What the collector asks for.

    Attributes
    ----------
    delivered, refused
        Parcels that the collector took, and that it will never take.
    failures
        Attempts that failed in a row.
    last_error
        Why the newest of them did.

    Raises
    ------
    ConfigError
        If the address is none.
    """

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        if not (parts.scheme == "unix" and parts.path) and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ConfigError(f"monitor.collector = '{address}' is no address: give unix:///path or http://host:port")
        self._parts, self._token = parts, token
        self._connection: http.client.HTTPConnection | None = None
        self.delivered = self.refused = self.failures = 0
        self.last_error = ""
        self._again_at = 0.0

    def deliver(self, spool: Spool, *, seconds: float = _AT_ONCE_S, now: bool = False) -> None:
        """Deliver what waits, for a short while; not at all while it is too soon after a failure.

        Parameters
        ----------
        seconds
            For how long.
        now
            Try in any case.
        """
        end = time.monotonic() + seconds
        while (now or time.monotonic() >= self._again_at) and time.monotonic() < end:
            content = spool.first()
            if content is None:
                return
            try:
                taken = self._send(content)
            except (OSError, http.client.HTTPException) as error:
                self._failed(f"{type(error).__name__}: {error}")
                return
            spool.done()
            self.failures = 0
            self.delivered, self.refused = self.delivered + taken, self.refused + (not taken)

    def _send(self, content: bytes) -> bool:
        """Send a parcel; again, if the connection was closed since the last one."""
        used = self._connection is not None
        try:
            return self._asked(content)
        except OSError:
            self.close()
            if not used:
                raise
        return self._asked(content)

    def _asked(self, content: bytes) -> bool:
        """Whether it was taken, or will never be.

        Raises
        ------
        OSError, HTTPException
            If it may be taken later.
        """
        if self._connection is None:
            self._connection = self._connect()
        headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {self._token}"}
        self._connection.request("POST", PATH, content, headers)
        answer = self._connection.getresponse()
        text = answer.read(500).decode("utf-8", "replace").strip()
        if answer.status in (400, 409, 413):
            self.last_error = f"{answer.status} {text}"
            return False
        if answer.status != 200:
            raise http.client.HTTPException(f"{answer.status} {text}")
        return True

    def _connect(self) -> http.client.HTTPConnection:
        if self._parts.scheme == "unix":
            return _Unix(self._parts.path, _TIMEOUT_S)
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT_S)

    def _failed(self, why: str) -> None:
        self.failures, self.last_error = self.failures + 1, why
        self._again_at = time.monotonic() + min(0.25 * 2.0 ** min(self.failures, 10), _LONGEST_WAIT_S)
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

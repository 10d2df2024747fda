"""One HTTP request with an end: in time and in size, whatever the other side does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from driftwatch._optional import load
from driftwatch.live.source import SourceError

LIMIT = 64 << 20
"""Bytes of a body; a larger one is refused."""


class Fetcher:
    """Asks one server, and keeps the connection.

    Parameters
    ----------
    timeout_s
        Seconds until the whole answer must be there. A single wait never takes longer, so a server that sends a byte
        now and then holds a thread for twice this at most.
    token
        A bearer token, or where it is (`driftwatch.sinks`).

    Raises
    ------
    MissingExtra
        If httpx2 is not installed.
    """

    def __init__(self, timeout_s: float, token: str = "", limit: int = LIMIT) -> None:
        self.timeout_s, self.limit, self._token = timeout_s, limit, token
        self._httpx = load("httpx2", "prometheus")
        self._client = self._httpx.Client(timeout=timeout_s, follow_redirects=False)

    def get(self, url: str, accept: str, params: Mapping[str, str] | None = None) -> bytes:
        """The body of the answer.

        Raises
        ------
        SourceError
            If it does not come in time, is too large, or is no 200.
        """
        headers = {"Accept": accept, **_authorization(self._token)}
        try:
            with self._client.stream("GET", url, headers=headers, params=params) as answer:
                body = self._body(answer)
        except self._httpx.TimeoutException as error:
            raise SourceError(f"no answer within {self.timeout_s:g} s ({type(error).__name__})") from None
        except self._httpx.HTTPError as error:
            raise SourceError(f"{type(error).__name__}: {error}") from None
        if answer.status_code != 200:
            raise SourceError(f"status {answer.status_code}")
        return body

    def _body(self, answer: Any) -> bytes:
        deadline = time.monotonic() + self.timeout_s
        parts, size = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self.limit:
                raise SourceError(f"longer than {self.limit} bytes")
            if time.monotonic() > deadline:
                raise SourceError(f"no end within {self.timeout_s:g} s")
        return b"".join(parts)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()


def _authorization(token: str) -> dict[str, str]:
    """The header for a token, looked up anew so that a rotated one is used."""
    if not token:
        return {}
    from driftwatch.sinks.secret import Secret

    return {"Authorization": f"Bearer {Secret(token).reveal()}"}

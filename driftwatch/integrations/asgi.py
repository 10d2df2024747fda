"""ASGI middleware: what users of an OpenAI-compatible server feel, measured where the bytes leave.

Pure ASGI: it passes on every message as it is and when it comes, and looks at it afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from driftwatch.integrations.call import Call
from driftwatch.integrations.guest import Receiver, failed, quietly
from driftwatch.integrations.wire import Stream, model_of, prompt_of

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PATHS: tuple[str, ...] = ("/chat/completions", "/completions", "/responses")
"""What the paths of watched requests end with."""

MOST_BODY = 1 << 22
"""Bytes of a body that are held to be read at its end; of a longer answer only times and status are told."""


class Middleware:
    """Tells a monitor of every request to the watched paths.

    Parameters
    ----------
    app
        The application that it stands before.
    monitor
        Who is told.
    paths
        What the paths of watched requests end with; others pass untouched.
    tenant_header
        The request header that says which tenant asked, if any. Only for groups, never for persons.
    labels
        Labels of every request, such as ``{"replica": "a"}``.
    text
        Hand the text of prompts and answers to the monitor, which makes features of it and lets it go.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> monitor = SimpleNamespace(request=print, started=print)
    >>> async def app(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 200})
    >>> guarded = Middleware(app, monitor, labels={"replica": "a"})
    """

    def __init__(
        self,
        app: App,
        monitor: Receiver,
        *,
        paths: tuple[str, ...] = PATHS,
        tenant_header: str | None = None,
        labels: Mapping[str, str] | None = None,
        text: bool = False,
    ) -> None:
        self.app, self.monitor, self.paths, self.text = app, monitor, tuple(paths), text
        self.tenant_header = tenant_header.lower().encode() if tenant_header else None
        self.labels = dict(labels or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        watched = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(self.paths)
        if not watched:
            await self.app(scope, receive, send)
            return
        exchange = Exchange(self, scope)

        async def received() -> Message:
            message = await receive()
            exchange.heard(message)
            return message

        async def sent(message: Message) -> None:
            at = time.perf_counter()
            await send(message)  # first: nothing that is looked at below may hold it up
            try:
                exchange.said(message, at)
            except Exception:
                failed("driftwatch.integrations.asgi.Exchange.said")

        try:
            await self.app(scope, received, sent)
        except BaseException as error:
            exchange.broke(error)
            raise
        finally:
            exchange.over()

    def tell(self, call: Call, row: dict[str, Any]) -> None:
        """Tell the monitor of a request that has ended."""
        self.monitor.request(**row)

    @quietly
    def tenant_of(self, scope: Scope) -> str | None:
        """Which tenant asked, as the header says."""
        found = (value for name, value in scope["headers"] if name == self.tenant_header)
        return next((value.decode("latin-1")[:200] for value in found), None)


class Exchange:
    """One request and its answer, as they pass by."""

    __slots__ = ("asked", "asked_size", "body", "call", "ended", "error", "host", "size", "status", "stream")

    def __init__(self, host: Middleware, scope: Scope) -> None:
        self.host = host
        tenant = host.tenant_of(scope) if host.tenant_header else None
        self.call = Call(host.monitor, text=host.text, route=scope["path"], tenant=tenant, labels=host.labels)
        self.asked: list[bytes] = []
        self.body: list[bytes] = []
        self.stream: Stream | None = None
        self.asked_size = self.size = self.status = 0
        self.ended = False
        self.error: str | None = None

    @quietly
    def heard(self, message: Message) -> None:
        """Take a message of the client."""
        if message["type"] != "http.request" or "model" in self.call.known:
            return
        piece = message.get("body", b"")
        if self.asked_size <= MOST_BODY:
            self.asked.append(piece)
            self.asked_size += len(piece)
        if message.get("more_body", False):
            return
        body = self.asked[0] if len(self.asked) == 1 else b"".join(self.asked)
        self.asked = [body] if self.host.text else []
        self.call.known["model"] = model_of(body)
        self.call.start()

    def said(self, message: Message, at: float) -> None:
        """Take a message of the application, which came at this time of the performance counter."""
        if message["type"] == "http.response.body":
            piece = message.get("body", b"")
            self.ended = not message.get("more_body", False)
            if self.stream is not None:
                self.stream.take(piece, at)
            elif piece and self.size <= MOST_BODY:
                self.size += len(piece)
                self.body.append(piece)
        elif message["type"] == "http.response.start":
            self.status = message["status"]
            self._kind(message.get("headers", ()))

    def _kind(self, headers: Any) -> None:
        for name, value in headers:
            name = name.lower()
            if name == b"content-type" and value.startswith(b"text/event-stream"):
                self.stream = Stream(self.call.answer)
            elif name == b"content-encoding" and value != b"identity":
                self.size = MOST_BODY + 1  # not for us to unpack: only the times are told

    def broke(self, error: BaseException) -> None:
        """The application raised."""
        self.error = type(error).__name__

    @quietly
    def over(self) -> None:
        """The exchange has ended, one way or another."""
        if self.stream is not None:
            self.stream.look()
        elif self.size <= MOST_BODY:
            self.call.answer.whole(b"".join(self.body))
        self.host.tell(self.call, self.call.row(**self._outcome()))

    def _outcome(self) -> dict[str, Any]:
        """Status, how it broke, and the prompt where it is wanted."""
        outcome: dict[str, Any] = {"status": self.status or 500}
        if not self.ended and self.error in (None, "CancelledError", "ClientDisconnect"):
            outcome = {"finish_reason": "abort", "status": self.status or 499}
        elif self.error is not None:
            outcome["error"] = self.error
        if self.asked:
            outcome["prompt"] = prompt_of(self.asked[0])
        return outcome

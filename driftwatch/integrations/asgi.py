"""ASGI middleware: what users of an OpenAI-compatible server feel, measured where the bytes leave.

Pure ASGI: it passes on every message as it is and when it comes, and looks at it afterwards.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from time import perf_counter
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
        exchange = Exchange(self, scope, receive, send)
        try:
            await self.app(scope, exchange.received, exchange.sent)
        except BaseException as error:
            exchange.broke = type(error).__name__
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


class Exchange(Call):
    """One request and its answer, as they pass by: the application receives and sends through it.

    It is made for every request, and all that it does is paid by every request: calls of functions are spared here.
    """

    __slots__ = (
        *("_receive", "_send", "asked", "asked_size", "awaited", "body", "broke", "host", "more", "size"),
        *("status", "stream"),
    )

    def __init__(self, host: Middleware, scope: Scope, receive: Receive, send: Send) -> None:
        known = {"route": scope["path"], "labels": host.labels}
        if host.tenant_header and (tenant := host.tenant_of(scope)) is not None:
            known["tenant"] = tenant
        super().__init__(host.monitor, known, text=host.text)
        self.host, self._receive, self._send = host, receive, send
        self.asked: list[bytes] = []
        self.body: list[bytes] = []
        self.stream: Stream | None = None
        self.asked_size = self.size = self.status = 0
        self.awaited = self.more = True
        self.broke: str | None = None

    async def received(self) -> Message:
        """Give the application the client's next message."""
        message = await self._receive()
        if self.awaited and message["type"] == "http.request":
            try:
                self.heard(message.get("body", b""), message.get("more_body", False))
            except Exception:
                failed("driftwatch.integrations.asgi.Exchange.heard")
        return message

    async def sent(self, message: Message) -> None:
        """Send the client the application's next message."""
        at = perf_counter()
        await self._send(message)  # first: nothing that is looked at below may hold it up
        try:
            kind = message["type"]
            if kind == "http.response.body":
                piece = message.get("body", b"")
                self.more = message.get("more_body", False)
                if self.stream is not None:
                    self.stream.take(piece, at)
                elif piece and self.size <= MOST_BODY:
                    self.size += len(piece)
                    self.body.append(piece)
            elif kind == "http.response.start":
                self.status = message["status"]
                self._kind(message.get("headers", ()))
        except Exception:
            failed("driftwatch.integrations.asgi.Exchange.sent")

    def heard(self, piece: bytes, more: bool) -> None:
        """Take a piece of the request's body; when it is whole, tell that it is in flight."""
        if more or self.asked:
            if self.asked_size <= MOST_BODY:
                self.asked.append(piece)
                self.asked_size += len(piece)
            if more:
                return
            piece = b"".join(self.asked)
        self.awaited = False
        self.asked = [piece] if self.host.text else []
        if (model := model_of(piece)) is not None:
            self.known["model"] = model
        self.start()

    def _kind(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            name = name.lower()
            if name == b"content-type" and value.startswith(b"text/event-stream"):
                self.stream = Stream(self.answer)
            elif name == b"content-encoding" and value != b"identity":
                self.size = MOST_BODY + 1  # not for us to unpack: only the times are told

    def over(self) -> None:
        """The exchange has ended, one way or another."""
        try:
            if self.stream is not None:
                self.stream.look()
            elif self.size <= MOST_BODY:
                self.answer.whole(b"".join(self.body))
            self.host.tell(self, self.row(self._outcome()))
        except Exception:
            failed("driftwatch.integrations.asgi.Exchange.over")

    def _outcome(self) -> dict[str, Any]:
        """Status, how it broke, and the prompt where it is wanted."""
        outcome: dict[str, Any] = {"status": self.status or 500}
        if self.more and self.broke in (None, "CancelledError", "ClientDisconnect"):
            outcome = {"finish_reason": "abort", "status": self.status or 499}
        elif self.broke is not None:
            outcome["error"] = self.broke
        if self.asked:
            outcome["prompt"] = prompt_of(self.asked[0])
        return outcome

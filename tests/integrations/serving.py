"""Real servers on loopback for the tests of integrations, and a monitor that only keeps what it is told."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse


class Notebook:
    """A monitor that writes down what it is told."""

    def __init__(self) -> None:
        self.rows: list[dict] = []
        self.begun: list[dict] = []
        self.samples: list[tuple] = []

    def request(self, **fields) -> None:
        self.rows.append(fields)

    def started(self, **fields) -> None:
        self.begun.append(fields)

    def metric(self, name, value, *, labels=None, at=None) -> None:
        self.samples.append((name, value, dict(labels or {}), at))


class Broken:
    """A monitor whose every call raises."""

    def __getattr__(self, name: str):
        raise RuntimeError("the monitor is broken")


def chunk(text: str | None, finish: str | None = None, **more) -> bytes:
    said = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "tiny-2026",
        "choices": [{"index": 0, "delta": {"content": text} if text is not None else {}, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n"


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 3}}


def service() -> FastAPI:
    """Answers like a model server; the prompt says what should go wrong."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def chat(request: Request):
        asked = await request.json()
        what = asked["messages"][-1]["content"]
        if what == "raise":
            raise RuntimeError("the service is broken")
        if what == "refuse":
            return JSONResponse({"error": {"message": "no", "type": "BadRequestError", "code": 400}}, 400)
        if asked.get("stream"):
            return StreamingResponse(streamed(what, asked), media_type="text/event-stream")
        message = {"role": "assistant", "content": "one two"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "tiny-2026"}
        return {**head, "choices": [choice], "usage": USAGE}

    @app.get("/health")
    async def health():
        return {"ok": True}

    return app


async def streamed(what: str, asked: dict) -> AsyncIterator[bytes]:
    yield chunk("")
    await asyncio.sleep(0.1 if what == "late" else 0)
    for word in ("one", " two", " three"):
        yield chunk(word)
        await asyncio.sleep(0.05 if what in ("slow", "forever") else 0)
    while what == "forever":
        yield chunk(" more")
        await asyncio.sleep(0.02)
    if what == "break":
        raise RuntimeError("the engine died")
    yield chunk(None, "length" if what == "long" else "stop")
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield chunk(None, usage=USAGE).replace(
            b'"choices":[{"index":0,"delta":{},"finish_reason":null}]', b'"choices":[]'
        )
    yield b"data: [DONE]\n\n"


@contextmanager
def served(app) -> Iterator[str]:
    """A real uvicorn in a thread; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

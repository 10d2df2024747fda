"""A stand-in for somebody's model server, so that the examples run anywhere: it streams what it was asked."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.post("/v1/chat/completions")
async def chat(request: Request) -> StreamingResponse:
    """Answer with the words of the question."""
    asked = await request.json()
    return StreamingResponse(_words(asked["messages"][-1]["content"], asked["model"]), media_type="text/event-stream")


async def _words(question: str, model: str) -> AsyncIterator[str]:
    words = question.split()
    for word in words:
        await asyncio.sleep(0.005)
        yield _event(model, {"content": f"{word} "})
    usage = {"prompt_tokens": len(words), "completion_tokens": len(words), "total_tokens": 2 * len(words)}
    yield _event(model, {}, "stop", usage)
    yield "data: [DONE]\n\n"


def _event(model: str, delta: dict[str, str], finish: str | None = None, usage: dict[str, int] | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    said = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    return f"data: {json.dumps(said | {'usage': usage}, separators=(',', ':'))}\n\n"


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve an application on a free port of this machine; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

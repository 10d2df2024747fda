"""A client of the OpenAI package that tells a monitor of its calls: for endpoints that are somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar

from driftwatch.integrations.call import Call
from driftwatch.integrations.calls import begun, ending, failing, items, items_async, take
from driftwatch.integrations.guest import Receiver, quietly
from driftwatch.integrations.wire.asked import texts_of

Client = TypeVar("Client")

RESOURCES: tuple[str, ...] = ("chat.completions", "completions", "responses")
"""Whose ``create`` is watched."""


def watch(client: Client, monitor: Receiver, *, labels: Mapping[str, str] | None = None, text: bool = False) -> Client:
    """Make a client tell a monitor of its chat completions, completions and responses.

    Parameters
    ----------
    client
        An ``openai.OpenAI`` or ``openai.AsyncOpenAI``; it is changed and returned. What is made of it later by
        ``with_options`` is another client, and is watched only if it is handed in here too.
    monitor
        Who is told. The latency is what the caller waits, retries of the client included.
    labels
        Labels of every call.
    text
        Hand the text of prompts and answers to the monitor.
    """
    for path in RESOURCES:
        resource: Any = client
        for name in path.split("."):
            resource = getattr(resource, name, None)
        if resource is not None:
            resource.create = _watched(resource.create, path.replace(".", "/"), monitor, labels, text)
    return client


def _watched(
    create: Any, route: str, monitor: Receiver, labels: Mapping[str, str] | None, text: bool
) -> Callable[..., Any]:
    @wraps(create)
    def call(*args: Any, **asked: Any) -> Any:
        current = begun(monitor, text=text, model=asked.get("model"), route=route, labels=labels)
        if text:
            _prompt(current, asked)
        with failing(current):
            result = create(*args, **asked)
        return _later(current, result) if isawaitable(result) else _answered(current, result)

    return call


async def _later(call: Call, result: Awaitable[Any]) -> Any:
    with failing(call):
        answer = await result
    return _answered(call, answer)


def _answered(call: Call, result: Any) -> Any:
    """Tell the end of a call that is over, or watch its stream."""
    if hasattr(result, "__aiter__"):
        return AsyncStream(result, call)
    if hasattr(result, "__next__"):
        return Stream(result, call)
    with ending(call) as outcome:
        take(call, result, outcome)
    return result


@quietly
def _prompt(call: Call, asked: Mapping[str, Any]) -> None:
    given = asked.get("messages") or asked.get("input") or asked.get("prompt")
    if prompt := "\n".join(texts_of(given)):
        call.known["prompt"] = prompt


class Stream:
    """A stream of the client, whose items are looked at as they pass; all else is as it was."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stream, self._call = stream, call
        self._items = items(lambda: call, stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        return self._items

    def __next__(self) -> Any:
        return next(self._items)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; one that has not been read to its end is an abort."""
        self._items.close()
        quietly(self._call.end)(finish_reason="abort")
        self._stream.close()


class AsyncStream:
    """An asynchronous stream of the client, likewise."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stream, self._call = stream, call
        self._items = items_async(lambda: call, stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._items

    async def __anext__(self) -> Any:
        return await anext(self._items)

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream; one that has not been read to its end is an abort."""
        await self._items.aclose()
        quietly(self._call.end)(finish_reason="abort")
        await self._stream.close()

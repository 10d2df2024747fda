"""A decorator for anything that calls a model, and what the wrapper of the OpenAI client is made of."""

from __future__ import annotations

import inspect
import time
from asyncio import CancelledError
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from driftwatch.integrations.call import Call
from driftwatch.integrations.guest import Receiver, quietly

P = ParamSpec("P")
T = TypeVar("T")

Begin = Callable[[], Call]
Read = Callable[[Any], Mapping[str, Any]]
"""From a result to fields of `driftwatch.Monitor.request`."""


def watched(
    monitor: Receiver,
    *,
    model: str,
    route: str | None = None,
    labels: Mapping[str, str] | None = None,
    read: Read | None = None,
    text: bool = False,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function, a coroutine, a generator or an async generator that calls a model.

    Parameters
    ----------
    monitor
        Who is told.
    model, route, labels
        Where it belongs.
    read
        Says what a result means, as fields of `driftwatch.Monitor.request`. Without it, results that look like answers
        of the OpenAI API are understood, and of a generator the items are counted.
    text
        Hand the text of answers to the monitor.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> monitor = SimpleNamespace(started=lambda **row: None, request=lambda **row: print(row["output_tokens"]))
    >>> @watched(monitor, model="m", read=lambda answer: {"output_tokens": len(answer.split())})
    ... def ask(prompt):
    ...     return "a short answer"
    >>> ask("Why?")
    3
    'a short answer'
    """
    known = {"model": model, "route": route, "labels": labels}

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        watching: Any = _shape(function)
        return wraps(function)(watching(function, lambda: begun(monitor, text=text, **known), read))

    return decorate


def _shape(function: Any) -> Any:
    """How a function of its kind is watched."""
    if inspect.isasyncgenfunction(function):
        return _async_generator
    if inspect.isgeneratorfunction(function):
        return _generator
    return _coroutine if inspect.iscoroutinefunction(function) else _function


def _function(function: Any, begin: Begin, read: Read | None) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        current = begin()
        with ending(current) as outcome:
            result = function(*args, **kwargs)
            take(current, result, outcome, read)
            return result

    return call


def _coroutine(function: Any, begin: Begin, read: Read | None) -> Any:
    async def call(*args: Any, **kwargs: Any) -> Any:
        current = begin()
        with ending(current) as outcome:
            result = await function(*args, **kwargs)
            take(current, result, outcome, read)
            return result

    return call


def _generator(function: Any, begin: Begin, read: Read | None) -> Any:
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        return items(begin, function(*args, **kwargs))

    return call


def _async_generator(function: Any, begin: Begin, read: Read | None) -> Any:
    def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        return items_async(begin, function(*args, **kwargs))

    return call


def begun(monitor: Receiver, *, text: bool = False, **known: Any) -> Call:
    """A call that begins now, and is told of."""
    call = Call(monitor, {name: value for name, value in known.items() if value is not None}, text=text)
    quietly(call.start)()
    return call


@contextmanager
def ending(call: Call) -> Iterator[dict[str, Any]]:
    """Tell the end of a call, however it comes; what is put into the mapping is told too."""
    outcome: dict[str, Any] = {}
    with failing(call):
        yield outcome
    quietly(call.end)(**outcome)


@contextmanager
def failing(call: Call) -> Iterator[None]:
    """Tell the end of a call if it fails here."""
    try:
        yield
    except BaseException as error:
        quietly(call.end)(**_failure(error))
        raise


def items(begin: Begin, source: Iterable[T]) -> Generator[T]:
    """The items of a stream as they come; whoever stops early has aborted it."""
    call = begin()
    with ending(call):
        for item in source:
            _part(call, item)
            yield item


async def items_async(begin: Begin, source: AsyncIterable[T]) -> AsyncGenerator[T]:
    """The items of an asynchronous stream, likewise."""
    call = begin()
    with ending(call):
        async for item in source:
            _part(call, item)
            yield item


@quietly
def take(call: Call, result: Any, outcome: dict[str, Any], read: Read | None = None) -> None:
    """Take a result that came at once."""
    if read is None:
        call.answer.whole(result)
    else:
        outcome.update(read(result))


@quietly
def _part(call: Call, item: Any) -> None:
    at = time.perf_counter()
    if hasattr(item, "choices") or hasattr(item, "type") or isinstance(item, dict):
        call.answer.part(item, at)
    else:
        call.answer.said([item if isinstance(item, str) else ""], at)


def _failure(error: BaseException) -> dict[str, Any]:
    """How a call ended that raised."""
    if isinstance(error, GeneratorExit | CancelledError | KeyboardInterrupt):
        return {"finish_reason": "abort"}
    return {"error": type(error).__name__, "status": getattr(error, "status_code", None)}

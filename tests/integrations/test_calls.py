"""The decorator, on everything that can be called."""

import asyncio
import inspect
import time

import pytest

from driftwatch.integrations import guest
from driftwatch.integrations.calls import watched
from tests.integrations.serving import Broken, Notebook

ANSWER = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 7}}


@pytest.fixture
def notebook():
    return Notebook()


def only(notebook: Notebook) -> dict:
    (row,), (begun,) = notebook.rows, notebook.begun
    assert begun["request_id"] == row["request_id"]
    return row


def test_a_function(notebook):
    @watched(notebook, model="m", route="r", labels={"replica": "a"})
    def ask(prompt: str) -> dict:
        """Ask."""
        time.sleep(0.02)
        return ANSWER

    assert ask("Hi") is ANSWER
    assert (ask.__name__, ask.__doc__) == ("ask", "Ask.")
    row = only(notebook)
    assert (row["model"], row["route"], row["labels"], row["output_tokens"]) == ("m", "r", {"replica": "a"}, 7)
    assert 0.02 <= row["latency"] < 1
    assert abs(row["completed_at"] - time.time()) < 1


def test_a_coroutine(notebook):
    @watched(notebook, model="m", read=lambda text: {"output_tokens": len(text), "scores": {"judge": 0.5}})
    async def ask(prompt: str) -> str:
        await asyncio.sleep(0.02)
        return "four"

    assert inspect.iscoroutinefunction(ask)
    assert asyncio.run(ask("Hi")) == "four"
    row = only(notebook)
    assert (row["output_tokens"], row["scores"]) == (4, {"judge": 0.5})
    assert row["latency"] >= 0.02


def words(kind: str, notebook: Notebook, n: int = 3):
    """A watched stream of words, as a plain iterable of either kind."""

    @watched(notebook, model="m")
    def plain():
        for i in range(n):
            time.sleep(0.01)
            yield f"w{i}"

    @watched(notebook, model="m")
    async def later():
        for i in range(n):
            await asyncio.sleep(0.01)
            yield f"w{i}"

    return plain if kind == "generator" else later


def taken(stream, most: int = 100) -> list[str]:
    async def all_of() -> list[str]:
        found = []
        async for word in stream:
            found.append(word)
            if len(found) == most:
                break
        await stream.aclose()
        return found

    if hasattr(stream, "__aiter__"):
        return asyncio.run(all_of())
    found = [word for word, _ in zip(stream, range(most), strict=False)]
    stream.close()
    return found


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_stream(notebook, kind):
    assert taken(words(kind, notebook)()) == ["w0", "w1", "w2"]
    row = only(notebook)
    assert (row["output_tokens"], row["labels"]) == (3, {"tokens_by": "chunks"})
    assert 0.01 <= row["ttft"] <= row["latency"]
    assert row["itl_mean"] >= 0.01
    assert "finish_reason" not in row


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_stream_that_is_left_early_is_an_abort(notebook, kind):
    assert taken(words(kind, notebook)(), 2) == ["w0", "w1"]
    assert only(notebook)["finish_reason"] == "abort"


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async generator"])
def test_what_is_raised_is_told_and_raised(notebook, kind):
    def function():
        raise TimeoutError("too slow")

    async def coroutine():
        raise TimeoutError("too slow")

    def generator():
        raise TimeoutError("too slow")
        yield

    async def async_generator():
        raise TimeoutError("too slow")
        yield

    bad = {"function": function, "coroutine": coroutine, "generator": generator, "async generator": async_generator}
    ask = watched(notebook, model="m")(bad[kind])
    use = {"function": lambda answer: answer, "coroutine": asyncio.run}.get(kind, taken)
    with pytest.raises(TimeoutError, match="too slow"):
        use(ask())
    assert only(notebook)["error"] == "TimeoutError"


def test_a_cancelled_call_is_an_abort(notebook):
    @watched(notebook, model="m")
    async def ask():
        await asyncio.sleep(10)

    async def cancelled():
        task = asyncio.create_task(ask())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert only(notebook)["finish_reason"] == "abort"
    assert "error" not in notebook.rows[0]


def test_neither_a_broken_monitor_nor_a_broken_reader_is_felt(notebook):
    guest.failures.clear()
    assert watched(Broken(), model="m")(lambda: "answer")() == "answer"
    assert taken(words("generator", Broken())()) == ["w0", "w1", "w2"]
    assert watched(notebook, model="m", read=lambda result: result["nothing"])(lambda: "answer")() == "answer"
    assert guest.failures == {
        "driftwatch.integrations.call.Call.start": 2,
        "driftwatch.integrations.call.Call.end": 2,
        "driftwatch.integrations.calls.take": 1,
    }
    assert only(notebook)["model"] == "m"

"""The wrapper around the real client, which asks a real server on loopback."""

import asyncio
import gc

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("openai")

import openai

from driftwatch.integrations.openai import watch
from tests.integrations.serving import Broken, Notebook, served, service


@pytest.fixture(scope="module")
def url():
    with served(service()) as address:
        yield f"{address}/v1"


@pytest.fixture
def notebook():
    return Notebook()


@pytest.fixture
def client():
    """Makes watched clients, and closes them in the end."""
    made = []

    def client(url: str, monitor, *, later: bool = False, **options):
        kind = openai.AsyncOpenAI if later else openai.OpenAI
        made.append(kind(base_url=url, api_key="none", max_retries=0))
        return watch(made[-1], monitor, **options)

    yield client
    for used in made:
        if isinstance(used, openai.OpenAI):
            used.close()


def asked(what: str, **more) -> dict:
    return {"model": "tiny", "messages": [{"role": "user", "content": what}], **more}


def only(notebook: Notebook) -> dict:
    (row,), (begun,) = notebook.rows, notebook.begun
    assert begun["request_id"] == row["request_id"]
    assert (row["model"], row["route"]) == ("tiny", "chat/completions")
    return row


@pytest.mark.parametrize("later", [False, True])
def test_an_answer_at_once(client, url, notebook, later):
    asking = client(url, notebook, later=later, text=True, labels={"a": "b"})
    answer = asking.chat.completions.create(**asked("hello"))
    answer = asyncio.run(awaited(asking, answer)) if later else answer
    assert answer.choices[0].message.content == "one two"
    row = only(notebook)
    assert (row["prompt"], row["response"], row["labels"]) == ("hello", "one two", {"a": "b"})
    assert (row["prompt_tokens"], row["output_tokens"], row["cached_tokens"]) == (9, 4, 3)
    assert row["finish_reason"] == "stop"


async def awaited(asking, answer):
    async with asking:
        return await answer


def test_a_stream(client, url, notebook):
    with client(url, notebook, text=True).chat.completions.create(
        **asked("late", stream=True, stream_options={"include_usage": True})
    ) as stream:
        assert stream.response.status_code == 200
        words = [c.choices[0].delta.content for c in stream if c.choices]
    assert words == ["", "one", " two", " three", None]
    row = only(notebook)
    assert (row["output_tokens"], row["finish_reason"], row["response"]) == (4, "stop", "one two three")
    assert 0.1 <= row["ttft"] <= row["latency"]
    assert "tokens_by" not in row["labels"]


def test_an_asynchronous_stream(client, url, notebook):
    async def words():
        async with client(url, notebook, later=True) as talking:
            stream = await talking.chat.completions.create(**asked("slow", stream=True))
            return [c.choices[0].delta.content async for c in stream]

    assert asyncio.run(words()) == ["", "one", " two", " three", None]
    row = only(notebook)
    assert (row["output_tokens"], row["labels"]) == (3, {"tokens_by": "chunks"})
    assert row["itl_mean"] >= 0.04


@pytest.mark.parametrize("how", ["leave", "drop", "never begun"])
def test_a_stream_that_is_left_is_an_abort(client, url, notebook, how):
    stream = client(url, notebook).chat.completions.create(**asked("forever", stream=True))
    if how == "never begun":
        stream.close()
    elif how == "leave":
        with stream:
            next(stream)
    else:
        next(stream)
        del stream
        gc.collect()
    assert only(notebook)["finish_reason"] == "abort"


@pytest.mark.parametrize(("what", "status", "error"), [("raise", 500, "InternalServerError"), ("refuse", 400, None)])
@pytest.mark.parametrize("stream", [False, True])
def test_errors(client, url, notebook, what, status, error, stream):
    with pytest.raises(openai.APIStatusError):
        client(url, notebook).chat.completions.create(**asked(what, stream=stream))
    row = only(notebook)
    assert (row["status"], row.get("error")) == (status, error)


def test_nobody_there(client, notebook):
    with pytest.raises(openai.APIConnectionError):
        client("http://127.0.0.1:9/v1", notebook).chat.completions.create(**asked("hello"))
    assert only(notebook)["error"] == "APIConnectionError"


def test_a_broken_monitor_is_not_felt(client, url):
    create = client(url, Broken(), text=True).chat.completions.create
    assert create(**asked("hello")).usage.total_tokens == 13
    assert len(list(create(**asked("hello", stream=True)))) == 5

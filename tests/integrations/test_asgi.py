"""The middleware before a real FastAPI service on a real uvicorn."""

import asyncio
import gc
import time
from collections import Counter

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")

import httpx2 as httpx

from driftwatch.integrations import guest
from driftwatch.integrations.asgi import MOST_BODY, Exchange, Middleware
from tests.integrations.serving import Broken, Notebook, served, service

PATH = "/v1/chat/completions"


def asking(what: str, *, stream: bool, **more) -> dict:
    return {"messages": [{"role": "user", "content": what}], "model": "tiny", "stream": stream, **more}


@pytest.fixture
def watched():
    notebook = Notebook()
    guarded = Middleware(service(), notebook, labels={"replica": "a"}, tenant_header="X-Tenant", text=True)
    with served(guarded) as url:
        yield notebook, url


def ask(url: str, what: str, *, stream: bool, headers=None, **more) -> tuple[int, bytes]:
    answer = httpx.post(url + PATH, json=asking(what, stream=stream, **more), headers=headers, timeout=30)
    return answer.status_code, answer.content


def settled(notebook: Notebook, n: int = 1) -> list[dict]:
    """The rows, once there are n: the last is written just after the client has its last byte."""
    deadline = time.monotonic() + 10
    while len(notebook.rows) < n and time.monotonic() < deadline:
        time.sleep(0.01)
    return notebook.rows


def test_a_stream_with_usage(watched):
    notebook, url = watched
    before = time.time()
    ask(url, "late", stream=True, stream_options={"include_usage": True}, headers={"X-Tenant": "chat"})
    (row,) = settled(notebook)
    assert (row["model"], row["route"], row["tenant"], row["labels"]) == ("tiny", PATH, "chat", {"replica": "a"})
    assert (row["prompt_tokens"], row["output_tokens"], row["cached_tokens"]) == (9, 4, 3)
    assert (row["status"], row["finish_reason"], row["prompt"], row["response"]) == (
        200,
        "stop",
        "late",
        "one two three",
    )
    assert 0.1 <= row["ttft"] <= row["latency"] <= time.time() - before
    assert before <= row["started_at"] <= row["completed_at"] <= time.time()
    assert "error" not in row
    (begun,) = notebook.begun
    assert (begun["request_id"], begun["model"]) == (row["request_id"], "tiny")


def test_tokens_are_counted_where_no_usage_is_sent(watched):
    notebook, url = watched
    ask(url, "slow", stream=True)
    (row,) = settled(notebook)
    assert (row["output_tokens"], row["labels"]) == (3, {"replica": "a", "tokens_by": "chunks"})
    assert 0.04 <= row["itl_mean"] < 0.5


def test_an_answer_at_once(watched):
    notebook, url = watched
    ask(url, "hello", stream=False)
    (row,) = settled(notebook)
    assert (row["output_tokens"], row["cached_tokens"], row["finish_reason"]) == (4, 3, "stop")
    assert (row["prompt"], row["response"]) == ("hello", "one two")
    assert "ttft" not in row


def test_the_clients_mistake_is_no_failure(watched):
    notebook, url = watched
    assert ask(url, "refuse", stream=False)[0] == 400
    (row,) = settled(notebook)
    assert (row["status"], row.get("error")) == (400, None)


@pytest.mark.parametrize(("stream", "what", "status"), [(False, "raise", 500), (True, "break", 200)])
def test_a_failure_is_told_and_goes_its_way(watched, stream, what, status):
    notebook, url = watched
    try:
        ask(url, what, stream=stream)
    except httpx.HTTPError:
        assert what == "break"
    (row,) = settled(notebook)
    assert (row["status"], row["error"]) == (status, "RuntimeError")


def test_a_client_that_goes_away_is_an_abort(watched):
    notebook, url = watched
    with httpx.stream("POST", url + PATH, json=asking("forever", stream=True), timeout=30) as answer:
        pieces = answer.iter_raw()
        for _ in range(3):
            next(pieces)
    (row,) = settled(notebook)
    assert (row["finish_reason"], row["status"]) == ("abort", 200)
    assert row["output_tokens"] >= 1
    assert "error" not in row


def test_other_paths_and_methods_are_not_told(watched):
    notebook, url = watched
    assert httpx.get(url + "/health").json() == {"ok": True}
    assert httpx.get(url + PATH).status_code == 405
    assert httpx.post(url + "/v1/embeddings", json={}).status_code == 404
    time.sleep(0.1)
    assert notebook.rows == notebook.begun == []


@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_is_the_same_to_the_byte_even_where_the_monitor_is_broken(stream):
    guest.failures.clear()
    with served(service()) as plain, served(Middleware(service(), Broken(), text=True)) as guarded:
        answers = [ask(url, "hello", stream=stream, stream_options={"include_usage": True}) for url in (plain, guarded)]
        time.sleep(0.1)
    assert answers[0] == answers[1]
    assert guest.failures == {
        "driftwatch.integrations.asgi.Exchange.heard": 1, "driftwatch.integrations.asgi.Exchange.over": 1
    }  # fmt: skip


def test_the_first_byte_does_not_wait_for_what_is_looked_at():
    """Messages leave in the order and at the time at which they come, before the middleware looks at them."""
    seen = []

    class Late(Notebook):
        def request(self, **fields):
            seen.append("told")

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True})
        seen.append("app")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        seen.append(message["type"].rpartition(".")[2])

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}
    asyncio.run(Middleware(app, Late())(scope, receive, send))
    assert seen == ["start", "body", "app", "body", "told"]


def test_a_body_without_end_fills_no_memory():
    """Neither what is asked nor what is answered is held beyond a limit; the request is told all the same."""
    notebook, piece = Notebook(), b'{"model":"m",' + b" " * (1 << 20)
    held = []

    async def app(scope, receive, send):
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        for more in [True] * 20 + [False]:
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    async def send(message):
        pass

    pieces = iter([True] * 20 + [False])

    async def receive():
        exchange = next(o for o in gc.get_objects() if isinstance(o, Exchange))
        held.append(sum(map(len, exchange.asked)))
        return {"type": "http.request", "body": piece, "more_body": next(pieces)}

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": []}
    asyncio.run(Middleware(app, notebook)(scope, receive, send))
    assert max(held) <= 2 * MOST_BODY
    (row,) = notebook.rows
    assert (row["model"], row["status"]) == ("m", 200)
    assert "output_tokens" not in row


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_other_protocols_pass_untouched(kind):
    got = []

    async def app(scope, receive, send):
        got.append((scope, receive, send))

    scope, receive, send = {"type": kind, "path": PATH}, object(), object()
    asyncio.run(Middleware(app, Broken())(scope, receive, send))
    assert got == [(scope, receive, send)]


def test_under_load_every_request_is_told_once(watched):
    notebook, url = watched
    kinds = ["hello", "long", "break", "refuse"]

    async def one(client, i):
        try:
            answer = await client.post(url + PATH, json=asking(kinds[i % 4], stream=i % 3 > 0))
        except httpx.HTTPError:
            return
        assert answer.status_code in (200, 400)

    async def everyone():
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            await asyncio.gather(*(one(client, i) for i in range(480)))

    asyncio.run(everyone())
    rows = settled(notebook, 480)
    assert len(rows) == len({row["request_id"] for row in rows}) == 480
    assert {b["request_id"] for b in notebook.begun} == {row["request_id"] for row in rows}
    outcomes = Counter((row["status"], row.get("finish_reason"), row.get("error")) for row in rows)
    assert outcomes == {
        (200, "stop", None): 120 + 40 + 40, (200, "length", None): 80,
        (200, None, "RuntimeError"): 80, (400, None, None): 120,
    }  # fmt: skip

"""The callback, in a real LiteLLM: it runs in an environment of its own, which DRIFTWATCH_LITELLM names."""

import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")

import httpx2

from tests.integrations.serving import served, service

PYTHON = os.environ.get("DRIFTWATCH_LITELLM")

PROGRAM = """
import asyncio, json, sys, time
import litellm
import openai
from litellm.caching.caching import Cache
from litellm.integrations.custom_logger import CustomLogger
from driftwatch.integrations.litellm import Callback

rows = []
class Monitor:
    def request(self, **row):
        rows.append(row)

class Watch(Callback, CustomLogger):
    pass

url = sys.argv[1] + "/v1"
def asked(what, **more):
    messages = [{"role": "user", "content": what}]
    return dict(model="openai/tiny", api_base=url, api_key="none", messages=messages, max_retries=0, **more)

async def later():
    await litellm.acompletion(**asked("hello"))
    stream = await litellm.acompletion(**asked("late", stream=True))
    async for _ in stream: pass
    for what in ("raise", "refuse"):
        try:
            await litellm.acompletion(**asked(what))
        except openai.APIError: pass
    await asyncio.sleep(2)

watch = Watch(Monitor(), text=True, labels={"a": "b"})
litellm.callbacks = [watch]
litellm.completion(**asked("hello"))
time.sleep(1)
asyncio.run(later())
litellm.cache = Cache(type="local")
for _ in range(2):
    litellm.completion(**asked("again", caching=True))
    time.sleep(0.5)
print("ROWS" + json.dumps([rows, watch.from_cache]))
"""


@pytest.fixture(scope="module")
def told(root, tmp_path_factory):
    if not PYTHON:
        pytest.skip("DRIFTWATCH_LITELLM names no Python that has litellm, numpy and pydantic")
    program = tmp_path_factory.mktemp("litellm") / "program.py"
    program.write_text(PROGRAM)
    with served(service()) as url:
        env = {**os.environ, "PYTHONPATH": str(root), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        done = subprocess.run([PYTHON, str(program), url], env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    found = next(line for line in done.stdout.splitlines() if line.startswith("ROWS"))
    return json.loads(found.removeprefix("ROWS"))


def test_every_call_is_told_once(told):
    rows, _ = told
    assert [row["prompt"] for row in rows] == ["hello", "hello", "late", "raise", "refuse", "again"]
    assert len({row["request_id"] for row in rows}) == 6


def test_what_is_told(told):
    rows, _ = told
    for row in rows[:2]:
        assert (row["prompt_tokens"], row["output_tokens"], row["cached_tokens"]) == (9, 4, 3)
        assert (row["finish_reason"], row["response"], row["labels"]) == ("stop", "one two", {"a": "b"})
        assert row["model"] == "tiny"
        assert row["replica"].startswith("127.0.0.1:")
        assert 0 < row["latency"] == pytest.approx(row["completed_at"] - row["started_at"])


def test_a_stream_has_a_first_token(told):
    row = told[0][2]
    assert 0.1 <= row["ttft"] <= row["latency"]
    assert (row["response"], row["finish_reason"]) == ("one two three", "stop")


def test_failures(told):
    broken, refused = told[0][3:5]
    assert (broken["status"], broken["error"]) == (500, "InternalServerError")
    assert (refused["status"], refused.get("error")) == (400, None)


def test_what_came_from_a_cache_is_counted_and_not_told(told):
    assert told[1] == 1


CALLBACK = """
import json, pathlib
from litellm.integrations.custom_logger import CustomLogger
from driftwatch.integrations.litellm import Callback

class Monitor:
    def request(self, **row):
        with open(pathlib.Path(__file__).with_name("rows"), "a") as file:
            file.write(json.dumps(row) + "\\n")

class Watch(Callback, CustomLogger):
    pass

watch = Watch(Monitor())
"""
CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {model: openai/tiny, api_base: "%s/v1", api_key: none}
litellm_settings: {callbacks: callback.watch}
"""


def test_the_proxy_has_the_callback_of_its_configuration(root, tmp_path):
    if not PYTHON:
        pytest.skip("DRIFTWATCH_LITELLM names no Python that has litellm, numpy and pydantic")
    (tmp_path / "callback.py").write_text(CALLBACK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = f"sk-{secrets.token_hex(32)}"
    env = {**os.environ, "PYTHONPATH": str(root), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": key}
    litellm = [
        str(Path(PYTHON).with_name("litellm")),
        "--config",
        "config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with served(service()) as url:
        (tmp_path / "config.yaml").write_text(CONFIG % url)
        with (tmp_path / "log").open("wb") as log:
            proxy = subprocess.Popen(litellm, env=env, cwd=tmp_path, stdout=log, stderr=log)
        try:
            asked = {"model": "chat", "messages": [{"role": "user", "content": "late"}], "stream": True}
            proxied = f"http://127.0.0.1:{port}/v1/chat/completions"
            known = {"Authorization": f"Bearer {key}"}
            answer = until(lambda: httpx2.post(proxied, json=asked, headers=known, timeout=30))
            assert answer.status_code == 200, (tmp_path / "log").read_text()[-2000:]
            rows = until(lambda: (tmp_path / "rows").read_text().splitlines())
        finally:
            proxy.terminate()
            proxy.wait(30)
    (row,) = map(json.loads, rows)
    assert (row["model"], row["finish_reason"], row["replica"]) == ("chat", "stop", url.removeprefix("http://"))
    assert 0.1 <= row["ttft"] <= row["latency"]


def until(what, seconds: float = 90.0):
    """What comes once it does not raise."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return what()
        except (OSError, httpx2.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)

"""Inside vLLM: the join of what engine and edge say, and, where there is a vLLM, the real server.

DRIFTWATCH_VLLM names a folder with ``venv`` (vLLM, and this driftwatch installed into it) and ``model-tiny``.
"""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.integrations.vllm import Recorder
from driftwatch.integrations.vllm.join import Join
from driftwatch.integrations.vllm.shared import VARIABLE, shared
from driftwatch.integrations.vllm.stats import row_of
from driftwatch.live.exposition import served
from driftwatch.live.settings import Serve

VLLM = os.environ.get("DRIFTWATCH_VLLM")


def finished(name: str = "r1", **more) -> SimpleNamespace:
    """As vLLM's FinishedRequestStats."""
    facts = {
        "request_id": name, "finish_reason": "length", "num_prompt_tokens": 9, "num_generation_tokens": 40,
        "num_cached_tokens": 3, "e2e_latency": 2.5, "queued_time": 0.25, "prefill_time": 0.25,
        "mean_time_per_output_token": 0.05,
    }  # fmt: skip
    return SimpleNamespace(**(facts | more))


def test_what_an_engine_says():
    assert row_of(finished(), "m") == {
        "model": "m", "request_id": "r1", "prompt_tokens": 9, "output_tokens": 40, "cached_tokens": 3,
        "latency": 2.5, "ttft": 0.5, "queue_time": 0.25, "itl_mean": 0.05, "finish_reason": "length",
    }  # fmt: skip


def test_an_older_or_newer_vllm_that_says_less():
    said = finished(queued_time=0.0, prefill_time=0.0)
    del said.num_cached_tokens, said.mean_time_per_output_token
    assert row_of(said, "m").keys() == {
        "model", "request_id", "prompt_tokens", "output_tokens", "latency", "queue_time", "finish_reason"
    }  # fmt: skip


def test_times_are_the_users_and_counts_the_engines():
    told = []
    join = Join(told.append)
    join.expect_edge()
    join.engine("r1", row_of(finished(), "m"))
    join.edge("r1", {"request_id": "e", "model": "m", "ttft": 0.7, "latency": 2.9, "output_tokens": 38})
    counts = {"prompt_tokens": 9, "output_tokens": 40, "cached_tokens": 3, "queue_time": 0.25, "itl_mean": 0.05}
    times = {"latency": 2.9, "ttft": 0.7}
    assert told == [{"model": "m", "request_id": "e", "finish_reason": "length", **counts, **times}]


def test_without_a_middleware_the_engine_is_told_at_once():
    told = []
    Join(told.append).engine("r1", {"latency": 1.0})
    assert told == [{"latency": 1.0}]


def test_several_answers_to_one_request_are_one():
    told = []
    join = Join(told.append)
    join.expect_edge()
    for tokens, queued in ((10, 0.1), (30, 0.3)):
        join.engine("r1", {"output_tokens": tokens, "queue_time": queued})
    join.edge("r1", {"ttft": 0.5})
    assert told == [{"output_tokens": 40, "queue_time": 0.3, "ttft": 0.5}]


EVENTS = st.lists(st.tuples(st.sampled_from(["engine", "edge"]), st.integers(0, 5)), unique=True, max_size=12)


@given(EVENTS, st.lists(st.floats(0, 2), min_size=12, max_size=12))
def test_each_request_is_told_once_whoever_comes_first(events, pauses):
    told, now = [], [0.0]
    join = Join(told.append, wait_s=3.0, clock=lambda: now[0])
    join.expect_edge()
    for (who, number), pause in zip(events, pauses, strict=False):
        now[0] += pause
        getattr(join, who)(f"r{number}", {"id": number, who: True})
    now[0] += 10.0
    join.expire()
    assert sorted(row["id"] for row in told) == sorted({number for _, number in events})


def test_what_waits_is_bounded():
    told = []
    join = Join(told.append, clock=lambda: 0.0)
    join.expect_edge()
    for number in range(10_050):
        join.engine(f"r{number}", {"id": number})
    assert [row["id"] for row in told] == list(range(50))


def test_nothing_is_watched_unless_it_is_asked_for(monkeypatch, root):
    monkeypatch.delenv(VARIABLE, raising=False)
    shared.cache_clear()
    assert shared() is None
    recorder = Recorder(SimpleNamespace(model_config=SimpleNamespace(served_model_name=["m"], model="x")))
    recorder.record(SimpleNamespace(), SimpleNamespace(finished_requests=[finished()]))
    recorder.log()


def test_a_wrong_configuration_keeps_no_engine_from_starting(monkeypatch, tmp_path, caplog):
    (tmp_path / "watch.toml").write_text("[[targets]]\nurl = 'ftp://x'\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "watch.toml"))
    shared.cache_clear()
    assert shared() is None
    assert "nothing is watched" in caplog.text
    shared.cache_clear()


def test_a_second_process_of_a_server_is_watched_without_a_page(monkeypatch, tmp_path, caplog):
    with served(Serve(port=0), lambda: "") as port:
        (tmp_path / "watch.toml").write_text(f"[serve]\nport = {port}\n")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "watch.toml"))
        shared.cache_clear()
        here = shared()
        assert "without a page" in caplog.text
        here.join.engine("r1", {"model": "m", "latency": 1.0})
        here.watch.stop()
        assert here.monitor.stats().shed == {}
        shared.cache_clear()


def test_vllm_finds_it_by_its_entry_point():
    (found,) = importlib.metadata.entry_points(group="vllm.stat_logger_plugins", name="driftwatch")
    assert found.value == "driftwatch.integrations.vllm:StatLogger"


def test_importing_it_imports_neither_vllm_nor_what_extras_bring(root):
    heavy = {"vllm", "httpx2", "pyarrow", "torch"}
    code = f"import sys, driftwatch.integrations.vllm; print(sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A real vLLM with driftwatch inside: its address, and that of driftwatch's page."""
    if not VLLM:
        pytest.skip("DRIFTWATCH_VLLM names no folder with a vLLM")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from living.server import serving

    folder = tmp_path_factory.mktemp("vllm")
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    config = folder / "watch.toml"
    config.write_text(
        f'[[targets]]\nurl = "http://127.0.0.1:{ports[0]}/metrics"\nevery_s = 1\n[serve]\nport = {ports[1]}\n'
        "[config.ticks]\nwidth_s = 1\nlateness_s = 1\n"
    )
    with serving(Path(VLLM), folder / "log", port=ports[0], blocks=48, core=1, config=config) as server:
        yield server.url, f"http://127.0.0.1:{ports[1]}/metrics"


def asked(url: str, path: str, **body) -> bytes:
    request = urllib.request.Request(
        url + path,
        json.dumps({"model": "smollm2", "max_tokens": 8, **body}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def page(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for line in lines if not line.startswith("#") for name, value in [line.rsplit(" ", 1)]}


def test_the_real_server_tells_of_each_request_once(engine):
    url, own = engine
    messages = [{"role": "user", "content": "Hello"}]
    for stream in (False, True):
        for _ in range(3):
            asked(url, "/v1/chat/completions", messages=messages, stream=stream)
        asked(url, "/v1/completions", prompt="Hello", stream=stream)
    asked(url, "/v1/completions", prompt=["Hello", "there"])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = page(own)
        if found.get('driftwatch_requests_total{stream="model=smollm2,route=/v1/completions"}', 0) >= 3:
            break
        time.sleep(1)
    requests = {name: n for name, n in found.items() if name.startswith("driftwatch_requests_total")}
    assert sorted(requests.values()) == [3, 6], requests
    assert not [name for name in found if name.startswith("driftwatch_quarantined_total{")]
    assert [n for name, n in found.items() if name.startswith("driftwatch_source_up")] == [1.0]

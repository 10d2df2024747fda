"""The span processor, in the real OpenTelemetry SDK."""

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Status, StatusCode

from driftwatch.integrations.otel import SpanProcessor
from tests.integrations.serving import Broken, Notebook

NOW = 1_767_225_600_000_000_000


def traced(monitor, attributes, *, later=None, error=None, **options) -> None:
    provider = TracerProvider(resource=Resource.create({"service.instance.id": "pod-1"}))
    provider.add_span_processor(SpanProcessor(monitor, **options))
    span = provider.get_tracer("t").start_span("chat tiny", attributes=attributes, start_time=NOW)
    for name, value in (later or {}).items():
        span.set_attribute(name, value)
    if error:
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(end_time=NOW + 2_500_000_000)
    provider.shutdown()


def told(*args, **kwargs) -> dict:
    notebook = Notebook()
    traced(notebook, *args, **kwargs)
    (row,), (begun,) = notebook.rows, notebook.begun
    assert (begun["request_id"], begun["at"]) == (row["request_id"], NOW / 1e9)
    return row


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "tiny"}
TEXT = {"gen_ai.prompt": "Why?", "gen_ai.completion": "Because."}


@pytest.mark.parametrize(
    "usage",
    [
        {"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 4, "gen_ai.response.time_to_first_chunk": 0.5},
        {
            "gen_ai.usage.prompt_tokens": 9,
            "gen_ai.usage.completion_tokens": 4,
            "gen_ai.latency.time_to_first_token": 0.5,
        },
    ],
)
def test_names_of_now_and_of_then(usage):
    row = told(
        CHAT, later={**usage, "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.cache_read.input_tokens": 3}
    )
    assert (row["model"], row["route"], row["replica"]) == ("tiny", "chat", "pod-1")
    assert (row["prompt_tokens"], row["output_tokens"], row["cached_tokens"]) == (9, 4, 3)
    assert (row["ttft"], row["latency"], row["finish_reason"]) == (0.5, 2.5, "stop")
    assert (row["started_at"], row["completed_at"]) == (NOW / 1e9, NOW / 1e9 + 2.5)
    assert "error" not in row


def test_the_spans_of_vllm():
    """It names no operation, and says when things happened in attributes of its own."""
    row = told(
        {"gen_ai.request.id": "r1"},
        later={
            "gen_ai.latency.time_in_queue": 0.1, "gen_ai.latency.time_to_first_token": 0.4, "gen_ai.latency.e2e": 2.4,
            "gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 4, "gen_ai.response.model": "tiny",
        },
    )  # fmt: skip
    assert (row["queue_time"], row["ttft"], row["latency"], row["model"]) == (0.1, 0.4, 2.5, "tiny")


def test_text_only_where_it_is_wanted():
    assert not {"prompt", "response"} & told(CHAT, later=TEXT).keys()
    row = told(CHAT, later=TEXT, text=True, labels={"a": "b"})
    assert (row["prompt"], row["response"], row["labels"]) == ("Why?", "Because.", {"a": "b"})


def test_errors():
    assert told(CHAT, error="timeout")["error"] == "error"
    assert told(CHAT, error="timeout", later={"error.type": "timeout"})["error"] == "timeout"


@pytest.mark.parametrize("attributes", [{}, {"http.route": "/"}, {"gen_ai.operation.name": "execute_tool"}])
def test_other_spans_are_left_alone(attributes):
    notebook = Notebook()
    traced(notebook, attributes)
    assert notebook.rows == notebook.begun == []


@pytest.mark.parametrize("wrong", ["many", -1.5, True, ["a"], [1.5]])
def test_values_of_the_wrong_type(wrong):
    names = ("usage.input_tokens", "response.time_to_first_chunk", "response.finish_reasons", "response.model")
    row = told(CHAT, later={f"gen_ai.{name}": wrong for name in names})
    assert isinstance(row.get("finish_reason", ""), str)
    assert "prompt_tokens" not in row


def test_a_broken_monitor_is_not_felt():
    traced(Broken(), CHAT)

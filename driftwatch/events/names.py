"""Other people's column names, and ours: OpenTelemetry, LiteLLM, vLLM, Langfuse, OpenAI, plain logs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

FieldKind = Literal["time", "duration", "tokens", "status", "word", "text", "group"]

FIELDS: dict[str, FieldKind] = {
    **dict.fromkeys(("started_at", "completed_at", "first_token_at"), "time"),
    **dict.fromkeys(("ttft", "latency", "itl", "itl_p95", "queue_time"), "duration"),
    **dict.fromkeys(("prompt_tokens", "output_tokens", "cached_tokens"), "tokens"),
    "status": "status",
    **dict.fromkeys(("request_id", "error", "finish_reason", "model", "route", "tenant", "replica"), "word"),
    **dict.fromkeys(("prompt", "response", "embedding", "prompt_embedding"), "text"),
    **dict.fromkeys(("scores", "labels"), "group"),
}
"""The columns of a request that mean something to driftwatch, and what they hold."""

# Written as they look after `_snake`: lower case, words joined by "_", levels by ".".
_ALIASES: dict[str, str] = {
    "started_at": "start_time start started start_timestamp created created_at arrival_time arrived_at arrival"
    " start_time_unix request_timestamp start_date",
    "completed_at": "end_time end ended finished_at end_timestamp completion_time end_time_unix"
    " finish_time completed_timestamp end_date timestamp time ts t @timestamp at",
    "first_token_at": "completion_start_time first_token_time first_token first_token_timestamp"
    " metrics.first_token_time time_first_token",
    "ttft": "time_to_first_token time_to_first_chunk ttfb first_token_latency gen_ai.server.time_to_first_token"
    " gen_ai.client.time_to_first_chunk gen_ai.response.time_to_first_chunk gen_ai.latency.time_to_first_token",
    "latency": "duration e2e e2e_latency e2el end_to_end_latency elapsed elapsed_time total_time total_latency"
    " request_latency request_duration e2e_time gen_ai.latency.e2e gen_ai.client.operation.duration"
    " gen_ai.server.request.duration",
    "itl": "itl_mean mean_itl tpot mean_tpot time_per_output_token inter_token_latency mean_inter_token_latency"
    " gen_ai.server.time_per_output_token gen_ai.client.time_per_output_chunk"
    " gen_ai.response.time_per_output_chunk",
    "itl_p95": "p95_itl",
    "queue_time": "time_in_queue queued_time queue_latency queue_duration wait_time waiting_time"
    " gen_ai.latency.time_in_queue metrics.time_in_queue",
    "prompt_tokens": "input_tokens num_prompt_tokens n_prompt_tokens prompt_token_count input_token_count input_length"
    " prompt_len prompt_length input_len context_tokens num_input_tokens input_usage tokens_prompt tokens_in"
    " usage.input usage_details.input usage_details.prompt_tokens gen_ai.usage.input_tokens"
    " gen_ai.usage.prompt_tokens llm.usage.prompt_tokens",
    "output_tokens": "completion_tokens generated_tokens num_output_tokens num_generation_tokens n_output_tokens"
    " output_token_count output_length output_len generation_tokens num_generated_tokens output_usage"
    " tokens_completion tokens_out usage.output usage_details.output usage_details.completion_tokens"
    " gen_ai.usage.output_tokens gen_ai.usage.completion_tokens llm.usage.completion_tokens",
    "cached_tokens": "num_cached_tokens cache_read_input_tokens cached_prompt_tokens cached_input_tokens"
    " prompt_tokens_details.cached_tokens input_tokens_details.cached_tokens usage_details.input_cached_tokens"
    " usage_details.cache_read_input_tokens gen_ai.usage.cache_read.input_tokens"
    " gen_ai.usage.cache_read_input_tokens",
    "request_id": "id req_id rid requestid call_id span_id litellm_call_id gen_ai.response.id gen_ai.request.id"
    " response_id x_request_id",
    "finish_reason": "finished_reason stop_reason finish_reasons done_reason gen_ai.response.finish_reasons"
    " gen_ai.response.finish_reason",
    "status": "status_code http_status http_status_code response_code http.status_code http.response.status_code level",
    "error": "error_str error_message error.message exception error.type error_type exception.type"
    " error_information.error_class",
    "model": "model_name model_id gen_ai.response.model gen_ai.request.model provided_model_name",
    "route": "endpoint path url_path http.route url.path api_route gen_ai.operation.name call_type",
    "tenant": "tenant_id team team_id organization org customer customer_id team_alias"
    " metadata.user_api_key_team_alias metadata.user_api_key_alias metadata.team_alias",
    "replica": "pod pod_name instance replica_id worker worker_id backend upstream k8s.pod.name service.instance.id"
    " server.address host hostname",
    "prompt": "prompts messages input inputs question gen_ai.prompt gen_ai.input.messages query request_body",
    "response": "output outputs completion answer text content gen_ai.completion gen_ai.output.messages choices"
    " response_text response_body reasoning_content",
    "embedding": "response_embedding output_embedding",
    "prompt_embedding": "input_embedding query_embedding",
    "scores": "score evaluations",
    "labels": "tags",
}
_OURS: dict[str, str] = {other: ours for ours, others in _ALIASES.items() for other in others.split()}
_RANK: dict[str, int] = {name: i for i, name in enumerate([*FIELDS, *_OURS])}

VAGUE: frozenset[str] = frozenset({"timestamp", "time", "ts", "t", "@timestamp", "at"})
"""Names that do not say which time they are: taken as the completion, and noted."""

FINISH_REASONS: dict[str, str] = {
    **dict.fromkeys(("max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit"), "length"),
    **dict.fromkeys(("end_turn", "stop_sequence", "eos_token", "eos", "complete", "completed"), "stop"),
    **dict.fromkeys(("aborted", "cancelled", "canceled", "cancel", "disconnect", "client_disconnect"), "abort"),
    **dict.fromkeys(("failed", "failure", "exception"), "error"),
    **{same: same for same in ("stop", "length", "abort", "error")},
}
"""Finish reasons of other vendors, in lower case, and ours."""

FAILURES: frozenset[str] = frozenset({"failure", "failed", "error", "exception", "timeout", "status_code_error"})
"""A status in words that means the request failed."""

_CONTAINERS = frozenset(
    {
        *("usage", "attributes", "span_attributes", "resource_attributes", "usage_details", "response", "timing"),
        *("timings", "metrics", "data", "standard_logging_object", "observation", "request", "result", "properties"),
        *("tags", "attrs"),
    }
)
_UNITS: tuple[tuple[str, str], ...] = (
    *((suffix, "ns") for suffix in ("_time_unix_nano", "_unix_nano", "_nanoseconds", "_nanos", "_ns")),
    *((suffix, "us") for suffix in ("_microseconds", "_micros", "_us")),
    *((suffix, "ms") for suffix in ("_milliseconds", "_millis", "_msec", "_ms")),
    *((suffix, "s") for suffix in ("_seconds", "_secs", "_sec", "_s")),
)
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a column is to us.

    Parameters
    ----------
    field
        A name of `FIELDS`, or the name of a label.
    unit
        ``s``, ``ms``, ``us``, ``ns`` where the column's own name says it; else empty.
    rank
        Where several columns hold the same field, the lowest rank wins.
    vague
        True where the name does not say which time it is.
    """

    field: str
    unit: str = ""
    rank: int = -1
    vague: bool = False


def field_of(column: str, mapping: Mapping[str, str] | None = None) -> Mapped | None:
    """What a column is to us, or None where its name is not known.

    Parameters
    ----------
    column
        Its name at the source; the levels of nested objects are joined by dots.
    mapping
        The user's own names (``input.fields``); they win.

    Examples
    --------
    >>> field_of("usage.prompt_tokens").field, field_of("attributes.gen_ai.usage.output_tokens").field
    ('prompt_tokens', 'output_tokens')
    >>> field_of("latencyMs").field, field_of("latencyMs").unit
    ('latency', 'ms')
    >>> field_of("colour") is None, field_of("colour", {"colour": "tenant"}).field
    (True, 'tenant')
    """
    if mapping and column in mapping:
        known = _known(mapping[column])
        return Mapped(known.field if known and known.field in FIELDS else mapping[column])
    return _known(column)


@lru_cache(maxsize=4096)
def _known(column: str) -> Mapped | None:
    name = _snake(column)
    while True:
        if found := _exact(name) or _with_unit(name):
            return found
        container, dot, rest = name.partition(".")
        if not dot or container not in _CONTAINERS:
            return None
        name = rest


def _exact(name: str) -> Mapped | None:
    field = name if name in FIELDS else _OURS.get(name)
    return None if field is None else Mapped(field, rank=_RANK[name], vague=name in VAGUE)


def _with_unit(name: str) -> Mapped | None:
    for suffix, unit in _UNITS:
        if not name.endswith(suffix):
            continue
        short = name.removesuffix(suffix)
        found = _exact(short) or _exact(short + "_time")
        if found and FIELDS[found.field] in ("time", "duration"):
            return Mapped(found.field, unit, found.rank, found.vague)
    return None


def _snake(name: str) -> str:
    return _WORD_START.sub("_", name.strip()).lower().replace(" ", "_").replace("-", "_")

import pytest

from driftwatch.events.names import FIELDS, field_of

KNOWN = {
    # OpenTelemetry GenAI, and the older spelling of vLLM's spans
    "gen_ai.usage.input_tokens": "prompt_tokens",
    "attributes.gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.completion_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
    "gen_ai.response.finish_reasons": "finish_reason",
    "gen_ai.response.model": "model",
    "gen_ai.latency.time_to_first_token": "ttft",
    "gen_ai.latency.e2e": "latency",
    "gen_ai.latency.time_in_queue": "queue_time",
    # LiteLLM
    "startTime": "started_at",
    "endTime": "completed_at",
    "completionStartTime": "first_token_at",
    "completion_tokens": "output_tokens",
    "error_str": "error",
    "metadata.user_api_key_alias": "tenant",
    # Langfuse
    "timeToFirstToken": "ttft",
    "usageDetails.input": "prompt_tokens",
    "level": "status",
    # OpenAI
    "usage.prompt_tokens": "prompt_tokens",
    "usage.prompt_tokens_details.cached_tokens": "cached_tokens",
    "response.usage.completion_tokens": "output_tokens",
    "created": "started_at",
    # plain logs
    "ContextTokens": "prompt_tokens",
    "itl_mean": "itl",
    "pod": "replica",
    "Status Code": "status",
}


@pytest.mark.parametrize(("theirs", "ours"), KNOWN.items())
def test_common_names_are_known(theirs, ours):
    assert field_of(theirs).field == ours


@pytest.mark.parametrize("name", FIELDS)
def test_our_own_names_mean_themselves_and_win(name):
    assert field_of(name).field == name
    assert field_of(name).rank < field_of("timestamp").rank


@pytest.mark.parametrize(
    ("name", "field", "unit"),
    [
        ("latency_ms", "latency", "ms"),
        ("ttftMs", "ttft", "ms"),
        ("e2e_latency_seconds", "latency", "s"),
        ("start_time_unix_nano", "started_at", "ns"),
        ("endTimeUnixNano", "completed_at", "ns"),
        ("timestamp_us", "completed_at", "us"),
    ],
)
def test_a_unit_in_the_name_is_believed(name, field, unit):
    assert (field_of(name).field, field_of(name).unit) == (field, unit)


def test_a_response_time_that_may_be_a_first_token_is_not_guessed():
    assert field_of("response_time") is None


@pytest.mark.parametrize("name", ["colour", "itl_max", "answers.claude", "temperature", "tokens_ms", "model_ms", ""])
def test_other_names_are_not(name):
    assert field_of(name) is None


def test_what_the_user_says_wins():
    assert field_of("timestamp", {"timestamp": "started_at"}).field == "started_at"
    assert not field_of("timestamp", {"timestamp": "started_at"}).vague
    assert field_of("lora", {"lora": "adapter"}).field == "adapter"
    assert field_of("prompt_tokens", {"prompt_tokens": "cached_tokens"}).field == "cached_tokens"
    assert field_of("gap", {"gap": "itl_mean"}).field == "itl"

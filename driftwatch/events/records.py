"""What callers hand in, one event at a time: checked here once, columns from then on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from driftwatch.errors import InputError


def _plain(value: Any) -> Any:
    """A numpy scalar or array as Python's own, so that strict types accept what serving code has at hand."""
    return value.tolist() if hasattr(value, "tolist") else value


def _measured(value: Any) -> Any:
    value = _plain(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _instant(value: Any) -> Any:
    value = _measured(value)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return value


Instant = Annotated[float, BeforeValidator(_instant), Field(allow_inf_nan=False)]
"""Seconds since the epoch; a datetime or an ISO 8601 string is taken too (without an offset it is UTC)."""

_Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
_Tokens = Annotated[int, Field(ge=0, le=10**9)]
Seconds = Annotated[_Seconds | None, BeforeValidator(_measured)]
Tokens = Annotated[_Tokens | None, BeforeValidator(_measured)]
Number = Annotated[float, BeforeValidator(_plain)]
Vector = Annotated[tuple[Number, ...] | None, BeforeValidator(lambda v: v if v is None else tuple(_plain(v)))]


class Event(BaseModel):
    """Base of what comes in: immutable, strict about types, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @classmethod
    def of(cls, fields: Mapping[str, Any], *, source: str = "") -> Self:
        """Check fields that are already a mapping.

        Raises
        ------
        InputError
            Names each wrong field and what is allowed.

        Examples
        --------
        >>> Request.of({"latency": -1.0})
        Traceback (most recent call last):
        driftwatch.errors.InputError: request: latency: Input should be greater than or equal to 0
        """
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise InputError(wrong, source=source or cls.__name__.lower()) from None


class Request(Event):
    """One request, at its completion (or at its start, when it has not completed).

    Examples
    --------
    >>> Request(model="m", started_at="2026-01-01T00:00:00Z", ttft=0.2).started_at
    1767225600.0
    """

    request_id: str | None = Field(None, description="Any string that names the request.")
    started_at: Instant | None = Field(None, description="When it arrived.")
    completed_at: Instant | None = Field(None, description="When its last token left.")
    model: str | None = Field(None, description="The model that answered.")
    route: str | None = Field(None, description="The endpoint or the product feature.")
    tenant: str | None = Field(None, description="Who asked, as a group: never a person's name.")
    replica: str | None = Field(None, description="The pod or process that answered.")
    prompt_tokens: Tokens = Field(None, description="Tokens of the prompt, cached ones included.")
    output_tokens: Tokens = Field(None, description="Tokens that were generated.")
    cached_tokens: Tokens = Field(None, description="Prompt tokens that the prefix cache had.")
    ttft: Seconds = Field(None, description="Time to first token, in seconds.")
    latency: Seconds = Field(None, description="End-to-end time, in seconds.")
    itl_mean: Seconds = Field(None, description="Mean gap between output tokens, in seconds.")
    itl_p95: Seconds = Field(None, description="95th percentile of those gaps, in seconds.")
    queue_time: Seconds = Field(None, description="Time spent waiting to be scheduled, in seconds.")
    finish_reason: str | None = Field(None, description="stop, length, abort, error, ...")
    status: int | str | None = Field(None, description="HTTP status, or 'success' and 'failure'.")
    error: str | bool | None = Field(None, description="What went wrong; anything but empty means failed.")
    prompt: str | None = Field(None, repr=False, description="Text; used for features and let go.")
    response: str | None = Field(None, repr=False, description="Text; used for features and let go.")
    embedding: Vector = Field(None, repr=False, description="Your own vector of the response.")
    prompt_embedding: Vector = Field(None, repr=False, description="Your own vector of the prompt.")
    scores: dict[str, Number] = Field({}, description="Your own scores of the response, by name.")
    labels: dict[str, str] = Field({}, description="Whatever else tells requests apart, by name.")


class Metric(Event):
    """One sample of one time series.

    Examples
    --------
    >>> Metric(name="vllm:kv_cache_usage_perc", value=0.93, at=1767225600.0).value
    0.93
    """

    name: str = Field(min_length=1, description="The name at the source.")
    value: Number = Field(description="As exposed: a counter is cumulative.")
    at: Instant = Field(description="When it was measured.")
    labels: dict[str, str] = Field({}, description="Its labels.")


class Marker(Event):
    """Something that people or a deploy system did.

    Examples
    --------
    >>> Marker(kind="deploy", text="v42", at=1767225600.0).kind
    'deploy'
    """

    kind: str = Field(min_length=1, description="deploy, config, restart, ...")
    text: str = Field("", description="What it says.")
    at: Instant = Field(description="When it happened.")
    labels: dict[str, str] = Field({}, description="What it concerns, such as a replica.")

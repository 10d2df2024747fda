"""Two chapters of the record: what the memory was like, and what the tokens cost; only what was measured is in them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from driftwatch.incidents.record import Record

Span = tuple[float, float]


class Reading(Record):
    """One series before the onset and since."""

    name: str = Field(description="Name of the series in the catalogue.")
    unit: str = ""
    before: float = Field(description="Median before the onset.")
    after: float = Field(description="Median since the onset.")
    worst: float = Field(description="The worst value since the onset.")


class Taker(Record):
    """Somebody who took more memory of a GPU since the onset; an engine takes its own when it starts."""

    who: str = Field(description="The program; empty where only the sum over all is measured.")
    where: dict[str, str] = Field(description="Labels of the GPU or the MIG slice.")
    before: float = Field(description="Bytes before the onset.")
    after: float = Field(description="Bytes since the onset, the median.")


class Paging(Record):
    """A busy GPU with a full memory that draws less power at the same clock: it waits for pages to move."""

    where: dict[str, str] = Field(description="Labels of the GPU.")
    utilization: float = Field(description="Share of the time that it was busy since the onset.")
    memory: float | None = Field(default=None, description="Share of its memory in use; None where not measured.")
    power: Span = Field(description="Watts while busy, before the onset and since.")
    tokens: Span | None = Field(default=None, description="Tokens a second of a running request, before and since.")


class Forecast(Record):
    """What grows steadily, and when it has run out if it goes on."""

    name: str = Field(description="Name of the series in the catalogue.")
    unit: str = ""
    now: float = Field(description="Its value at the end, noise left out.")
    limit: float = Field(description="Where it has run out.")
    per_hour: Span = Field(description="By how much it grows an hour, from the slowest to the fastest stretch.")
    runs_out_in_s: Span = Field(description="Seconds until then, at the fastest and at the slowest of these.")


class Memory(Record):
    """What the memory of engines, GPUs and hosts was like before the onset and since."""

    readings: tuple[Reading, ...] = ()
    kv_free: float | None = Field(
        default=None, description="Share of the KV cache that was free in all but 5% of the time since the onset."
    )
    kv_full: float | None = Field(default=None, description="Share of the time since the onset that it was 98% full.")
    capacity: float | None = Field(default=None, description="Tokens that the KV caches hold, all engines together.")
    asked: float | None = Field(
        default=None, description="Most tokens of requests that were under way at once since the onset."
    )
    preempted: float | None = Field(default=None, description="Preemptions since the onset.")
    recomputed: Span | None = Field(default=None, description="Tokens computed again because of them, least and most.")
    at_cap: float | None = Field(
        default=None,
        description="Share of the time since the onset that requests waited for a slot while the cache had room.",
    )
    takers: tuple[Taker, ...] = ()
    paging: tuple[Paging, ...] = ()
    forecasts: tuple[Forecast, ...] = ()


class Waste(Record):
    """Tokens that were generated or computed and are of no use."""

    what: Literal["recomputed", "aborted", "failed", "cut"] = Field(
        description="recomputed: after a preemption. aborted, failed: of answers nobody got. cut: of answers that "
        "ended at the token limit, which may be meant so."
    )
    before: Span = Field(description="Tokens a second before the onset, least and most.")
    after: Span = Field(description="Tokens a second since the onset, least and most.")


class Economics(Record):
    """What the tokens of all streams together cost, before the onset and since."""

    seconds: Span = Field(description="How long it was measured before the onset, and since.")
    generated: Span = Field(description="Output tokens a second of the answers that ended, before and since.")
    useful_before: Span = Field(description="Those of answers that were of use: without cut ones, and with them.")
    useful_after: Span
    wasted: tuple[Waste, ...] = ()
    gpus: float | None = Field(default=None, description="GPUs that serve; None where not known.")
    currency: str = ""
    cost_before: Span | None = Field(default=None, description="Of 1,000 useful tokens, least and most.")
    cost_after: Span | None = None

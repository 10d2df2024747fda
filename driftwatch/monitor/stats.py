"""How a monitor is doing: what it took, what it could not take, how far it is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Base: immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StreamStats(Record):
    """One stream."""

    name: str
    state: Literal["learning", "watching"]
    progress: float = Field(description="How far the learning is, 0 to 1.")
    requests: int = Field(description="Completed requests that were judged or learnt.")
    effective_ticks: float = Field(description="Independent ticks that its baseline is worth.")
    evidence: dict[str, float] = Field(
        default_factory=dict, description="log10 of the e-value against 'nothing changed', by signal."
    )


class Stats(Record):
    """All counts are since the monitor was made, or since the first of those whose state it took over."""

    state: Literal["learning", "watching"] = Field(description="watching: at least one stream is judged.")
    streams: tuple[StreamStats, ...] = ()
    threshold: float = Field(description="log10 of the e-value at which an alarm is raised.")
    shed: dict[str, int] = Field(default_factory=dict, description="Calls that were not taken, by reason.")
    quarantined: dict[str, int] = Field(default_factory=dict, description="Events that cannot be used, by reason.")
    late: int = Field(0, description="Requests that came after their tick was final.")
    duplicates: int = Field(0, description="Requests whose id had come already.")
    queue: int = Field(0, description="Calls that wait.")
    tick_lag_s: float | None = Field(None, description="From the end of the newest judged tick until now.")
    background_cpu_s: float = Field(0.0, description="CPU time of the background thread.")
    errors: int = Field(0, description="Faults of driftwatch itself that were caught.")
    last_error: str = Field("", description="The newest of them.")
    clock_jumps: int = Field(0, description="Times that the wall clock jumped.")
    clock_offset_s: float = Field(0.0, description="Seconds by which the monitor's time is ahead of the wall clock.")
    notes: tuple[str, ...] = ()

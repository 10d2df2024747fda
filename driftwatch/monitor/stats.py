"""How a monitor is doing: what it took, what it could not take, how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StreamStats(_Record):
    """One stream."""

    name: str
    state: Literal["learning", "watching"]
    progress: float = Field(description="How far the learning is, 0 to 1.")
    requests: int = Field(description="Completed requests.")
    effective_ticks: float = Field(description="Independent ticks that its baseline is worth.")
    evidence: Mapping[str, float] = Field(
        default_factory=dict, description="log10 of the e-value against 'nothing changed', by signal."
    )


class CollectorStats(_Record):
    """How a worker gets on with its collector."""

    pending: int = Field(description="Parcels that wait.")
    delivered: int = Field(description="Parcels that it took.")
    refused: int = Field(description="Parcels that it will never take.")
    dropped: int = Field(description="Parcels that were let go because too many waited.")
    samples_shed: int = Field(description="Samples of metrics that were let go because too many waited.")
    failing: bool = Field(description="Whether the newest attempt failed.")
    last_error: str


class Stats(_Record):
    """Counts are since the monitor was made; of streams and incidents, since the first whose state it took over."""

    state: Literal["learning", "watching"] = Field(description="watching: at least one stream is judged.")
    streams: tuple[StreamStats, ...] = ()
    threshold: float = Field(description="log10 of the e-value at which an alarm is raised.")
    incidents: Mapping[tuple[str, str], int] = Field(
        default_factory=dict, description="Incidents that were opened, by kind and severity."
    )
    shed: Mapping[str, int] = Field(default_factory=dict, description="Calls that were not taken, by reason.")
    quarantined: Mapping[str, int] = Field(default_factory=dict, description="Events that cannot be used, by reason.")
    late: int = Field(0, description="Requests that came after their tick was final.")
    duplicates: int = Field(0, description="Requests whose id had come already.")
    queue: int = Field(0, description="Calls that wait.")
    tick_lag_s: float | None = Field(None, description="From the end of the newest judged tick until now, in seconds.")
    background_cpu_s: float = Field(0.0, description="CPU time of the background thread, in seconds.")
    checkpoint_at: float | None = Field(None, description="When the newest checkpoint was written, since the epoch.")
    unwatched_s: float = Field(0.0, description="Seconds before this monitor began of which nothing is known.")
    faults: Mapping[str, int] = Field(
        default_factory=dict, description="Faults that were caught: reading, judging, outbox, checkpoint."
    )
    last_fault: str = Field("", description="The newest of them.")
    clock_jumps: int = Field(0, description="Times that the wall clock jumped.")
    clock_offset_s: float = Field(0.0, description="Seconds by which the monitor's time is ahead of the wall clock.")
    collector: CollectorStats | None = Field(None, description="In a worker: how the handing over goes.")
    notes: tuple[str, ...] = ()

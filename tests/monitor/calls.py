"""Batches as the calls that serving code would have made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import driftwatch as dw
from driftwatch.events.columns import Requests


def calls_of(batch: Requests) -> Iterator[dict[str, Any]]:
    """The rows of a batch as keywords."""
    columns = {
        "completed_at": batch.completed_at,
        "prompt_tokens": batch.prompt_tokens,
        "output_tokens": batch.output_tokens,
        "ttft": batch.ttft,
        "latency": batch.latency,
        "itl_mean": batch.itl,
    }
    lists = {name: values.tolist() for name, values in columns.items()}
    labels = {name: column.to_list() for name, column in batch.labels.items()}
    finish, ids = batch.finish_reason.to_list(), batch.id_hash.tolist()
    for k in range(len(batch)):
        yield {
            "request_id": f"r{ids[k]}",
            "finish_reason": finish[k],
            **{name: values[k] for name, values in (lists | labels).items()},
        }


class Clock:
    """A clock that stands where the last call was made."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tell(monitor: dw.Monitor, batch: Requests, every: int = 1000, clock: Clock | None = None) -> None:
    """Tell a monitor of all requests of a batch, and flush it now and then."""
    for k, call in enumerate(calls_of(batch), 1):
        if clock is not None:
            clock.now = call["completed_at"]
        monitor.request(**call)
        if not k % every:
            monitor.flush()
    monitor.flush()

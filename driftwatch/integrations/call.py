"""One call of a model, from its start to its end, whoever watches it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from time import perf_counter, time, time_ns
from typing import Any

from driftwatch.integrations.guest import Receiver
from driftwatch.integrations.wire import Answer

_count = count(1)
_SERVICES_FAULT = (408, 429)
"""Of the statuses below 500, those that are no mistake of the client's."""


class Call:
    """Measures one call and tells a monitor of its start and its end.

    Parameters
    ----------
    monitor
        Who is told.
    known
        What is known before it begins, of ``model``, ``route``, ``tenant``, ``labels``; it is the call's own from here.
    text
        Keep what was answered.

    Attributes
    ----------
    answer
        What the answer says, filled by the caller.
    began
        Its start, in seconds of the performance counter.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> call = Call(SimpleNamespace(request=lambda **row: print(row["model"], row["status"])), {"model": "m"})
    >>> call.end(status=200)
    m 200
    """

    __slots__ = ("answer", "at", "began", "ended", "known", "monitor")

    def __init__(self, monitor: Receiver, known: dict[str, Any], *, text: bool = False) -> None:
        self.began, self.at = perf_counter(), time()
        self.monitor, self.answer, self.known, self.ended = monitor, Answer(text), known, False
        # not the client's own id: one that is sent again when a request is retried would pass for a duplicate
        known["request_id"] = f"{_process}{next(_count)}"

    def start(self) -> None:
        """Tell that it is in flight."""
        self.monitor.started(**self.known, at=self.at)

    def end(self, **outcome: Any) -> None:
        """Tell how it went, once; ``outcome`` wins over what the answer says."""
        if not self.ended:
            self.monitor.request(**self.row(outcome))

    def row(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """How it went, as the fields of `driftwatch.Monitor.request`: it has ended now."""
        self.ended = True
        latency = perf_counter() - self.began
        known, answer = self.known, self.answer
        found = answer.measured()
        row = known | found
        for name, value in outcome.items():
            row[name] = value
            if value is None:
                del row[name]
        if model := known.get("model") or answer.model:
            row["model"] = model
        row["labels"] = {**known.get("labels", {}), **found.get("labels", {})}
        if answer.first_at is not None:
            row["ttft"] = answer.first_at - self.began
        row["started_at"], row["completed_at"], row["latency"] = self.at, self.at + latency, latency
        if "error" in row and is_clients_fault(row.get("status")):
            del row["error"]
        return row


def _begin() -> None:
    """Names of calls begin differently in each process."""
    global _process
    _process = f"{time_ns():x}-{os.getpid():x}-"


_process = ""
_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


def is_clients_fault(status: Any) -> bool:
    """Whether a status means that the service did nothing wrong.

    Examples
    --------
    >>> is_clients_fault(400), is_clients_fault(429), is_clients_fault(500)
    (True, False, False)
    """
    return isinstance(status, int) and 400 <= status < 500 and status not in _SERVICES_FAULT

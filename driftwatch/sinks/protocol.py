"""What a destination is: something that takes letters. What is kept, retried and ordered is the outbox's business."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from driftwatch.incidents.models import Incident
from driftwatch.sinks.wire import Egress, Request, Response, post

Memory = dict[str, str]
"""What a sink wants to know again about an incident, such as the id of a message; no secrets."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One transition of an incident, on its way.

    Parameters
    ----------
    incident
        The record.
    memory
        What the sink remembered when the transition before it was delivered.
    """

    incident: Incident
    memory: Mapping[str, str] = field(default_factory=dict)


class Sink(ABC):
    """A destination.

    Parameters
    ----------
    name
        What it is called in the outbox, in metrics and in logs: it must stay the same between runs.

    Attributes
    ----------
    most : int
        Incidents that fit in one message; more than one are a digest.
    every : bool
        Whether every update matters, or only the newest of those that wait. Opening and resolving always matter.
    """

    most: int = 1
    every: bool = True

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """Deliver letters of different incidents in one message; return what to remember of each.

        Raises
        ------
        DeliveryError
            If they were not taken.
        """

    def again_s(self, incident: Incident, now: datetime) -> float | None:
        """Seconds after which a delivered transition is to be sent again; None where once is enough."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"


class HttpSink(Sink):
    """A destination that is told by one HTTP request."""

    def __init__(self, name: str, egress: Egress) -> None:
        super().__init__(name)
        self.egress = egress

    @abstractmethod
    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """What to send: depends on nothing but the letters, the time, and the settings."""

    def learn(self, letters: Sequence[Letter], response: Response) -> list[Memory]:
        """What to remember of each letter, after the reply."""
        return [dict(letter.memory) for letter in letters]

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """Send the request."""
        return self.learn(letters, post(self.request(letters, now), self.egress))

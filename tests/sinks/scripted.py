"""A destination of the caller's own that fails as it is told, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from driftwatch.errors import DeliveryError
from driftwatch.sinks import Letter, Memory, Sink


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Scripted(Sink):
    """Writes down what it takes; ``fate`` decides over each message: None takes it, an error refuses it."""

    def __init__(
        self,
        name: str = "scripted",
        fate: Callable[[Sequence[Letter]], Exception | None] = lambda letters: None,
        *,
        most: int = 1,
        every: bool = True,
        again_s: float | None = None,
    ) -> None:
        super().__init__(name)
        self.fate, self.most, self.every, self.repeat = fate, most, every, again_s
        self.taken: list[tuple[str, int]] = []
        self.messages: list[list[tuple[str, int]]] = []
        self.memories: list[dict[str, str]] = []

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        if (error := self.fate(letters)) is not None:
            raise error
        keys = [(letter.incident.id, letter.incident.seq) for letter in letters]
        self.messages.append(keys)
        self.taken += keys
        self.memories += [dict(letter.memory) for letter in letters]
        return [{"seen": str(letter.incident.seq)} for letter in letters]

    def again_s(self, incident, now: datetime) -> float | None:
        return self.repeat


def down(reason: str = "server", **more: object) -> Callable[[Sequence[Letter]], Exception]:
    """Never takes anything."""
    return lambda letters: DeliveryError(reason, "as told", **more)

"""What serving code leaves for the background thread: one append a call, bounded, without a lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import count
from threading import Lock
from typing import Any, Literal

Kind = Literal["request", "started", "metric", "marker"]
Call = tuple[Kind, float, Mapping[str, Any]]
"""What was called, when by the caller's clock, and with what."""


HEAVY = frozenset({"prompt", "response", "embedding", "prompt_embedding"})
"""Keywords whose values may be large."""


def _weight(value: Any) -> int:
    try:
        return len(value) if isinstance(value, str) else 8 * len(value)
    except Exception:  # whatever a caller's object raises when it is looked at
        return 0


class Tally:
    """A count that many threads add to without a lock: ``next`` of a counter is one step of the interpreter.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add()
    >>> tally.value(), tally.value()
    (1, 1)
    """

    def __init__(self) -> None:
        self._counter, self._looks = count(), 0
        self._looking = Lock()

    def add(self) -> None:
        """One more."""
        next(self._counter)

    def value(self) -> int:
        """How many there were."""
        with self._looking:
            value = next(self._counter) - self._looks  # to look is to count once
            self._looks += 1
        return value


class Handoff:
    """A queue of calls that many threads add to and one takes from.

    An append to a ``deque`` is one step of the interpreter, so callers never wait for each other or for the thread that
    empties it. What comes while it is full is shed, and counted.

    Parameters
    ----------
    limit
        Calls that wait at most.

    Examples
    --------
    >>> queue = Handoff(limit=1)
    >>> queue.calls.append(("request", 0.0, {"ttft": 0.4}))
    >>> queue.refuse()
    >>> len(queue.take(10)), queue.shed()
    (1, {'queue full': 1})
    """

    def __init__(self, limit: int) -> None:
        self.calls: deque[Call] = deque()
        self.limit = limit
        self.full, self.wrong, self.closed, self.heavy = Tally(), Tally(), Tally(), Tally()
        self.weight = 0

    def close(self) -> None:
        """Refuse everything from now on."""
        self.limit = -1

    def refuse(self, wrong: object = None) -> None:
        """Count a call that was not taken.

        Parameters
        ----------
        wrong
            Anything, if it was not made as it should be.
        """
        (self.wrong if wrong else self.closed if self.limit < 0 else self.full).add()

    def lighten(self, fields: dict[str, Any], room: int) -> None:
        """Take texts and vectors out of a call, and count it, where those that wait weigh too much together.

        The weight is only about right where threads add to it at once; it is put right whenever the queue is empty.

        Parameters
        ----------
        fields
            The keywords of the call.
        room
            Characters, and eighths of numbers, that may wait.
        """
        given = [name for name in HEAVY if name in fields]
        weight = sum(_weight(fields[name]) for name in given)
        if self.weight + weight <= room:
            self.weight += weight
            return
        for name in given:
            del fields[name]
        self.heavy.add()

    def take(self, most: int) -> list[Call]:
        """Take the oldest calls out."""
        taken = [self.calls.popleft() for _ in range(min(most, len(self.calls)))]
        if not self.calls:
            self.weight = 0
        return taken

    def shed(self) -> dict[str, int]:
        """Calls that were refused, by reason."""
        tallies = {"queue full": self.full, "wrong arguments": self.wrong, "closed": self.closed, "texts": self.heavy}
        return {reason: n for reason, tally in tallies.items() if (n := tally.value())}

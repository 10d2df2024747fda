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
        self.full, self.wrong, self.closed = Tally(), Tally(), Tally()

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

    def take(self, most: int) -> list[Call]:
        """Take the oldest calls out."""
        return [self.calls.popleft() for _ in range(min(most, len(self.calls)))]

    def shed(self) -> dict[str, int]:
        """Calls that were refused, by reason."""
        tallies = {"queue full": self.full, "wrong arguments": self.wrong, "closed": self.closed}
        return {reason: n for reason, tally in tallies.items() if (n := tally.value())}

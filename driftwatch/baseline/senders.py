"""What sets one sender's requests apart: a mix of senders that moves is not a change of the service.

Of each sender short prompts and long ones are told apart: a first question is not like the tenth of a conversation.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from driftwatch.statistics.buckets import CELLS, Floats, Ints

PLACES = ("replica", "finish_reason")
"""Labels of a segment that say where a request went or how it ended, not whose it was."""
_CELLS = 8  # workload cells of prompt lengths that are one: two octaves
_FEWEST = 20.0  # requests of a kind without which nothing is said of it
_PULL = 5.0  # a kind counts for itself as far as it has more requests than this


def sender_of(where: Mapping[str, str]) -> str:
    """Whose requests a segment holds.

    Examples
    --------
    >>> sender_of({"tenant": "chat", "replica": "a"})
    'tenant=chat'
    """
    return ",".join(f"{label}={value}" for label, value in where.items() if label not in PLACES)


@dataclass(slots=True)
class Senders:
    """By how much requests of each kind lie above what the workload explains, of one signal.

    A kind is a sender and a range of prompt lengths.

    Parameters
    ----------
    name
        The sender of a segment's number.
    seen
        By kind (a hash): requests, and the sum of their residuals.
    level
        By kind: the mean of its residuals, as of the last `settle`.

    Examples
    --------
    >>> senders = Senders(lambda number: ("chat", "batch")[number])
    >>> prompt = np.array([40, 40])
    >>> senders.learn(np.array([0, 1]), prompt, np.array([0.5, -0.5]), np.array([95.0, 10.0]))
    >>> senders.settle()
    >>> senders.levels(np.array([0, 1]), prompt).tolist()
    [0.475, nan]
    """

    name: Callable[[int], str]
    seen: dict[int, tuple[float, float]] = field(default_factory=dict)
    level: dict[int, float] = field(default_factory=dict)

    STATE: ClassVar = ("seen", "level")

    def levels(self, segment: Ints, prompt: Ints) -> Floats:
        """The level of each row's kind, shape (n,); NaN where too little is known of it.

        Parameters
        ----------
        segment, prompt
            Shape (n,): segment numbers, and workload cells of the prompt.
        """
        kinds, row = self._kinds(segment, prompt)
        return np.array([self.level.get(kind, np.nan) for kind in kinds])[row]

    def learn(self, segment: Ints, prompt: Ints, residual: Floats, count: Floats) -> None:
        """Add requests up; takes effect at the next `settle`."""
        kinds, row = self._kinds(segment, prompt)
        requests, total = np.bincount(row, count), np.bincount(row, count * residual)
        for kind, more, sum_ in zip(kinds, requests.tolist(), total.tolist(), strict=True):
            before = self.seen.get(kind, (0.0, 0.0))
            self.seen[kind] = (before[0] + more, before[1] + sum_)

    def settle(self) -> None:
        """Find the levels again."""
        self.level = {key: total / (n + _PULL) for key, (n, total) in self.seen.items() if n >= _FEWEST}

    def _kinds(self, segment: Ints, prompt: Ints) -> tuple[list[int], Ints]:
        """The kinds that there are, as hashes, and which one each row is of."""
        found, row = np.unique(segment * CELLS + prompt // _CELLS, return_inverse=True)
        return [zlib.crc32(f"{self.name(k // CELLS)}|{k % CELLS}".encode()) for k in found.tolist()], row

    def array(self) -> Floats:
        """All of it, shape (kinds, 3)."""
        return np.array([(key, *sums) for key, sums in sorted(self.seen.items())], np.float64).reshape(-1, 3)

    def restore(self, array: Floats) -> None:
        """The inverse of `array`."""
        self.seen = {int(key): (n, total) for key, n, total in array.tolist()}
        self.settle()

"""What a live source is, and how it is doing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from driftwatch.errors import DriftwatchError
from driftwatch.events.columns import Batch, Metrics, SeriesKey


class SourceError(DriftwatchError):
    """A source could not be read this time; the message says why, and holds nothing of its content."""


class Source(Protocol):
    """Something that is read again and again."""

    name: str
    every_s: float

    def read(self, at: float) -> Iterable[Batch | None]:
        """What is new at this time, in seconds since the epoch; None where nothing but its own state has changed.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        ...

    def failed(self, at: float) -> Iterable[Batch | None]:
        """What a failure tells: that a target is down."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


@dataclass(slots=True)
class Health:
    """How a source is doing.

    Attributes
    ----------
    reads, failures, overdue
        Readings that went well, that failed, and that were left out because the one before had not come back.
    rows
        Samples or requests that it gave.
    last_error
        Why the newest failure was one; empty after a reading that went well.
    last_read_at
        Time of the newest good reading, in seconds since the epoch.
    took_s
        How long that took, in seconds.
    """

    reads: int = 0
    failures: int = 0
    overdue: int = 0
    rows: int = 0
    last_error: str = ""
    last_read_at: float | None = None
    took_s: float = 0.0

    @property
    def up(self) -> bool:
        """Whether the newest reading went well."""
        return self.last_read_at is not None and not self.last_error


@dataclass(slots=True)
class Samples:
    """Gathers samples of one moment.

    Examples
    --------
    >>> samples = Samples(10.0, {"host": "a"})
    >>> samples.add("node_load1", 0.5)
    >>> samples.batch().keys[0].labels
    (('host', 'a'),)
    """

    at: float
    labels: Mapping[str, str]
    keys: list[SeriesKey] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, name: str, value: float, labels: Mapping[str, str] | None = None, kind: str = "gauge") -> None:
        """One sample."""
        self.keys.append(SeriesKey(name, tuple(sorted({**self.labels, **(labels or {})}.items())), kind))
        self.values.append(float(value))

    def batch(self) -> Metrics:
        """All of them."""
        n = len(self.keys)
        return Metrics(np.full(n, self.at), np.arange(n, dtype=np.int32), np.array(self.values), tuple(self.keys))

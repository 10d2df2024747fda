"""Batches of events as columns: what readers produce and everything else consumes.

A batch is never changed once made; every array of one batch has the same length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.texts import Answers, Texts, join_answers, join_texts
from driftwatch.state import saved

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@saved
@dataclass(frozen=True, slots=True)
class Coded:
    """A column of strings, each stored once.

    Parameters
    ----------
    codes
        Shape (n,): the position of each row's string in ``values``; -1 where there is none.
    values
        The distinct strings.

    Examples
    --------
    >>> column = Coded.of(["a", None, "b", "a"])
    >>> column.codes.tolist(), column.values
    ([0, -1, 1, 0], ('a', 'b'))
    """

    codes: Codes
    values: tuple[str, ...]

    @classmethod
    def of(cls, strings: Iterable[str | None]) -> Self:
        """Code a column of strings (None is missing)."""
        position: dict[str, int] = {}
        codes = [-1 if s is None else position.setdefault(s, len(position)) for s in strings]
        return cls(np.asarray(codes, np.int32), tuple(position))

    @classmethod
    def constant(cls, value: str | None, n: int) -> Self:
        """The same string n times (or n times none)."""
        if value is None:
            return cls(np.full(n, -1, np.int32), ())
        return cls(np.zeros(n, np.int32), (value,))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[Any] | slice) -> Coded:
        """Keep these rows (indices, a mask or a slice)."""
        return Coded(self.codes[rows], self.values)

    def to_list(self) -> list[str | None]:
        """Back to strings."""
        lookup = np.asarray([*self.values, None], dtype=object)
        return list(lookup[self.codes])

    def equals(self, value: str) -> NDArray[np.bool_]:
        """Where the column has this string."""
        if value not in self.values:
            return np.zeros(len(self), np.bool_)
        return np.asarray(self.codes == self.values.index(value))


def concat_coded(parts: Sequence[Coded]) -> Coded:
    """Join columns whose strings are numbered differently."""
    position: dict[str, int] = {}
    codes = []
    for part in parts:
        lookup = np.asarray([position.setdefault(v, len(position)) for v in part.values] + [-1], np.int32)
        codes.append(lookup[part.codes])
    return Coded(np.concatenate(codes) if codes else np.empty(0, np.int32), tuple(position))


@saved
@dataclass(frozen=True, slots=True)
class Requests:
    """Completed (or lost, or running) requests, a row each.

    Times are seconds since the epoch, UTC; durations are seconds; token counts are whole numbers
    kept as floats so that NaN can mean "not measured". A row with no ``completed_at`` is in flight.

    Parameters
    ----------
    started_at, completed_at
        Shape (n,): seconds since the epoch, NaN where unknown.
    prompt_tokens, output_tokens, cached_tokens
        Shape (n,): tokens, NaN where unknown.
    ttft, latency, itl, queue_time
        Shape (n,): seconds; ``itl`` is the mean gap between output tokens of the request.
    id_hash
        Shape (n,): a 64-bit hash of the request id, 0 where there is none.
    finish_reason, labels
        Strings. ``labels`` has ``model``, ``route``, ``tenant``, ``replica`` and whatever else the source had.
    failed
        Shape (n,): True where the request ended in an error (status >= 500, or an error was given).
    scores
        By name, shape (n,): scores of the responses that the caller brought, NaN where there is none.
    texts
        What they say, until it is read; None where there is no text.
    answers
        What was read off it.
    """

    started_at: Floats
    completed_at: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    cached_tokens: Floats
    ttft: Floats
    latency: Floats
    itl: Floats
    queue_time: Floats
    id_hash: NDArray[np.uint64]
    failed: NDArray[np.bool_]
    finish_reason: Coded
    labels: Mapping[str, Coded] = field(default_factory=dict)
    scores: Mapping[str, Floats] = field(default_factory=dict)
    texts: Texts | None = None
    answers: Answers | None = None

    def __len__(self) -> int:
        return len(self.completed_at)

    def __repr__(self) -> str:
        return f"Requests({len(self)} rows, labels {', '.join(self.labels) or 'none'})"

    def take(self, rows: NDArray[Any] | slice) -> Requests:
        """Keep these rows (indices, a mask or a slice)."""
        kept: dict[str, Any] = {name: getattr(self, name)[rows] for name in (*NUMBERS, "id_hash", "failed")}
        labels = {name: column.take(rows) for name, column in self.labels.items()}
        scores = {name: column[rows] for name, column in self.scores.items()}
        said = {name: part.take(rows) for name in ("texts", "answers") if (part := getattr(self, name)) is not None}
        return replace(self, **kept, finish_reason=self.finish_reason.take(rows), labels=labels, scores=scores, **said)

    @property
    def at(self) -> Floats:
        """Event time: completion, or start for a request in flight."""
        return np.where(np.isnan(self.completed_at), self.started_at, self.completed_at)


NUMBERS: tuple[str, ...] = tuple(f.name for f in fields(Requests)[:9])
"""The numeric columns of `Requests`, in order."""


def requests_of(n: int, **columns: Any) -> Requests:
    """Make a batch of n rows from the columns at hand; the others are missing.

    Examples
    --------
    >>> batch = requests_of(2, completed_at=np.array([10.0, 11.0]), ttft=np.array([0.1, 0.2]))
    >>> len(batch), bool(np.isnan(batch.latency).all())
    (2, True)
    """
    numbers: dict[str, Any] = {name: np.asarray(columns.pop(name, np.full(n, np.nan)), np.float64) for name in NUMBERS}
    return Requests(
        **numbers,
        id_hash=np.asarray(columns.pop("id_hash", np.zeros(n)), np.uint64),
        failed=np.asarray(columns.pop("failed", np.zeros(n)), np.bool_),
        finish_reason=columns.pop("finish_reason", Coded.constant(None, n)),
        **columns,
    )


def concat_requests(parts: Sequence[Requests]) -> Requests:
    """Join batches, in order."""
    n = sum(map(len, parts))
    names = list(dict.fromkeys(name for part in parts for name in part.labels))
    labels = {name: concat_coded([p.labels.get(name, Coded.constant(None, len(p))) for p in parts]) for name in names}
    plain = (*NUMBERS, "id_hash", "failed")
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in plain if parts}
    finish = concat_coded([p.finish_reason for p in parts])
    judged = dict.fromkeys(name for part in parts for name in part.scores)
    return requests_of(
        n,
        **joined,
        finish_reason=finish,
        labels=labels,
        scores={name: np.concatenate([p.scores.get(name, np.full(len(p), np.nan)) for p in parts]) for name in judged},
        texts=join_texts([(p.texts, len(p)) for p in parts]),
        answers=join_answers([(p.answers, len(p)) for p in parts]),
    )


@saved
@dataclass(frozen=True, slots=True)
class SeriesKey:
    """One time series as its source names it.

    Parameters
    ----------
    name
        The name in the source, such as ``vllm:num_preemptions_total``.
    labels
        Its labels, sorted by name.
    kind
        What the source says it is: ``gauge``, ``counter``, ``histogram`` or ``""`` (the catalogue decides then).
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    kind: str = ""


@saved
@dataclass(frozen=True, slots=True)
class Metrics:
    """Samples of time series, a row each.

    Parameters
    ----------
    at
        Shape (n,): seconds since the epoch.
    series
        Shape (n,): the position of each sample's series in ``keys``.
    value
        Shape (n,): as exposed (a counter is still cumulative).
    keys
        The series.
    """

    at: Floats
    series: Codes
    value: Floats
    keys: tuple[SeriesKey, ...]

    def __len__(self) -> int:
        return len(self.at)


@saved
@dataclass(frozen=True, slots=True)
class Markers:
    """Things that people or deploy systems did: roll-outs, config changes, restarts.

    Parameters
    ----------
    at
        Shape (n,): seconds since the epoch.
    kind, text
        Length n: ``deploy``, ``config``, ``restart``, ... and what it says.
    labels
        Length n: labels of each marker.
    """

    at: Floats
    kind: tuple[str, ...]
    text: tuple[str, ...]
    labels: tuple[Mapping[str, str], ...]

    def __len__(self) -> int:
        return len(self.at)


Batch = Requests | Metrics | Markers

"""The answers of ticks: a row each, so that evidence can go by the answer, in an order that no cut changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Requests
from driftwatch.events.texts import Answers, join_answers
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints

_MICRO = 1e6  # of a second: times are told apart by so much
_SCORE = 2.0**20  # fixed point of scores
_UNSCORED = np.iinfo(np.int64).min


@saved
@dataclass(frozen=True, slots=True)
class Answered:
    """Answers of all streams: rows are sorted by tick, then stream, then the moment of completion, then the request.

    Parameters
    ----------
    tick, stream, segment
        Shape (n,): keys.
    moment
        Shape (n,): when it was complete, in microseconds since the epoch.
    id_hash
        Shape (n,), uint64: of the request id; 0 where there is none.
    prompt_tokens, output_tokens
        Shape (n,): -1 where not known.
    said
        What was read off their texts; None where none has a text.
    scores
        By name, shape (n,): scores in fixed point; the smallest integer where there is none.
    """

    tick: Ints
    stream: Ints
    segment: Ints
    moment: Ints
    id_hash: NDArray[np.uint64]
    prompt_tokens: Ints
    output_tokens: Ints
    said: Answers | None = None
    scores: Mapping[str, Ints] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tick)

    def take(self, rows: NDArray[Any] | slice) -> Answered:
        """Keep these rows."""
        return Answered(
            **{name: getattr(self, name)[rows] for name in KEYS},
            said=None if self.said is None else self.said.take(rows),
            scores={name: column[rows] for name, column in self.scores.items()},
        )

    def of_stream(self, stream: int) -> Answered:
        """The part that belongs to one stream."""
        return self.take(self.stream == stream) if len(self) else self

    def between(self, first: int, last: int) -> Answered:
        """The part in these ticks, both included (rows are sorted by tick)."""
        return self.take(slice(*np.searchsorted(self.tick, [first, last + 1]))) if len(self) else self

    def score(self, name: str) -> Floats:
        """One score, shape (n,); NaN where there is none."""
        column = self.scores.get(name, np.full(len(self), _UNSCORED))
        return np.where(column == _UNSCORED, np.nan, column / _SCORE)


KEYS = ("tick", "stream", "segment", "moment", "id_hash", "prompt_tokens", "output_tokens")
"""The columns that every answer has, in order."""
_NO = np.empty(0, np.int64)
_NOTHING = Answered(_NO, _NO, _NO, _NO, np.empty(0, np.uint64), _NO, _NO)


def no_answers() -> Answered:
    """No answers at all."""
    return _NOTHING


def answered_of(rows: Requests, tick: Ints, stream: Ints, segment: Ints) -> Answered:
    """The answers of requests that are complete, with their keys; requests that say nothing are left out."""
    known = np.zeros(len(rows), np.bool_) if rows.answers is None else rows.answers.read()
    for column in rows.scores.values():
        known = known | np.isfinite(column)
    if not known.any():
        return _NOTHING
    kept = np.flatnonzero(known)
    prompt, output = (np.where(np.isnan(t), -1, t)[kept] for t in (rows.prompt_tokens, rows.output_tokens))
    return in_canonical_order(
        Answered(
            tick=tick[kept],
            stream=stream[kept],
            segment=segment[kept],
            moment=np.rint(rows.completed_at[kept] * _MICRO).astype(np.int64),
            id_hash=rows.id_hash[kept],
            prompt_tokens=prompt.astype(np.int64),
            output_tokens=output.astype(np.int64),
            said=None if rows.answers is None else rows.answers.take(kept),
            scores={name: _fixed(column[kept]) for name, column in rows.scores.items()},
        )
    )


def _fixed(scores: Floats) -> Ints:
    known = np.isfinite(scores)
    bounded = np.clip(np.where(known, scores, 0.0) * _SCORE, -(2.0**62), 2.0**62)
    return np.where(known, np.rint(bounded).astype(np.int64), _UNSCORED)


def join_answered(parts: Sequence[Answered]) -> Answered:
    """Answers of several parts as one, in order; a union loses nothing, so that merging is exact."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else _NOTHING
    names = dict.fromkeys(name for part in parts for name in part.scores)
    return in_canonical_order(
        Answered(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in KEYS},
            said=join_answers([(part.said, len(part)) for part in parts]),
            scores={
                name: np.concatenate([p.scores.get(name, np.full(len(p), _UNSCORED)) for p in parts]) for name in names
            },
        )
    )


def in_canonical_order(answered: Answered) -> Answered:
    """The same rows in the order that `Answered` promises; what is equal in all keys goes by what was said."""
    keys = [answered.id_hash, answered.moment, answered.stream, answered.tick]
    if answered.said is not None:
        keys = [*answered.said.features.T, answered.said.prompt_hash, *keys]
    order = np.lexsort(keys)
    return answered if (np.diff(order) == 1).all() else answered.take(order)


def without(answered: Answered) -> Answered:
    """The same keys without what was said."""
    return replace(answered, said=None, scores={})

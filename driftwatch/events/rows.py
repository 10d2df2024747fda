"""From what was measured to what can be said: completing a row's times and durations, and whether it failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import NUMBERS, Coded, Floats, Requests, requests_of
from driftwatch.events.identity import hash_strings
from driftwatch.events.names import FAILURES, FINISH_REASONS
from driftwatch.events.texts import Texts

if TYPE_CHECKING:
    from driftwatch.events.records import Request

CLOCK_S = 1e-3
"""Clocks are read one after the other: an end this much before its start is no contradiction, in seconds."""
_FALSE = frozenset({"", "0", "false", "none", "null", "[]", "{}", "nan"})


def complete(numbers: dict[str, Floats]) -> dict[str, Floats]:
    """Fill in what follows from the rest: times, ``latency``, ``ttft`` and ``itl``.

    Parameters
    ----------
    numbers
        The columns of `NUMBERS`, and ``first_token_at`` if there is one; each of shape (n,), NaN where unknown.

    Examples
    --------
    >>> row = {name: np.array([np.nan]) for name in NUMBERS}
    >>> row |= {"started_at": np.array([10.0]), "completed_at": np.array([12.5]), "ttft": np.array([0.5])}
    >>> row |= {"output_tokens": np.array([5.0])}
    >>> done = complete(row)
    >>> done["latency"].item(), done["itl"].item()
    (2.5, 0.5)
    """
    n = dict(numbers)
    first = n.pop("first_token_at", None)
    elapsed = n["completed_at"] - n["started_at"]
    n["latency"] = _first_known(n["latency"], np.where((elapsed < 0) & (elapsed >= -CLOCK_S), 0.0, elapsed))
    n["completed_at"] = _first_known(n["completed_at"], n["started_at"] + n["latency"])
    n["started_at"] = _first_known(n["started_at"], n["completed_at"] - n["latency"])
    if first is not None:
        n["ttft"] = _first_known(n["ttft"], first - n["started_at"])
    gaps = np.where(n["output_tokens"] > 1, n["output_tokens"] - 1, np.nan)
    itl = (n["latency"] - n["ttft"]) / gaps
    n["itl"] = _first_known(n["itl"], np.where(itl >= 0, itl, np.nan))
    return n


def failed(status: Floats, words: Coded, error: Coded, finish: Coded) -> NDArray[np.bool_]:
    """Which requests ended in an error, each argument of length n.

    Parameters
    ----------
    status
        HTTP status, NaN where there is none.
    words
        A status in words, such as ``failure``.
    error
        What went wrong; any text counts.
    finish
        The finish reason.
    """
    bad = np.array([v.lower() in FAILURES for v in words.values] + [False])[words.codes]
    return np.asarray((status >= 500) | bad | (error.codes >= 0) | finish.equals("error"), np.bool_)


def errors(column: Coded) -> Coded:
    """What went wrong, without what says in words that nothing did.

    Examples
    --------
    >>> errors(Coded.of(["None", "out of memory", None])).codes.tolist()
    [-1, 1, -1]
    """
    real = np.array([v.strip().lower() not in _FALSE for v in column.values] + [False])[column.codes]
    return Coded(np.where(real, column.codes, -1).astype(np.int32), column.values)


def finish_reasons(column: Coded) -> Coded:
    """The finish reasons of several vendors in one vocabulary.

    Examples
    --------
    >>> finish_reasons(Coded.of(["max_tokens", "length", "end_turn"])).to_list()
    ['length', 'length', 'stop']
    """
    ours = [FINISH_REASONS.get(v.lower().rpartition(".")[2], v) for v in column.values]
    distinct = {v: i for i, v in enumerate(dict.fromkeys(ours))}
    return Coded(np.array([distinct[v] for v in ours] + [-1], np.int32)[column.codes], tuple(distinct))


def requests_from(records: Sequence[Request]) -> Requests:
    """Turn checked records into columns.

    Examples
    --------
    >>> from driftwatch.events import Request
    >>> batch = requests_from([Request(model="m", started_at=1.0, latency=2.0)])
    >>> batch.completed_at.tolist(), batch.labels["model"].to_list()
    ([3.0], ['m'])
    """
    fields = {"itl": "itl_mean"}
    numbers = {name: np.array([getattr(r, fields.get(name, name)) for r in records], np.float64) for name in NUMBERS}
    finish = finish_reasons(Coded.of(r.finish_reason or None for r in records))
    status = np.array([r.status if isinstance(r.status, int) else np.nan for r in records], np.float64)
    words = Coded.of(r.status if isinstance(r.status, str) else None for r in records)
    error = Coded.of(str(r.error) if r.error else None for r in records)
    names = dict.fromkeys(["model", "route", "tenant", "replica", *(name for r in records for name in r.labels)])
    columns = {name: Coded.of(getattr(r, name, None) or r.labels.get(name) or None for r in records) for name in names}
    return requests_of(
        len(records),
        **complete(numbers),
        id_hash=hash_strings(r.request_id for r in records),
        failed=failed(status, words, error, finish),
        finish_reason=finish,
        labels={name: column for name, column in columns.items() if column.values},
        scores=_scores(records),
        texts=_texts(records),
    )


def _scores(records: Sequence[Request]) -> dict[str, Floats]:
    names = dict.fromkeys(name for r in records for name in r.scores)
    return {name: np.array([r.scores.get(name, np.nan) for r in records], np.float64) for name in names}


def _texts(records: Sequence[Request]) -> Texts | None:
    """What they say; None where they say nothing."""
    texts = Texts.of(
        len(records),
        prompt=[r.prompt for r in records],
        response=[r.response for r in records],
        prompt_vector=[r.prompt_embedding for r in records],
        response_vector=[r.embedding for r in records],
        name=[r.request_id for r in records],
    )
    return None if texts.silent else texts


def _first_known(known: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isnan(known), otherwise, known)

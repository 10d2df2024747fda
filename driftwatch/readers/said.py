"""What requests say, from anybody's columns: strings, chat messages, vectors and scores. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from driftwatch._optional import load
from driftwatch.events.columns import Floats
from driftwatch.events.texts import Objects, Texts, objects, text_of
from driftwatch.readers.values import numbers

pa = load("pyarrow", "batch")

TEXTS = {
    "prompt": "prompt",
    "response": "response",
    "prompt_embedding": "prompt_vector",
    "embedding": "response_vector",
}
"""Fields of a request that are text or vectors, and what they are called once read."""


def texts_of(columns: Mapping[str, Sequence[Any]], names: Any, n: int) -> Texts | None:
    """Texts and vectors of n rows; None where there are none.

    Parameters
    ----------
    columns
        By field, Arrow columns, the preferred one first.
    names
        The Arrow column of request ids, or None.
    """
    if not columns or all(column.null_count == n for several in columns.values() for column in several):
        return None
    read = {
        TEXTS[name]: _coalesced([_texts(c) if name in ("prompt", "response") else _vectors(c) for c in several])
        for name, several in columns.items()
    }
    return Texts.of(n, **read, name=None if names is None else names.to_pylist())


def _coalesced(columns: Sequence[Objects]) -> Objects:
    found = columns[0]
    for column in columns[1:]:
        found = np.where([value is None for value in found], column, found)
    return found


def _texts(column: Any) -> Objects:
    return objects(text_of(value) for value in column.to_pylist())


def _vectors(column: Any) -> Objects:
    """Vectors as arrays of one axis, or whatever was there instead; strings are read as JSON."""
    if not (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        return objects(_vector(value) for value in column.to_pylist())
    return objects(None if row is None else np.asarray(row) for row in column.to_numpy(zero_copy_only=False))


def _vector(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return "not a list of numbers"


def scores_of(columns: Mapping[str, Any]) -> tuple[dict[str, Floats], int]:
    """Scores by name, and how many values are no numbers.

    Parameters
    ----------
    columns
        Arrow columns by name of the score.
    """
    found: dict[str, Floats] = {}
    wrong = 0
    for name, column in columns.items():
        values, bad = numbers(column)
        found[name] = np.where(np.isfinite(values), values, np.nan)
        wrong += int(bad.sum() + np.isinf(values).sum())
    return {name: values for name, values in found.items() if np.isfinite(values).any()}, wrong

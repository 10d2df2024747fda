"""What every format becomes first: Arrow columns, and where each row was. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftwatch._optional import load
from driftwatch.events.names import FIELDS, field_of

pa = load("pyarrow", "batch")

ROWS = 131_072
"""Most rows of a chunk that did not come from text."""

Keep = Callable[[str], bool]
"""Whether a column is worth reading, by its name."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one source.

    Parameters
    ----------
    columns
        Arrow arrays by name, all of length n; the levels of nested objects are joined by dots.
    n
        Rows.
    lines
        Gives the n line numbers (or row numbers), counted from 1; called only when a row is bad.
    """

    columns: Mapping[str, Any]
    n: int
    lines: Callable[[], Sequence[int]]


def range_of(first: int, n: int) -> Callable[[], Sequence[int]]:
    """Numbers of n rows that follow one another."""
    return lambda: range(first, first + n)


def chunk_of(batch: Any, lines: Callable[[], Sequence[int]]) -> Chunk:
    """A record batch or a table as a chunk."""
    columns: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        columns.update(_flat(name, whole))
    return Chunk(columns, batch.num_rows, lines)


def _flat(name: str, column: Any) -> Iterator[tuple[str, Any]]:
    """Open up nested objects; arrays of strings take their first value's place as they are."""
    if not pa.types.is_struct(column.type):
        yield name, column
        return
    for field, child in zip(column.type, column.flatten(), strict=True):
        yield from _flat(f"{name}.{field.name}", child)


def chunk_of_rows(rows: Sequence[Mapping[str, Any]], lines: Sequence[int], keep: Keep) -> Chunk:
    """Rows as Python objects: the slow way in, which can hold anything."""
    values: dict[str, list[Any]] = {}
    for i, row in enumerate(rows):
        for name, value in _leaves("", row, keep):
            column = values.setdefault(name, [])
            column.extend([None] * (i - len(column)))
            column.append(value)
    for column in values.values():
        column.extend([None] * (len(rows) - len(column)))
    return Chunk({name: _array(column) for name, column in values.items()}, len(rows), lambda: lines)


def _leaves(prefix: str, row: Mapping[str, Any], keep: Keep) -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(f"{name}.", value, keep)
        elif keep(name):
            yield name, value.isoformat() if isinstance(value, datetime) else value


def is_text(name: str) -> bool:
    """Whether a column holds text or vectors, by its name: those are not read here."""
    mapped = field_of(name)
    return mapped is not None and FIELDS[mapped.field] == "text"


def _array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        return pa.array([_written(v) for v in values], pa.string())


def _written(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):  # lone surrogates are no characters: U+FFFD stands for them
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(value.item() if hasattr(value, "item") else value, default=str)

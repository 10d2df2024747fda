"""Data frames, by way of the Arrow stream that pandas, polars and Arrow itself offer, and plain rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import InputError
from driftwatch.readers.chunk import ROWS, Chunk, Keep, chunk_of, chunk_of_rows, range_of

pa = load("pyarrow", "batch")

_ROWS_AT_ONCE = 8192


def is_frame(source: Any) -> bool:
    """Whether this shows its columns as Arrow does."""
    return hasattr(source, "__arrow_c_stream__") or isinstance(source, pa.RecordBatch)


def read_frame(frame: Any, keep: Keep) -> Iterator[Chunk]:
    """Read a data frame, a table or a stream of record batches."""
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    try:
        reader = pa.RecordBatchReader.from_stream(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        if not hasattr(frame, "iloc"):
            raise
        yield from read_rows(_rows_of(frame), "", keep)  # pandas columns of mixed types
        return
    kept = list(dict.fromkeys(f.name for f in reader.schema if keep(f.name) or pa.types.is_struct(f.type)))
    row = 1
    for batch in reader:
        for start in range(0, batch.num_rows, ROWS):
            part = batch.select(kept).slice(start, ROWS)
            yield chunk_of(part, range_of(row, part.num_rows))
            row += part.num_rows


def _rows_of(frame: Any) -> Iterator[dict[str, Any]]:
    for start in range(0, len(frame), _ROWS_AT_ONCE):
        yield from frame.iloc[start : start + _ROWS_AT_ONCE].to_dict("records")


def read_rows(rows: Iterable[Mapping[str, Any]], name: str, keep: Keep) -> Iterator[Chunk]:
    """Read rows that are mappings.

    Raises
    ------
    InputError
        If one is anything else.
    """
    first, remaining = 1, iter(rows)
    while some := list(islice(remaining, _ROWS_AT_ONCE)):
        for row in some:
            if not isinstance(row, Mapping):
                raise InputError(f"a row is a {type(row).__name__}; it should be a dict or a Request", source=name)
        yield chunk_of_rows(some, range(first, first + len(some)), keep)
        first += len(some)

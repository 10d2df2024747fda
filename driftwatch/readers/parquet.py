"""Parquet: only the columns that are needed, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import InputError
from driftwatch.events.names import field_of
from driftwatch.readers.chunk import ROWS, Chunk, Keep, chunk_of, range_of
from driftwatch.readers.sources import Reading

pa, parquet = load("pyarrow", "batch"), load("pyarrow.parquet", "batch")

_FEWEST = 1024


def read(path: Path, reading: Reading, keep: Keep) -> Iterator[Chunk]:
    """Read a Parquet file.

    Raises
    ------
    InputError
        If it is not one, or is damaged.
    """
    try:
        schema = parquet.read_schema(path)
        with parquet.ParquetFile(path, read_dictionary=_repetitive(schema), pre_buffer=False) as file:
            yield from _batches(
                file, [f.name for f in schema if keep(f.name) or pa.types.is_struct(f.type)], path, reading
            )
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"not a readable Parquet file ({error})", source=str(path)) from error


def _batches(file: Any, columns: list[str], path: Path, reading: Reading) -> Iterator[Chunk]:
    row, rows, size = 1, max(file.metadata.num_rows, 1), path.stat().st_size
    most = min(max(reading.block // 64, _FEWEST), ROWS)
    for batch in file.iter_batches(most, columns=columns, use_threads=False):
        reading.advance(size * batch.num_rows // rows)
        yield chunk_of(batch, range_of(row, batch.num_rows))
        row += batch.num_rows


def _repetitive(schema: Any) -> list[str]:
    """String columns that are likely to hold few distinct values: those arrive coded."""
    strings = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    return [name for name in strings if not ((m := field_of(name)) and m.field in ("request_id", "error"))]

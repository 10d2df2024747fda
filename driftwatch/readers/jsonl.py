"""JSON lines: Arrow parses a block at once; one that it refuses goes line by line, so only broken lines are lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import InputError
from driftwatch.readers.chunk import Chunk, Keep, chunk_of, chunk_of_rows
from driftwatch.readers.lines import Block, blocks
from driftwatch.readers.sources import Reading

pa, arrow_json = load("pyarrow", "batch"), load("pyarrow.json", "batch")

_MOST_COLUMNS = 500  # keys that are data, not names, would make the schema grow without end


@dataclass(slots=True)
class _Types:
    """What is known of the columns: with it Arrow need not guess, which is faster, and strings stay strings."""

    schema: Any = field(default_factory=lambda: pa.schema([]))

    def learn(self, seen: Any) -> None:
        known = pa.schema([f.with_type(_plain(f.type)) for f in seen if not pa.types.is_null(f.type)])
        merged = pa.unify_schemas([self.schema, known], promote_options="permissive")
        self.schema = merged if len(merged) <= _MOST_COLUMNS else pa.schema([])


class LineParser:
    """Turns blocks of lines of one source into chunks.

    Parameters
    ----------
    source
        What messages call it.
    reading
        Where broken lines are counted.
    keep
        For the slow way in: which columns are worth reading.
    """

    def __init__(self, source: str, reading: Reading, keep: Keep) -> None:
        self.source, self.reading, self.keep = source, reading, keep
        self._types = _Types()

    def chunk(self, block: Block) -> Chunk:
        """Parse some lines."""
        return _at_once(block, self._types) or _line_by_line(block, self.source, self.reading, self.keep)


def read(path: Path, reading: Reading, keep: Keep) -> Iterator[Chunk]:
    """Read a file of one JSON object a line; ``keep`` is for formats that can leave columns out.

    Raises
    ------
    InputError
        If it is one JSON array.
    """
    parser = LineParser(str(path), reading, keep)
    for block in blocks(path, reading):
        if block.line == 1 and block.data.lstrip()[:1] == b"[":
            raise InputError("a JSON array; write one object a line instead (jq -c '.[]')", source=str(path))
        yield parser.chunk(block)


def _at_once(block: Block, types: _Types) -> Chunk | None:
    if not (block.data.isascii() or _is_utf8(block.data)):
        return None
    table = _parsed(block.data, types.schema)
    if table is None and len(types.schema):
        table = _parsed(block.data, pa.schema([]))
    if table is not None and any(_plain(f.type) != f.type for f in table.schema):
        types.learn(table.schema)
        table = _parsed(block.data, types.schema)
    if table is None:
        return None
    types.learn(table.schema)
    if table.num_rows == block.rows:
        return chunk_of(table, lambda: range(block.line, block.line + table.num_rows))
    lines = [line for line, _ in block.lines()]
    return chunk_of(table, lambda: lines) if table.num_rows == len(lines) else None


def _parsed(data: bytes, schema: Any) -> Any:
    read_options = arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1)
    parse_options = arrow_json.ParseOptions(explicit_schema=schema if len(schema) else None)
    try:
        return arrow_json.read_json(pa.BufferReader(data), read_options, parse_options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _plain(kind: Any) -> Any:
    """A type as JSON has it: Arrow takes some strings for times, and knows only some ways to write one."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([f.with_type(_plain(f.type)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line_by_line(block: Block, source: str, reading: Reading, keep: Keep) -> Chunk:
    rows, lines = [], []
    for line, text in block.lines():
        try:
            row = json.loads(text)
        except UnicodeDecodeError:
            reading.quarantine.add(source, "not UTF-8", line)
        except (ValueError, RecursionError):
            reading.quarantine.add(source, "not JSON", line)
        else:
            if isinstance(row, dict):
                rows.append(row)
                lines.append(line)
            else:
                reading.quarantine.add(source, "not a JSON object", line)
    return chunk_of_rows(rows, lines, keep)

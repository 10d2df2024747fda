"""CSV: every cell is read as a string, in blocks that end where no quote is open; a broken row is quarantined."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from driftwatch._optional import load
from driftwatch.readers.chunk import Chunk, Keep, chunk_of
from driftwatch.readers.lines import Block, blocks
from driftwatch.readers.sources import Reading

pa, arrow_csv = load("pyarrow", "batch"), load("pyarrow.csv", "batch")

_QUOTE, _NEWLINE = ord('"'), ord("\n")


@dataclass(frozen=True, slots=True)
class _Table:
    """What a header says."""

    names: list[str]
    delimiter: str
    kept: list[str] = field(default_factory=list)


def read(path: Path, reading: Reading, keep: Keep) -> Iterator[Chunk]:
    """Read a CSV file with a header, separated by comma, semicolon or tab."""
    table: _Table | None = None
    for block in _balanced(path, reading):
        if table is None:
            header, _, rest = block.data.partition(b"\n")
            table = _header(header.decode(errors="replace"), keep)
            block = Block(rest, block.line + 1)
        if block.data.strip():
            yield from _rows(block, table, path, reading)


def _header(line: str, keep: Keep) -> _Table:
    delimiter = max(",;\t", key=line.count)
    cells = next(csv.reader([line.strip("\r")], delimiter=delimiter), [])
    names: list[str] = []
    for i, cell in enumerate(cells, 1):
        name = cell.strip()
        names.append(name if name and name not in names else f"{name}#{i}")
    return _Table(names, delimiter, [name for name in names if keep(name)])


def _balanced(path: Path, reading: Reading) -> Iterator[Block]:
    """Blocks in which every quote is closed. A quote that stays open for too long costs its own line only."""
    held = Block(b"", 1)
    for block in blocks(path, reading):
        held = Block(held.data + block.data, held.line if held.data else block.line)
        cut = _last_closed(held.data)
        if cut:
            yield Block(held.data[:cut], held.line)
            held = Block(held.data[cut:], held.line + held.data.count(b"\n", 0, cut))
        while len(held.data) > reading.config.input.max_line_bytes:
            held = _without_first_line(held, path, reading)
    while held.data:
        cut = _last_closed(held.data)
        if not cut:
            held = _without_first_line(held, path, reading)
            continue
        yield Block(held.data[:cut], held.line)
        held = Block(held.data[cut:], held.line + held.data.count(b"\n", 0, cut))


def _last_closed(data: bytes) -> int:
    """Where the last line ends at which no quote is open."""
    end, quotes = len(data), data.count(b'"')
    while quotes % 2:
        previous = data.rfind(b"\n", 0, data.rfind(b'"', 0, end)) + 1
        quotes -= data.count(b'"', previous, end)
        end = previous
    return end


def _without_first_line(block: Block, path: Path, reading: Reading) -> Block:
    reading.quarantine.add(str(path), "a quote that is not closed", block.line)
    return Block(block.data.partition(b"\n")[2], block.line + 1)


def _rows(block: Block, table: _Table, path: Path, reading: Reading) -> Iterator[Chunk]:
    bad: list[Any] = []
    parsed = _parsed(block.data, table, bad)
    if parsed is None:  # not UTF-8 somewhere
        yield from _utf8_rows(block, table, path, reading)
        return
    skipped = [row.number - 1 for row in bad]
    yield chunk_of(parsed, lambda: np.delete(_first_lines(block.data, block.line), skipped).tolist())
    if not bad:
        return
    lines = _first_lines(block.data, block.line)
    for row in bad:
        line = int(lines[row.number - 1])
        what = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        reading.quarantine.add(str(path), what, line)
        swallowed = row.text.partition("\n")[2]
        if swallowed.strip():
            yield from _rows(Block(swallowed.encode(), line + 1), table, path, reading)


def _parsed(data: bytes, table: _Table, bad: list[Any]) -> Any:
    def skip(row: Any) -> str:
        bad.append(row)
        return "skip"

    try:
        return arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=table.names),
            arrow_csv.ParseOptions(
                delimiter=table.delimiter, newlines_in_values=b'"' in data, invalid_row_handler=skip
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(table.names, pa.string()),
                include_columns=table.kept,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _utf8_rows(block: Block, table: _Table, path: Path, reading: Reading) -> Iterator[Chunk]:
    good = []
    for line, text in block.lines():
        try:
            text.decode()
            good.append(text)
        except UnicodeDecodeError:
            reading.quarantine.add(str(path), "not UTF-8", line)
    if len(good) < len(block):
        yield from _rows(Block(b"\n".join(good) + b"\n", block.line), table, path, reading)


def _first_lines(data: bytes, line: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The line at which each row begins: a newline between quotes ends no row."""
    text = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    closed = np.cumsum(text == _QUOTE)[ends] % 2 == 0
    begins = np.concatenate(([0], ends[:-1] + 1))
    first = np.concatenate(([True], closed[:-1]))
    blank = first & closed & ((ends == begins) | ((ends == begins + 1) & (text[begins] == ord("\r"))))
    return np.flatnonzero(first & ~blank) + line


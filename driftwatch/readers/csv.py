"""CSV: every cell is read as a string, in blocks that end where no quote is open; a broken row is quarantined."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch._optional import load
from driftwatch.events.names import FIELDS, field_of
from driftwatch.readers.chunk import Chunk, Keep, chunk_of
from driftwatch.readers.lines import Block, blocks
from driftwatch.readers.sources import Reading

pa, pc, arrow_csv = load("pyarrow", "batch"), load("pyarrow.compute", "batch"), load("pyarrow.csv", "batch")

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
    if parsed is None:
        yield from _utf8_rows(block, table, path, reading)
        return
    swallowing = _swallowing(parsed, table) if b'"' in block.data else np.zeros(parsed.num_rows, np.bool_)
    good = parsed.filter(pa.array(~swallowing)) if swallowing.any() else parsed
    begins = _Begins(block, [row.number - 1 for row in bad], np.flatnonzero(swallowing))
    yield chunk_of(good, begins.of_good_rows)
    for row in bad:
        what = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        reading.quarantine.add(str(path), what, begins.line(row.number - 1))
        yield from _rest_of(begins.block(row.number - 1), table, path, reading)
    for number in begins.swallowing:
        reading.quarantine.add(str(path), "a quote that is not closed", begins.line(number))
        yield from _rest_of(begins.block(number), table, path, reading)


def _rest_of(block: Block, table: _Table, path: Path, reading: Reading) -> Iterator[Chunk]:
    """The lines after the first of a bad row: an open quote may have swallowed good ones."""
    rest = block.data.partition(b"\n")[2]
    if rest.strip():
        yield from _rows(Block(rest, block.line + 1), table, path, reading)


def _swallowing(parsed: Any, table: _Table) -> NDArray[np.bool_]:
    """Rows with a line break where a number should be: a quote was left open, and closed rows later."""
    found = np.zeros(parsed.num_rows, np.bool_)
    for name in table.kept:
        mapped = field_of(name)
        if mapped is not None and FIELDS[mapped.field] in ("time", "duration", "tokens"):
            broken = pc.fill_null(pc.match_substring(parsed[name], "\n"), False)
            found |= np.asarray(broken.to_numpy(), np.bool_)
    return found


class _Begins:
    """Where the rows of a block begin; worked out only when somebody asks, which is when a row is bad."""

    def __init__(self, block: Block, bad: list[int], swallowing: NDArray[np.int64]) -> None:
        self._block = block
        self._bad = bad
        self._good = swallowing

    @cached_property
    def _lines(self) -> NDArray[np.int64]:
        return _first_lines(self._block.data, self._block.line)

    @cached_property
    def swallowing(self) -> list[int]:
        """Positions, among all rows, of those that parsed and are bad all the same."""
        return np.delete(np.arange(len(self._lines)), self._bad)[self._good].tolist() if len(self._good) else []

    def of_good_rows(self) -> list[int]:
        """The first line of each row that was parsed."""
        return np.delete(self._lines, [*self._bad, *self.swallowing]).tolist()

    def line(self, row: int) -> int:
        """The first line of a row."""
        return int(self._lines[row])

    def block(self, row: int) -> Block:
        """The lines of a row."""
        begin, end = self.line(row), int(self._lines[row + 1]) if row + 1 < len(self._lines) else None
        texts = self._block.data.split(b"\n")
        last = None if end is None else end - self._block.line
        return Block(b"\n".join(texts[begin - self._block.line : last]) + b"\n", begin)


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
    if len(good) < block.rows:
        yield from _rows(Block(b"\n".join(good) + b"\n", block.line), table, path, reading)


def _first_lines(data: bytes, line: int) -> NDArray[np.int64]:
    """The line at which each row begins: a newline between quotes ends no row."""
    text = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    closed = np.cumsum(text == _QUOTE)[ends] % 2 == 0
    begins = np.concatenate(([0], ends[:-1] + 1))
    first = np.concatenate(([True], closed[:-1]))
    blank = first & closed & ((ends == begins) | ((ends == begins + 1) & (text[begins] == ord("\r"))))
    return np.flatnonzero(first & ~blank) + line

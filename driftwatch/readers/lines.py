"""Whole lines from a stream of bytes, many at a time, with their numbers; a line that is too long fills no memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from driftwatch.readers.sources import Reading, pieces

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Some whole lines.

    Parameters
    ----------
    data
        The lines, each with its newline (the last of a file may lack it).
    line
        The number of the first, counted from 1.
    """

    data: bytes
    line: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line that is not blank, with its number."""
        for i, text in enumerate(self.data.split(b"\n")):
            if text.strip():
                yield self.line + i, text

    @cached_property
    def rows(self) -> int:
        """How many lines there are, blank ones too."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))


def blocks(path: Path, reading: Reading) -> Iterator[Block]:
    """Cut a text file into blocks of whole lines.

    A line of more than ``input.max_line_bytes`` is quarantined, and skipped as it is read.
    """
    limit = reading.config.input.max_line_bytes
    rest, line, lost = b"", 1, False
    for data in _gathered(pieces(path, reading), reading.block):
        if lost:
            _, newline, data = data.partition(b"\n")
            lost, line = not newline, line + len(newline)
        end = data.rfind(b"\n") + 1
        if end:
            block = Block(rest + data[:end], line)
            yield from _short_lines(block, path, reading)
            line, rest = line + block.rows, b""
        rest = b"" if lost else rest + data[end:]
        if len(rest) > limit:
            _too_long(path, line, reading)
            rest, lost = b"", True
    if rest:
        yield from _short_lines(Block(rest, line), path, reading)


def _gathered(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Join small pieces; the first loses its byte order mark."""
    held, length, first = [], 0, True
    for part in parts:
        held.append(part.removeprefix(_BYTE_ORDER_MARK) if first else part)
        length, first = length + len(part), False
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    yield b"".join(held)


def _short_lines(block: Block, path: Path, reading: Reading) -> Iterator[Block]:
    """The block without the lines that are too long: such a line covers a multiple of the limit."""
    data, limit, start = block.data, reading.config.input.max_line_bytes, 0
    for probe in range(limit, len(data), limit):
        begin = data.rfind(b"\n", start, max(probe, start)) + 1 or start
        end = data.find(b"\n", probe)
        end = len(data) if end < 0 else end
        if probe < start or end - begin <= limit:
            continue
        if begin > start:
            yield Block(data[start:begin], block.line + data.count(b"\n", 0, start))
        _too_long(path, block.line + data.count(b"\n", 0, begin), reading)
        start = end + 1
    if not start:
        yield block
    elif start < len(data):
        yield Block(data[start:], block.line + data.count(b"\n", 0, start))


def _too_long(path: Path, line: int, reading: Reading) -> None:
    limit = reading.config.input.max_line_bytes
    reading.quarantine.add(str(path), f"longer than {limit} bytes (input.max_line_bytes)", line)

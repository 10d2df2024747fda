"""Logs that are followed: of requests, and of markers. Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from driftwatch.config import Config
from driftwatch.errors import DriftwatchError
from driftwatch.events.columns import Batch, Requests
from driftwatch.live.settings import Log
from driftwatch.live.source import SourceError
from driftwatch.readers import Quarantine, read_markers
from driftwatch.readers.lines import Block
from driftwatch.readers.tail import Tail

_MARKERS_EVERY_S = 1.0

Parse = Callable[[Block], Batch | None]
"""Some lines as a batch; None where there is nothing in them."""


class Followed:
    """One log.

    Parameters
    ----------
    name
        Its path.
    every_s
        It is looked at this often, in seconds.
    tail
        Where it is read.
    parse
        What its lines mean.

    Attributes
    ----------
    offset, more
        Where it stands after the batch that was given last, and whether there is more to be read at once: to be told
        to the monitor with that batch (`driftwatch.Monitor.feed`).
    """

    def __init__(self, name: str, every_s: float, tail: Tail, parse: Parse) -> None:
        self.name, self.every_s, self._tail, self._parse = name, every_s, tail, parse
        self.offset: Mapping[str, Any] = tail.offset
        self.more = True  # until it was looked at, there may be

    def read(self, at: float) -> Iterator[Batch | None]:
        """What was written since, in order; a part without rows too, for the offset has moved."""
        try:
            blocks = self._tail.blocks()
            block = next(blocks, None)
            if block is None and self.more:
                self.more = False
                yield None
            while block is not None:
                offset, batch = self._tail.offset, self._parse(block)
                block = next(blocks, None)
                self.offset, self.more = offset, block is not None
                yield batch
        except DriftwatchError as error:
            raise SourceError(str(error)) from None

    def failed(self, at: float) -> Iterable[Batch | None]:
        """Time passes all the same."""
        self.more = False
        return [None]

    def close(self) -> None:
        """Let the file go."""
        self._tail.close()


def request_log(log: Log, config: Config, quarantine: Quarantine, offset: Mapping[str, Any] | None) -> Followed:
    """Follow a request log.

    Raises
    ------
    MissingExtra
        If pyarrow is not installed.
    InputError
        If there is something else in its place.
    """
    from driftwatch.readers.chunk import is_text  # needs pyarrow
    from driftwatch.readers.convert import Converter
    from driftwatch.readers.jsonl import LineParser
    from driftwatch.readers.sources import Reading

    own = config.input.fields
    parser = LineParser(log.path, Reading(config, quarantine), lambda column: column in own or not is_text(column))
    converter = Converter(config, quarantine, log.path)

    def parse(block: Block) -> Requests | None:
        chunk = parser.chunk(block)
        return converter.convert(chunk) if chunk.n else None

    tail = _tail(log.path, config, quarantine, offset, from_start=log.from_start)
    return Followed(log.path, log.every_s, tail, parse)


def marker_log(path: str, config: Config, quarantine: Quarantine, offset: Mapping[str, Any] | None) -> Followed:
    """Follow a file of markers, one JSON object a line.

    Raises
    ------
    InputError
        If there is something else in its place.
    """

    def parse(block: Block) -> Batch | None:
        rows = [row for line, text in block.lines() if (row := _row(text, path, line, quarantine)) is not None]
        return read_markers(rows, config, quarantine) if rows else None

    return Followed(path, _MARKERS_EVERY_S, _tail(path, config, quarantine, offset, from_start=False), parse)


def _row(text: bytes, path: str, line: int, quarantine: Quarantine) -> dict[str, Any] | None:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict):
        return row
    quarantine.add(path, "not a JSON object", line)
    return None


def _tail(
    path: str, config: Config, quarantine: Quarantine, offset: Mapping[str, Any] | None, *, from_start: bool
) -> Tail:
    longest = config.input.max_line_bytes
    return Tail(path, offset, from_start=from_start, longest=longest, note=quarantine.note)

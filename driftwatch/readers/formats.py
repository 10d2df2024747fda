"""Which reader a file needs: by its suffix, or by what it begins with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.readers import csv, frames, jsonl, parquet
from driftwatch.readers.chunk import Chunk, Keep
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.sources import BLOCK, Progress, Reading, beginning, is_path, paths_of, sizes, suffix_of

Format = Literal["jsonl", "csv", "parquet", "text"]

READERS = {"jsonl": jsonl.read, "csv": csv.read, "parquet": parquet.read}
"""One function for each table format: ``read(path, reading, keep) -> chunks``."""

_SUFFIXES: dict[str, Format] = {
    **dict.fromkeys((".jsonl", ".json", ".ndjson"), "jsonl"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".om", ".prom", ".openmetrics"), "text"),
}
_SAMPLE = re.compile(rb"^(#\s|[a-zA-Z_:][\w:]*(\{.*\})?\s+[^\s,;]+(\s+[^\s,;]+)?\s*$)")
_ALL_BLOCKS = 128 << 20  # bytes that the readers of many files may hold together
_LEAST_BLOCK = 256 << 10


def format_of(path: Path, reading: Reading) -> Format:
    """The format of a file.

    Raises
    ------
    InputError
        If it is empty.
    """
    known = _SUFFIXES.get(suffix_of(path))
    start = beginning(path, reading, 4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise InputError("the file is empty", source=str(path))
    if known:
        return known
    if start.startswith(b"PAR1"):
        return "parquet"
    if start[:1] in b"{[":
        return "jsonl"
    return "text" if _SAMPLE.match(start.partition(b"\n")[0]) else "csv"


def chunks(item: Any, name: str, reading: Reading, keep: Keep) -> Iterator[Chunk]:
    """The rows of a file, a data frame or an iterable of mappings."""
    if is_path(item):
        kind = format_of(item, reading)
        if kind == "text":
            raise InputError("this is metrics text, not a table", source=str(item))
        return READERS[kind](item, reading, keep)
    return frames.read_frame(item, keep) if frames.is_frame(item) else frames.read_rows(item, name, keep)


def items_of(source: Any, what: str) -> dict[str, Any]:
    """What a source consists of: paths, data frames, and iterators of rows or batches, by what messages call them.

    Parameters
    ----------
    source
        A path, a glob, a folder, a data frame, an iterable of rows or batches, or a list of any of those.
    what
        ``requests``, ``metrics`` or ``markers``.

    Raises
    ------
    InputError
        If there is no such file, or nothing in it.
    """
    items = _items(source, what)
    several = len(items) > 1
    return {_name_of(item, f" {i}" if several else ""): item for i, item in enumerate(items, 1)}


def _items(source: Any, what: str) -> list[Any]:
    if is_path(source):
        return list(paths_of(source, what))
    if frames.is_frame(source):
        return [source]
    if isinstance(source, dict) or not hasattr(source, "__iter__"):
        kind = type(source).__name__
        raise InputError(f"a {kind} is neither a path, nor a data frame, nor an iterable of rows", source=what)
    rows = iter(source)
    first = next(rows, None)
    if first is None:
        raise InputError("it holds no rows", source=what)
    if is_path(first) or frames.is_frame(first) or _is_several(first):
        return [item for part in (first, *rows) for item in _items(part, what)]
    return [chain([first], rows)]


def _is_several(item: Any) -> bool:
    """Whether it holds rows or batches, and is none itself."""
    return isinstance(item, list | tuple | Iterator)


def _name_of(item: Any, number: str) -> str:
    return str(item) if is_path(item) else ("rows" if isinstance(item, chain) else type(item).__name__) + number


def reading_of(items: Collection[Any], config: Config, quarantine: Quarantine, progress: Progress | None) -> Reading:
    """The settings for these items: the more files, the less of each is held."""
    block = int(np.clip(_ALL_BLOCKS // max(len(items), 1), _LEAST_BLOCK, BLOCK))
    return Reading(config, quarantine, progress, block, total=sizes(item for item in items if is_path(item)))

"""Requests from anything that holds them, in batches, near the order of time. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events.columns import Requests
from driftwatch.events.records import Request
from driftwatch.events.rows import requests_from
from driftwatch.readers.chunk import is_text
from driftwatch.readers.convert import Converter
from driftwatch.readers.formats import chunks, items_of, reading_of
from driftwatch.readers.merge import merge
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.sources import Progress, Reading, is_path

_ROWS_AT_ONCE = 8192


def read(source: Any, config: Config, quarantine: Quarantine, progress: Progress | None) -> Iterator[Requests]:
    """See `driftwatch.readers.read_requests`."""
    if isinstance(source, Requests):
        source = [source]
    items = items_of(source, "requests")
    reading = reading_of(items.values(), config, quarantine, progress)
    if len(items) == 1:
        yield from _batches(*next(iter(items.items())), reading)
        return
    begins = [_begin(name, item, reading) for name, item in items.items()]
    yield from merge([_batches(name, item, reading, among_others=True) for name, item in items.items()], begins)


def _batches(name: str, item: Any, reading: Reading, *, among_others: bool = False) -> Iterator[Requests]:
    if isinstance(item, chain):
        first = next(item)
        item = chain([first], item)
        if isinstance(first, Requests):
            yield from item
            return
        if isinstance(first, Request):
            yield from _from_records(item)
            return
    if among_others and is_path(item) and not item.stat().st_size:
        reading.quarantine.note(f"{name}: the file is empty")
        return
    converter = Converter(reading.config, reading.quarantine, name)
    own, reads = reading.config.input.fields, reading.config.text.read
    for chunk in chunks(item, name, reading, lambda column: column in own or reads or not is_text(column)):
        batch = converter.convert(chunk)
        if len(batch):
            yield batch
    reading.quarantine.close(name)


def _from_records(records: Iterable[Request]) -> Iterator[Requests]:
    remaining = iter(records)
    while some := list(islice(remaining, _ROWS_AT_ONCE)):
        yield requests_from(some)


def _begin(name: str, item: Any, reading: Reading) -> float:
    """Near when a file begins, from its first rows; what cannot be told is read from the start."""
    if not is_path(item):
        return -np.inf
    peeking = reading.peeking()
    try:
        first = next(_batches(name, item, peeking, among_others=True), None)
    except InputError:
        return -np.inf
    return -np.inf if first is None else float(np.min(first.at))

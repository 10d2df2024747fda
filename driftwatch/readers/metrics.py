"""Metrics from anything that holds them, in batches. Needs pyarrow for tables, and nothing for text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events.columns import Metrics
from driftwatch.events.records import Metric
from driftwatch.readers import openmetrics
from driftwatch.readers.formats import chunks, format_of, items_of, reading_of
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.series import SeriesTable
from driftwatch.readers.sources import Progress, Reading, is_path
from driftwatch.readers.tables import TableParser


def read(source: Any, config: Config, quarantine: Quarantine, progress: Progress | None) -> Iterator[Metrics]:
    """See `driftwatch.readers.read_metrics`."""
    if isinstance(source, Metrics):
        source = [source]
    items = items_of(source, "metrics")
    reading = reading_of(items.values(), config, quarantine, progress)
    begins = {name: _begin(name, item, reading) if len(items) > 1 else 0.0 for name, item in items.items()}
    for name in sorted(items, key=lambda name: begins[name]):
        yield from _batches(name, items[name], reading)


def _batches(name: str, item: Any, reading: Reading) -> Iterator[Metrics]:
    if isinstance(item, chain):
        first = next(item)
        item = chain([first], item)
        if isinstance(first, Metrics):
            yield from item
            return
        if isinstance(first, Metric):
            item = chain({"t": m.at, "name": m.name, "value": m.value, "labels": m.labels} for m in item)
    known = 0
    table = SeriesTable(reading.config, reading.quarantine, name)
    if is_path(item) and format_of(item, reading) == "text":
        parts = openmetrics.read(item, reading, table)
    else:
        parser = TableParser(reading.config, reading.quarantine, name, table)
        parts = (parser.parse(chunk) for chunk in chunks(item, name, reading, lambda column: True) if chunk.n)
    for part in parts:
        known += len(part)
        if len(part):
            yield part
    reading.quarantine.close(name)
    if not known:
        reading.quarantine.note(f"{name}: no series that driftwatch knows (name yours in input.series)")


def _begin(name: str, item: Any, reading: Reading) -> float:
    if not is_path(item):
        return -np.inf
    try:
        first = next(_batches(name, item, reading.peeking()), None)
    except InputError:
        return -np.inf
    return -np.inf if first is None else float(np.min(first.at))

"""Markers: few rows, checked one by one. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events.columns import Coded, Markers
from driftwatch.events.records import Marker
from driftwatch.readers.checks import check_time_unit
from driftwatch.readers.chunk import Chunk
from driftwatch.readers.convert import names_of
from driftwatch.readers.formats import chunks, items_of, reading_of
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.sources import Progress, is_path
from driftwatch.readers.values import coded, times

_TIME = ("t", "at", "time", "timestamp", "ts", "date")
_KIND = ("kind", "type", "event")
_TEXT = ("text", "message", "description", "title", "name")


def read(source: Any, config: Config, quarantine: Quarantine, progress: Progress | None) -> Markers:
    """See `driftwatch.readers.read_markers`."""
    if isinstance(source, Markers):
        return source
    rows: list[tuple[float, str, str, Mapping[str, str]]] = []
    items = _items(source)
    reading = reading_of(items.values(), config, quarantine, progress)
    for name, item in items.items():
        for chunk in chunks(item, name, reading, lambda column: True):
            rows += _rows(chunk, config, quarantine, name)
        quarantine.close(name)
    rows.sort(key=lambda row: row[0])
    at = np.array([row[0] for row in rows], np.float64)
    return Markers(at, tuple(r[1] for r in rows), tuple(r[2] for r in rows), tuple(r[3] for r in rows))


def _items(source: Any) -> dict[str, Any]:
    """The sources that hold anything: no markers is fine."""
    if isinstance(source, list | tuple) and not source:
        return {}
    items = items_of(source, "markers")
    filled = {name: item for name, item in items.items() if not is_path(item) or item.stat().st_size}
    return {name: _plain(item) if isinstance(item, chain) else item for name, item in filled.items()}


def _plain(rows: Any) -> Any:
    return chain(row.model_dump() if isinstance(row, Marker) else row for row in rows)


def _rows(chunk: Chunk, config: Config, quarantine: Quarantine, source: str) -> list[Any]:
    if not chunk.n:
        return []
    columns = {config.input.fields.get(name, name): column for name, column in chunk.columns.items()}
    time = next((name for name in _TIME if name in columns), None)
    if time is None:
        raise InputError(f"no column holds a time (t); the columns are: {names_of(list(columns))}", source=source)
    at, _, naive = times(columns[time], config.input.time_unit)
    check_time_unit(at, time, config.input.time_unit, source)
    if naive:
        quarantine.note(f"{source}: '{time}' has times without a zone; they are taken as UTC")
    kind, text = _words(columns, _KIND, chunk.n), _words(columns, _TEXT, chunk.n)
    named = {n.removeprefix("labels."): coded(c) for n, c in columns.items() if n.startswith("labels.")}
    labels = {n: c.to_list() for n, c in named.items() if c is not None}
    good = np.isfinite(at)
    if not good.all():
        lines = chunk.lines()
        quarantine.add_all(source, "no time", (lines[int(i)] for i in np.flatnonzero(~good)), count=int((~good).sum()))
    quarantine.count(source, int(good.sum()))
    return [
        (float(at[i]), kind[i] or "event", text[i] or "", {n: v for n, c in labels.items() if (v := c[i])})
        for i in np.flatnonzero(good)
    ]


def _words(columns: Mapping[str, Any], names: tuple[str, ...], n: int) -> list[str | None]:
    column = next((columns[name] for name in names if name in columns), None)
    return (Coded.constant(None, n) if column is None else coded(column) or Coded.constant(None, n)).to_list()

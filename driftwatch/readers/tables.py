"""Metrics in tables: long (a row a sample) and wide (a column a series). Needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftwatch._optional import load
from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events.columns import Coded, Floats, Metrics
from driftwatch.readers.checks import check_time_unit
from driftwatch.readers.chunk import Chunk
from driftwatch.readers.convert import names_of
from driftwatch.readers.openmetrics import series_of
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.series import UNWANTED, SeriesTable
from driftwatch.readers.values import coded, numbers, times

pa = load("pyarrow", "batch")

_TIME = ("t", "at", "time", "timestamp", "ts", "@timestamp", "datetime", "date")
_NAME = ("name", "metric", "__name__", "series", "metric_name")
_VALUE = ("value", "v", "val")
_UNITS = {"": "", "_s": "s", "_ms": "ms", "_us": "us", "_ns": "ns"}


@dataclass(slots=True)
class TableParser:
    """Turns the chunks of one table into samples.

    Parameters
    ----------
    config
        ``input.time_unit`` is the unit of numeric times; ``input.fields`` may name ``t``, ``name`` and ``value``.
    quarantine
        Where bad rows go.
    source
        What messages call it.
    table
        Decides which series are kept.
    """

    config: Config
    quarantine: Quarantine
    source: str
    table: SeriesTable

    def parse(self, chunk: Chunk) -> Metrics:
        """Turn a chunk into samples.

        Raises
        ------
        InputError
            If there is no time, or no series that anybody asks for.
        """
        columns = {self._ours(name): column for name, column in chunk.columns.items()}
        time, unit = self._time(columns)
        at, bad, naive = times(columns[time], unit or self.config.input.time_unit)
        if naive:
            self.quarantine.note(f"{self.source}: '{time}' has times without a zone; they are taken as UTC")
        if not unit:
            check_time_unit(at, time, self.config.input.time_unit, self.source)
        usable = np.isfinite(at)
        self._leave_out(chunk, "no time", ~usable & ~bad)
        self._leave_out(chunk, f"{time} is not a time", bad)
        self.quarantine.count(self.source, int(usable.sum()))
        rest = {name: column for name, column in columns.items() if name != time}
        name, value = _one_of(_NAME, rest), _one_of(_VALUE, rest)
        if name and value:
            return self._long(chunk, rest, name, value, np.where(usable, at, np.nan))
        return self._wide(chunk, rest, np.where(usable, at, np.nan))

    def _ours(self, name: str) -> str:
        return self.config.input.fields.get(name, name)

    def _time(self, columns: dict[str, Any]) -> tuple[str, str]:
        for name in columns:
            for suffix, unit in _UNITS.items():
                if name.lower().endswith(suffix) and name.lower().removesuffix(suffix) in _TIME:
                    return name, unit
        found = names_of(list(columns))
        raise InputError(f"no column holds a time (t); the columns are: {found}", source=self.source)

    def _leave_out(self, chunk: Chunk, reason: str, rows: np.ndarray) -> None:
        where = np.flatnonzero(rows)
        if len(where):
            lines = chunk.lines()
            self.quarantine.add_all(self.source, reason, (lines[int(i)] for i in where), count=len(where))

    def _long(self, chunk: Chunk, columns: dict[str, Any], name: str, value: str, at: Floats) -> Metrics:
        values, bad = numbers(columns[value])
        self._leave_out(chunk, f"{value} is not a number", bad & ~np.isnan(at))
        rows, position = _combinations(_coded_columns({n: c for n, c in columns.items() if n != value}), chunk.n)
        codes = np.array([self._code(name, cells) for cells in rows], np.int64)[position]
        kept = (codes != UNWANTED) & ~np.isnan(at) & ~bad & ~np.isnan(values)
        return Metrics(at[kept], codes[kept].astype(np.int32), values[kept], tuple(self.table.keys))

    def _code(self, name: str, cells: dict[str, str]) -> int:
        head = cells.pop(name, "")
        labels = dict(_labels_in(cells.pop("labels", "")))
        labels |= {column.removeprefix("labels."): value for column, value in cells.items()}
        try:
            raw, own = series_of(head)
        except ValueError:
            return UNWANTED
        return self.table.code(raw, (*own, *labels.items()))

    def _wide(self, chunk: Chunk, columns: dict[str, Any], at: Floats) -> Metrics:
        heads = {column: head for column in columns if (head := self._head(column)) is not None}
        if not heads:
            found = names_of(list(columns))
            raise InputError(
                f"no series that is known; the columns are: {found}. Name yours in input.series", source=self.source
            )
        shared = _coded_columns({n: c for n, c in columns.items() if n not in heads and _is_word(c.type)})
        labels, group = _combinations(shared, chunk.n)
        parts = []
        for column, (name, own) in heads.items():
            values, bad = numbers(columns[column])
            self._leave_out(chunk, f"{column} is not a number", bad & ~np.isnan(at))
            rows = np.flatnonzero(~np.isnan(at) & ~bad & ~np.isnan(values))
            present, which = np.unique(group[rows], return_inverse=True)
            codes = np.array([self.table.code(name, (*own, *labels[i].items())) for i in present], np.int64)[which]
            parts.append((at[rows], codes, values[rows]))
        time, code, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        kept = code != UNWANTED
        return Metrics(time[kept], code[kept].astype(np.int32), value[kept], tuple(self.table.keys))

    def _head(self, column: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
        try:
            name, labels = series_of(column)
        except ValueError:
            return None
        return (name, labels) if self.table.wanted(name) else None


def _one_of(names: Sequence[str], columns: dict[str, Any]) -> str:
    return next((name for name in names if name in columns), "")


def _is_word(kind: Any) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _coded_columns(columns: dict[str, Any]) -> dict[str, Coded]:
    plain = {n: c for n, c in columns.items() if not pa.types.is_nested(c.type)}
    return {name: column for name, c in plain.items() if (column := coded(c)) is not None}


def _combinations(columns: dict[str, Coded], n: int) -> tuple[list[dict[str, str]], np.ndarray]:
    """The distinct rows of some columns, and which of them each of the n rows is."""
    codes = np.stack([np.zeros(n, np.int32), *(column.codes for column in columns.values())], axis=1)
    distinct, position = np.unique(codes, axis=0, return_inverse=True)
    rows = [
        {name: column.values[i] for (name, column), i in zip(columns.items(), row[1:], strict=True) if i >= 0}
        for row in distinct
    ]
    return rows, position.reshape(-1)


def _labels_in(text: str) -> list[tuple[str, str]]:
    """Labels in one cell: a JSON object, or ``{a="b"}`` as exposed."""
    try:
        if '":' in text:
            return [(k, str(v)) for k, v in json.loads(text).items()]
        return list(series_of("x" + (text if text.startswith("{") else "{" + text + "}"))[1])
    except (ValueError, AttributeError):
        return []

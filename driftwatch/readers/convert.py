"""Chunks of anybody's columns → batches of ours: names mapped, units applied, bad rows quarantined. Needs pyarrow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from driftwatch._optional import load
from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events.columns import NUMBERS, Coded, Floats, Requests, requests_of
from driftwatch.events.names import FIELDS, Mapped, field_of
from driftwatch.events.rows import complete, errors, failed, finish_reasons
from driftwatch.readers.checks import bad_times, bad_values, check_duration_unit, check_time_unit
from driftwatch.readers.chunk import Chunk, is_text
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.said import scores_of, texts_of
from driftwatch.readers.values import Mask, coded, durations, hashes, numbers, strings, times

pa, pc = load("pyarrow", "batch"), load("pyarrow.compute", "batch")

_MOST_PLANS = 256
_MOST_VALUES = 1000  # distinct values of a label in one batch
_LONGEST_VALUE = 200  # characters: more is text, not a label
_IDENTITY = ("model", "route", "tenant", "replica")
_SIGNALS = ("ttft", "latency", "itl", "queue_time", "output_tokens", "finish_reason", "status", "error")
_TIMES = ("started_at", "completed_at")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(slots=True)
class _Plan:
    """What the columns of a chunk are to us: made once for each set of columns."""

    fields: dict[str, list[tuple[str, Mapped]]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[tuple[str, Mapped]]] = field(default_factory=dict)
    scores: dict[str, str] = field(default_factory=dict)


class Converter:
    """Turns the chunks of one source into batches.

    Parameters
    ----------
    config
        Names, units, labels.
    quarantine
        Where bad rows go.
    source
        What messages call it.
    """

    def __init__(self, config: Config, quarantine: Quarantine, source: str) -> None:
        self.config, self.quarantine, self.source = config, quarantine, source
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._named = frozenset(config.streams.by) | frozenset(config.streams.segments)

    def convert(self, chunk: Chunk) -> Requests:
        """Turn a chunk into a batch without its bad rows.

        Raises
        ------
        InputError
            If the columns cannot be requests, or are in another unit than the configuration says.
        """
        plan = self._plan(tuple(chunk.columns))
        read, bad = self._numbers(chunk, plan)
        columns = complete(read)
        keep = np.ones(chunk.n, np.bool_)
        for reason, rows in chain(bad, bad_values(read), bad_times(columns)):
            if rows.any():
                self._leave_out(chunk, reason, rows & keep)
                keep &= ~rows
        words, labels = self._words(chunk, plan), self._labels(chunk, plan)
        batch = requests_of(chunk.n, **columns, **words, labels=labels, **self._said(chunk, plan))
        self.quarantine.count(self.source, int(keep.sum()))
        return batch if keep.all() else batch.take(keep)

    def _leave_out(self, chunk: Chunk, reason: str, rows: Mask) -> None:
        where = np.flatnonzero(rows)
        if len(where):
            lines = chunk.lines()
            self.quarantine.add_all(self.source, reason, (lines[int(i)] for i in where), count=len(where))

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        if names not in self._plans:
            planned = self._planned(names)
            if len(self._plans) >= _MOST_PLANS:  # rows of a log that is followed for months
                self._plans.clear()
            self._plans[names] = planned
        return self._plans[names]

    def _planned(self, names: tuple[str, ...]) -> _Plan:
        plan = _Plan()
        for name in names:
            mapped = field_of(name, self.config.input.fields)
            group, _, rest = name.partition(".")
            if mapped is not None and FIELDS.get(mapped.field) not in ("text", "group", None):
                plan.fields.setdefault(mapped.field, []).append((name, mapped))
            elif mapped is not None and FIELDS.get(mapped.field) == "text":
                plan.texts.setdefault(mapped.field, []).append((name, mapped))
            elif group == "scores" and rest:
                plan.scores[rest] = name
            elif mapped is not None and mapped.field not in FIELDS:
                plan.labels[mapped.field] = name
            elif group in ("labels", "tags") or name in self._named:
                plan.labels.setdefault(rest or name, name)
            elif mapped is None and self.config.input.unknown == "labels" and not rest and not is_text(group):
                plan.labels.setdefault(name, name)
        for columns in (*plan.fields.values(), *plan.texts.values()):
            columns.sort(key=lambda pair: pair[1].rank)
        if not self._plans:  # later parts of a log may be poorer: their rows are judged one by one
            self._check_columns(plan, names)
        return plan

    def _check_columns(self, plan: _Plan, names: Sequence[str]) -> None:
        if not names:
            return
        found = f"; the columns are: {names_of(names)}. Name yours in input.fields"
        if not any(name in plan.fields for name in _TIMES):
            raise InputError(f"no column holds a time (started_at or completed_at){found}", source=self.source)
        both = all(name in plan.fields for name in _TIMES)
        if not both and not any(name in plan.fields for name in _SIGNALS):
            raise InputError(f"no column holds anything measured ({', '.join(_SIGNALS)}){found}", source=self.source)

    def _numbers(self, chunk: Chunk, plan: _Plan) -> tuple[dict[str, Floats], list[tuple[str, Mask]]]:
        columns: dict[str, Floats] = {}
        bad: list[tuple[str, Mask]] = []
        for name in (*NUMBERS, "first_token_at"):
            columns[name] = np.full(chunk.n, np.nan)
            for column, mapped in plan.fields.get(name, ()):
                values, wrong = self._read(chunk.columns[column], column, mapped)
                bad.append((f"{column} is not a {FIELDS[name].rstrip('s').replace('token', 'number')}", wrong))
                columns[name] = np.where(np.isnan(columns[name]), values, columns[name])
        read = {name: columns[0] for name, columns in plan.fields.items() if name in ("latency", "ttft")}
        in_unit = {name: column for name, (column, mapped) in read.items() if not mapped.unit}
        check_duration_unit(columns, in_unit, self.config.input.duration_unit, self.source)
        return columns, bad

    def _read(self, column: Any, name: str, mapped: Mapped) -> tuple[Floats, Mask]:
        kind = FIELDS[mapped.field]
        if kind == "tokens":
            return numbers(column)
        if kind == "duration":
            return durations(column, mapped.unit or self.config.input.duration_unit)
        unit = mapped.unit or self.config.input.time_unit
        values, bad, naive = times(column, unit)
        if naive:
            self.quarantine.note(f"{self.source}: '{name}' has times without a zone; they are taken as UTC")
        if mapped.vague:
            self.quarantine.note(f"{self.source}: '{name}' is taken as {mapped.field}; say otherwise in input.fields")
        if not mapped.unit:
            check_time_unit(values, name, unit, self.source)
        return values, bad

    def _words(self, chunk: Chunk, plan: _Plan) -> dict[str, Any]:
        def word(name: str) -> Coded:
            return self._coalesced([chunk.columns[c] for c, _ in plan.fields.get(name, ())], chunk.n)

        status, words = np.full(chunk.n, np.nan), Coded.constant(None, chunk.n)
        for column, _ in plan.fields.get("status", ())[:1]:
            status, worded = numbers(column := chunk.columns[column])
            words = coded(column) or words if worded.any() else words
        finish = finish_reasons(word("finish_reason"))
        ids = plan.fields.get("request_id", ())
        return {
            "id_hash": hashes(chunk.columns[ids[0][0]]) if ids else np.zeros(chunk.n, np.uint64),
            "failed": failed(status, words, errors(word("error")), finish),
            "finish_reason": finish,
        }

    def _said(self, chunk: Chunk, plan: _Plan) -> dict[str, Any]:
        """Texts, vectors and scores, where they are wanted."""
        if not self.config.text.read:
            return {}
        texts = {name: [chunk.columns[c] for c, _ in columns] for name, columns in plan.texts.items()}
        ids = plan.fields.get("request_id", ())
        scores, wrong = scores_of({name: chunk.columns[column] for name, column in plan.scores.items()})
        if wrong:
            self.quarantine.note(f"{self.source}: some scores are not numbers; they are left out")
        return {"texts": texts_of(texts, chunk.columns[ids[0][0]] if ids else None, chunk.n), "scores": scores}

    def _coalesced(self, columns: Iterable[Any], n: int) -> Coded:
        """The first column that has a value, row by row."""
        found = [_first(column) for column in columns]
        if not found:
            return Coded.constant(None, n)
        whole = found[0] if len(found) == 1 else pc.coalesce(*map(strings, found))
        return coded(whole) or Coded.constant(None, n)

    def _labels(self, chunk: Chunk, plan: _Plan) -> dict[str, Coded]:
        labels = {}
        for name in _IDENTITY:
            if name in plan.fields:
                labels[name] = self._coalesced([chunk.columns[c] for c, _ in plan.fields[name]], chunk.n)
        for name, column in plan.labels.items():
            if name == column == "labels":
                labels.update(_written_labels(chunk.columns[column]))
            elif (label := self._label(chunk.columns[column], name)) is not None:
                labels.setdefault(name, label)
        return {name: column for name, column in labels.items() if column.values}

    def _label(self, column: Any, name: str) -> Coded | None:
        """A column as a label, unless it is numbers, text or nearly all distinct; what the config names is kept."""
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            return None
        if name in self._named:
            return coded(column)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_temporal(column.type):
            return None
        label = coded(column, _MOST_VALUES)
        if label is None:
            self.quarantine.note(
                f"{self.source}: '{name}' has more than {_MOST_VALUES} distinct values and is no label "
                "(name it in streams.segments to keep it)"
            )
            return None
        if all(_NUMBER.fullmatch(v) for v in label.values) or any(len(v) > _LONGEST_VALUE for v in label.values):
            return None
        return label


def _first(column: Any) -> Any:
    """The first of each list, as some sources give several finish reasons."""
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return column if not pa.types.is_nested(column.type) else pa.nulls(len(column), pa.string())
    some = pc.if_else(pc.greater(pc.list_value_length(column), 0), column, None)
    return pc.list_element(some, 0)


def _written_labels(column: Any) -> dict[str, Coded]:
    """Labels that a table without nesting holds as JSON objects."""
    texts = coded(column, _MOST_VALUES) if not pa.types.is_nested(column.type) else None
    if texts is None:
        return {}
    parsed = [_object(text) for text in texts.values]
    names = dict.fromkeys(name for labels in parsed for name in labels)
    return {name: Coded.of([labels.get(name) for labels in parsed] + [None]).take(texts.codes) for name in names}


def _object(text: str) -> dict[str, str]:
    try:
        labels = json.loads(text)
    except ValueError:
        return {}
    return {k: str(v) for k, v in labels.items()} if isinstance(labels, dict) else {}


def names_of(columns: Sequence[str]) -> str:
    """Column names as a message shows them.

    Examples
    --------
    >>> names_of(["a", "b"])
    'a, b'
    """
    shown = ", ".join(columns[:20])
    return f"{shown}, ... ({len(columns)} in all)" if len(columns) > 20 else shown

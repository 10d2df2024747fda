"""What callers handed over → batches of columns: names mapped, units applied, bad calls quarantined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.events.columns import NUMBERS, Coded, Floats, Markers, Metrics, Requests, requests_of
from driftwatch.events.identity import hash_strings
from driftwatch.events.names import FIELDS, Mapped, field_of
from driftwatch.events.rows import complete, errors, failed, finish_reasons
from driftwatch.events.texts import Texts, text_of
from driftwatch.monitor.breath import breathe
from driftwatch.monitor.handoff import Call
from driftwatch.monitor.values import Mask, float_of, identities, numbers, seconds_of, words
from driftwatch.readers import Quarantine
from driftwatch.readers.checks import bad_times, bad_values
from driftwatch.readers.series import UNWANTED, SeriesTable

SOURCE = "calls"
"""What the quarantine calls this source."""

_UNITS = {"": 1.0, "s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_KINDS = {"time": "a time", "duration": "a duration", "tokens": "a number"}
_IDENTITY = ("model", "route", "tenant", "replica")
_MOST_SCORES = 16
_SAID = {
    "prompt": "prompt",
    "response": "response",
    "prompt_embedding": "prompt_vector",
    "embedding": "response_vector",
}
_TIMES = ("started_at", "completed_at", "first_token_at")


class Intake:
    """Turns calls into batches; what is wrong with one is counted, and raised to nobody.

    Parameters
    ----------
    config
        Names of fields and series; labels of streams and segments.
    quarantine
        Where bad calls go.
    """

    def __init__(self, config: Config, quarantine: Quarantine) -> None:
        self.quarantine = quarantine
        self.table = SeriesTable(config, quarantine, SOURCE)
        self._own, self._texts = config.input.fields, config.text.read
        self._labels = tuple(dict.fromkeys((*_IDENTITY, *config.streams.by, *config.streams.segments)))

    def requests(self, calls: Sequence[Call], at: Floats, offset: float, latest: float) -> Requests:
        """Requests that ended, and those that were told of at their start.

        Parameters
        ----------
        calls
            Those of kind ``request`` and ``started``.
        at
            Shape (n,): when each was made, in seconds since the epoch.
        offset
            Seconds by which ``at`` is ahead of the clock that callers read.
        latest
            No event can be later than this.
        """
        rows = _Rows([fields for _, _, fields in calls], self._own)
        given, bad = rows.numbers()
        for name in _TIMES:
            given[name] += offset
        begun = np.array([kind == "started" for kind, _, _ in calls])
        known = _dated(given, begun, at)
        done = complete(known)
        done["completed_at"] = np.where(begun, np.nan, done["completed_at"])
        breathe()
        said = rows.said() if self._texts else {}
        batch = requests_of(len(calls), **done, **rows.words(), **said, labels=rows.labels(self._labels))
        ahead = ("it lies in the future", np.fmax(batch.completed_at, batch.started_at) > latest)
        keep = self._kept([*bad, *bad_values(known), *bad_times(done), ahead], len(calls))
        return batch if keep.all() else batch.take(keep)

    def metrics(self, calls: Sequence[Call], at: Floats, offset: float) -> Metrics:
        """Samples of the series that somebody asks for."""
        rows = [fields for _, _, fields in calls]
        value, bad = numbers([row.get("value") for row in rows], float_of)
        given, wrong = numbers([row.get("at") for row in rows], seconds_of)
        code = np.array([self._code(row) for row in rows], np.int64)
        keep = self._kept([("value is not a number", bad | np.isnan(value)), ("at is not a time", wrong)], len(rows))
        keep &= code != UNWANTED
        time = np.where(np.isnan(given), at, given + offset)
        return Metrics(time[keep], code[keep].astype(np.int32), value[keep], tuple(self.table.keys))

    def _code(self, row: Mapping[str, Any]) -> int:
        labels = _mapping(row.get("labels"))
        pairs = zip(labels, words(labels.values()), strict=True)
        return self.table.code(str(row.get("name")), tuple((str(k), v) for k, v in pairs if v is not None))

    def markers(self, calls: Sequence[Call], at: Floats, offset: float) -> Markers:
        """Things that people did."""
        rows = [fields for _, _, fields in calls]
        given, wrong = numbers([row.get("at") for row in rows], seconds_of)
        keep = np.flatnonzero(self._kept([("at is not a time", wrong)], len(rows)))
        kept = [rows[k] for k in keep]
        labels = [{str(k): str(v) for k, v in _mapping(row.get("labels")).items()} for row in kept]
        return Markers(
            np.where(np.isnan(given), at, given + offset)[keep],
            tuple(str(row.get("kind") or "event") for row in kept),
            tuple(str(row.get("text") or "") for row in kept),
            tuple(labels),
        )

    def _kept(self, reasons: Iterable[tuple[str, Mask]], n: int) -> Mask:
        keep = np.ones(n, np.bool_)
        for reason, rows in reasons:
            if (rows & keep).any():
                self.quarantine.add_all(SOURCE, reason, (), count=int((rows & keep).sum()))
                keep &= ~rows
        return keep


def _dated(given: Mapping[str, Floats], begun: Mask, at: Floats) -> dict[str, Floats]:
    """When it happened, where the caller did not say: at the call."""
    start, end = given["started_at"], given["completed_at"]
    follows = ~np.isnan(start) & ~np.isnan(given["latency"])
    started = np.where(begun, _first(start, end, at), start)
    ended = np.where(begun, np.nan, np.where(follows, end, _first(end, at)))
    return {**given, "started_at": started, "completed_at": ended}


class _Rows:
    """The keywords of some calls as columns."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], own: Mapping[str, str]) -> None:
        self.rows = rows
        self.names: set[str] = set().union(*rows)
        self.fields: dict[str, list[tuple[str, Mapped]]] = {}
        mapped = [(name, field) for name in self.names if (field := field_of(name, own)) is not None]
        for name, field in sorted(mapped, key=lambda pair: (pair[1].rank, pair[0])):
            self.fields.setdefault(field.field, []).append((name, field))

    def column(self, name: str) -> list[Any]:
        """What was given under a keyword."""
        return [row.get(name) for row in self.rows]

    def numbers(self) -> tuple[dict[str, Floats], list[tuple[str, Mask]]]:
        """All numeric fields, and why rows are bad."""
        found: dict[str, Floats] = {}
        bad: list[tuple[str, Mask]] = []
        for name in (*NUMBERS, "first_token_at"):
            found[name] = np.full(len(self.rows), np.nan)
            for keyword, field in self.fields.get(name, ()):
                kind = FIELDS[name]
                values, wrong = numbers(self.column(keyword), seconds_of if kind == "time" else float_of)
                bad.append((f"{name} is not {_KINDS[kind]}", wrong))
                found[name] = _first(found[name], values / _UNITS[field.unit])
        return found, bad

    def first(self, name: str) -> list[Any]:
        """A field as given, under whatever keyword."""
        columns = [self.column(keyword) for keyword, _ in self.fields.get(name, ())]
        if len(columns) == 1:
            return columns[0]
        return [next((v for v in values if v is not None), None) for values in zip(*columns, strict=True)] or self._none

    @property
    def _none(self) -> list[None]:
        return [None] * len(self.rows)

    def words(self) -> dict[str, Any]:
        """Ids, and how requests ended."""
        finish = finish_reasons(Coded.of(words(self.first("finish_reason"))))
        status = self.first("status")
        code, worded = numbers(status, float_of)
        error = errors(Coded.of(words(map(_error, self.first("error")))))
        return {
            "id_hash": hash_strings(identities(self.first("request_id"))),
            "failed": failed(code, Coded.of(words(status)) if worded.any() else Coded.of(self._none), error, finish),
            "finish_reason": finish,
        }

    def said(self) -> dict[str, Any]:
        """Texts and vectors, to be read and let go, and scores."""
        columns = {ours: self.first(name) for name, ours in _SAID.items() if name in self.fields}
        for name in ("prompt", "response"):
            if name in columns:
                columns[name] = [text_of(value) for value in columns[name]]
        texts = Texts.of(len(self.rows), **columns, name=identities(self.first("request_id"))) if columns else None
        return {"texts": texts, "scores": self._scores() if "scores" in self.names else {}}

    def _scores(self) -> dict[str, Floats]:
        given = [_mapping(row.get("scores")) for row in self.rows]
        names = sorted({str(name) for scores in given for name in scores})[:_MOST_SCORES]
        return {name: numbers([scores.get(name) for scores in given], float_of)[0] for name in names}

    def labels(self, wanted: Sequence[str]) -> dict[str, Coded]:
        """The labels that make streams and segments: keywords, or in ``labels``."""
        given = [_mapping(row.get("labels")) for row in self.rows] if "labels" in self.names else None
        found = {}
        for name in wanted:
            values = self.first(name) if name in self.fields else self.column(name) if name in self.names else None
            if given is not None:
                values = [v if v is not None else g.get(name) for v, g in zip(values or self._none, given, strict=True)]
            if values is not None and (column := Coded.of(words(values))).values:
                found[name] = column
        return found


def _first(known: Floats, *others: Floats) -> Floats:
    for other in others:
        known = np.where(np.isnan(known), other, known)
    return known


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _error(value: Any) -> Any:
    """Of an exception its class: what it says may be a prompt."""
    if isinstance(value, str | int | float | None):
        return value or None
    return type(value).__name__

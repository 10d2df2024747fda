"""An engine's own latency histograms → the same ticks, for users who have no request rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.events.catalogue import resolve
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.state import saved
from driftwatch.statistics.buckets import BUCKETS, CELLS, UNKNOWN_CELL, Floats, Ints, bucket_of
from driftwatch.ticks.builder import FINISHES
from driftwatch.ticks.names import Names
from driftwatch.ticks.tick import HISTOGRAMS, OUTCOMES, Ticks, empty, grouped

_LABELS = {"model_name": "model", "pod": "replica", "instance": "replica", "hostname": "replica"}
_UNKNOWN = (UNKNOWN_CELL * CELLS + UNKNOWN_CELL) * CELLS + UNKNOWN_CELL
_REASONS = ("finished_reason", "finish_reason", "reason")

Labels = tuple[tuple[str, str], ...]
Target = tuple[Labels, str]
"""What a counter belongs to: its labels, and the signal (or ``requests``) that it counts."""


@saved
@dataclass(slots=True)
class _Counter:
    """A cumulative counter by tick: what it grew by, resets handled."""

    last: float = math.nan
    at: float = -math.inf
    ticks: list[Ints] = field(default_factory=list)
    grown: list[Ints] = field(default_factory=list)

    def add(self, at: Floats, value: Floats, width: float) -> None:
        at, first = np.unique(at, return_index=True)  # of two samples of one time the first counts, as across batches
        new = at > self.at
        at, value = at[new], value[first][new]
        if not len(at):
            return
        before = np.concatenate([[self.last], value[:-1]])
        step = np.where(value >= before, value - before, value)  # a smaller value: the counter began again from 0
        known = ~np.isnan(before)
        self.ticks.append(np.floor(at[known] / width).astype(np.int64))
        self.grown.append(np.rint(step[known]).astype(np.int64))
        self.last, self.at = float(value[-1]), float(at[-1])

    def take(self, last: int) -> tuple[Ints, Ints]:
        """Take out the growth up to a tick: ticks, and by how much it grew in each."""
        if not self.ticks:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        tick, grown = np.concatenate(self.ticks), np.concatenate(self.grown)
        end = int(np.searchsorted(tick, last, side="right"))
        self.ticks, self.grown = [tick[end:]], [grown[end:]]
        return tick[:end], grown[:end]


class HistogramTicks:
    """Collects cumulative ``_bucket`` samples and turns their growth into ticks.

    A bucket's growth counts at its geometric middle; the growth of each bound is added to its own bucket and taken from
    the next, so that every bound can be summed by itself, exactly.

    Parameters
    ----------
    config
        Width and lateness of ticks; labels of streams and segments; names of series.
    """

    STATE = ("streams", "segments", "bounds", "finished", "watermark", "closed")

    def __init__(self, config: Config) -> None:
        self.width, self.lateness = config.ticks.width_s, config.ticks.lateness_s
        self.names = config.input.series
        self.streams = Names(config.streams.by, config.streams.max_streams)
        self.segments = Names(config.streams.segments, config.streams.max_segments)
        self.bounds: dict[Target, dict[float, _Counter]] = {}
        self.finished: dict[Target, dict[str, _Counter]] = {}
        self.watermark = -np.inf
        self.closed: int | None = None
        self.late = self.duplicates = 0

    def add(self, metrics: Metrics) -> None:
        """Take samples; those of other series are left alone."""
        for k, key in enumerate(metrics.keys):
            counter = self._counter(key)
            if counter is None:
                continue
            rows = (metrics.series == k) & np.isfinite(metrics.value)
            counter.add(metrics.at[rows], metrics.value[rows], self.width)
            self.watermark = max(self.watermark, counter.at)

    def _counter(self, key: SeriesKey) -> _Counter | None:
        known = resolve(self.names.get(key.name, key.name))
        if known is None:
            return None
        series, part = known
        labels = dict(key.labels)
        if part == "bucket" and series.signal in HISTOGRAMS and "le" in labels:
            bound = _bound(labels["le"])
            if math.isnan(bound):
                return None
            return self.bounds.setdefault((_labels(labels), series.signal), {}).setdefault(bound, _Counter())
        reason = next((labels[name] for name in _REASONS if name in labels), None)
        if series.name == "requests_finished" and reason is not None:
            return self.finished.setdefault((_labels(labels), "requests"), {}).setdefault(reason, _Counter())
        return None

    @property
    def final(self) -> int | None:
        """The newest tick that is final."""
        if not np.isfinite(self.watermark):
            return None
        return int(np.floor((self.watermark - self.lateness) / self.width)) - 1

    def end(self, measured: float) -> int | None:
        """What the newest samples tell of."""
        return self.final

    def close(self, last: int | None = None) -> Ticks:
        """Hand out all ticks up to ``last`` (by default those that are final)."""
        last = self.final if last is None else last
        if last is None or (self.closed is not None and last <= self.closed):
            return empty()
        self.closed = last
        found: dict[Labels, list[_Part]] = {}
        for (labels, signal), bounds in sorted(self.bounds.items()):
            found.setdefault(labels, []).extend(_differences(signal, bounds, last))
        for (labels, _), reasons in sorted(self.finished.items()):
            found.setdefault(labels, []).extend(_finished(reasons, last))
        begun = {labels: min(int(part.tick[0]) for part in parts) for labels, parts in found.items() if parts}
        numbered = []
        for labels in sorted(begun, key=lambda labels: (begun[labels], labels)):  # whatever the cut, in the same order
            numbers = self._numbers(labels)
            numbered += [(*numbers, part) for part in found[labels]]
        return _ticks(numbered)

    def told(self, now: float) -> None:
        """Time has passed: nothing that happened before ``now`` is still to come, but for the lateness."""
        self.watermark = max(self.watermark, now)

    def pass_over(self, last: int) -> None:
        """Let go of what waits, and of what the counters grow by meanwhile: ticks until this one are not judged."""
        every: list[Mapping[Any, _Counter]] = [*self.bounds.values(), *self.finished.values()]
        counters = [counter for some in every for counter in some.values()]
        for counter in counters:
            counter.take(last)
            counter.last = math.nan
        self.closed = last
        self.told((last + 1) * self.width)

    def _numbers(self, labels: Labels) -> tuple[int, int]:
        by_name = dict(labels)
        stream = tuple((n, by_name[n]) for n in self.streams.labels if n in by_name)
        segment = tuple((n, by_name[n]) for n in self.segments.labels if n in by_name)
        return self.streams.number(stream), self.segments.number(segment)


def _bound(le: str) -> float:
    """Upper bound of a bucket; NaN for what is none."""
    try:
        return float(le)
    except ValueError:
        return math.nan


def _labels(labels: Mapping[str, str]) -> Labels:
    named = {_LABELS.get(name, name): value for name, value in labels.items() if name not in ("le", *_REASONS)}
    return tuple(sorted(named.items()))


@dataclass(frozen=True, slots=True)
class _Part:
    """What one counter grew by: growth of a bucket (``code`` is not negative), or requests and how they ended."""

    tick: Ints
    code: int
    grown: Ints
    requests: Ints
    outcomes: Ints

    @classmethod
    def of_bucket(cls, code: int, tick: Ints, grown: Ints) -> _Part:
        return cls(tick, code, grown, np.zeros_like(grown), np.zeros((len(tick), len(OUTCOMES)), np.int64))


def _differences(signal: str, bounds: Mapping[float, _Counter], last: int) -> list[_Part]:
    """The growth of each bound in its own bucket, and the same growth taken from the next one."""
    ordered = sorted(bounds)
    offset = HISTOGRAMS.index(signal) * BUCKETS
    middles = [_middle(low, high) for low, high in zip([0.0, *ordered[:-1]], ordered, strict=True)]
    codes = (bucket_of(np.array(middles)) + offset).tolist()
    found = []
    for k, bound in enumerate(ordered):
        tick, grown = bounds[bound].take(last)
        if not len(tick):
            continue
        found.append(_Part.of_bucket(codes[k], tick, grown))
        if k + 1 < len(ordered):
            found.append(_Part.of_bucket(codes[k + 1], tick, -grown))
    return found


def _finished(reasons: Mapping[str, _Counter], last: int) -> list[_Part]:
    """Requests that ended, by how they did."""
    taken = {reason: reasons[reason].take(last) for reason in sorted(reasons)}
    return [_Part(tick, -1, n, n, _outcomes(reason, n)) for reason, (tick, n) in taken.items() if len(tick)]


def _middle(low: float, high: float) -> float:
    if math.isinf(high):
        return low * 1.5 if low > 0 else 1.0
    return math.sqrt(low * high) if low > 0 else high * 0.7


def _outcomes(reason: str, grown: Ints) -> Ints:
    columns = {name: grown if reason in words else np.zeros_like(grown) for name, words in FINISHES.items()}
    columns["error_share"] = grown if reason == "error" else np.zeros_like(grown)
    return np.stack([columns[name] for name in OUTCOMES], axis=1)


def _ticks(numbered: list[tuple[int, int, _Part]]) -> Ticks:
    """Ticks of (stream, segment, growth)."""
    if not numbered:
        return empty()
    parts = [part for _, _, part in numbered]
    tick = np.concatenate([part.tick for part in parts])
    n, lengths = len(tick), [len(part.tick) for part in parts]
    code = np.repeat([part.code for part in parts], lengths)
    measured = np.flatnonzero(code >= 0)
    nothing = np.empty(0, np.int64)
    ticks = grouped(
        tick=tick,
        stream=np.repeat([stream for stream, _, _ in numbered], lengths),
        segment=np.repeat([segment for _, segment, _ in numbered], lengths),
        cell=np.full(n, _UNKNOWN),
        requests=np.concatenate([part.requests for part in parts]),
        log_tokens=np.zeros((n, 3), np.int64),
        outcomes=np.concatenate([part.outcomes for part in parts]),
        row=measured,
        code=code[measured],
        count=np.concatenate([part.grown for part in parts])[measured],
        flow_known=nothing,
        flow_tick=nothing,
        flow_stream=nothing,
        flow_segment=nothing,
        started=nothing,
        started_tokens=nothing,
        ended_tokens=nothing,
        announced=nothing,
    )
    whole = ticks.count > 0  # a bucket that shrank is a scrape that came in pieces
    return replace(ticks, row=ticks.row[whole], code=ticks.code[whole], count=ticks.count[whole])

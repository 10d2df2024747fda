"""Requests → ticks: rows wait until their tick is final, then are put in order, freed of duplicates and summed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.config import Config
from driftwatch.events.columns import NUMBERS, Coded, Requests, concat_requests
from driftwatch.statistics.buckets import BUCKETS, CELLS, Floats, Ints, bucket_of, cell_of
from driftwatch.ticks.answered import answered_of
from driftwatch.ticks.names import Names
from driftwatch.ticks.tick import HISTOGRAMS, OUTCOMES, SCALE, Ticks, empty, grouped
from driftwatch.ticks.watermark import Watermark

_IN_FLIGHT = 65_536  # requests in flight that are remembered
FINISHES = {"length_share": ("length", "max_tokens"), "abort_share": ("abort", "cancelled", "canceled", "aborted")}


@dataclass(frozen=True, slots=True)
class _Matched:
    """Of each row: whether it ends a request whose start is known, whether it is such a start, and that start."""

    seen: NDArray[np.bool_]
    new: NDArray[np.bool_]
    began: Ints
    stream: Ints


class TickBuilder:
    """Collects requests in any order within the lateness window and hands out final ticks.

    Parameters
    ----------
    config
        Width, lateness, and the labels that make streams and segments.
    """

    STATE = (
        *("streams", "segments", "waiting", "closed", "clock", "taken", "late", "duplicates"),
        *("_recent_ids", "_recent_at", "_in_flight", "_begun", "_whose"),
    )

    def __init__(self, config: Config) -> None:
        self.width, self.lateness = config.ticks.width_s, config.ticks.lateness_s
        self.streams = Names(config.streams.by, config.streams.max_streams)
        self.segments = Names(config.streams.segments, config.streams.max_segments)
        self.waiting: list[Requests] = []
        self.closed: int | None = None
        self.clock = Watermark()
        self.taken = self.late = self.duplicates = 0
        self._recent_ids: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._recent_at: Floats = np.empty(0)
        self._in_flight: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._begun = self._whose = np.empty(0, np.int64)

    def add(self, batch: Requests) -> None:
        """Take a batch; rows of ticks that are final already are counted as late and dropped."""
        at = batch.at
        if self.closed is not None:
            in_time = np.floor(at / self.width) > self.closed
            self.late += int((~in_time).sum())
            if not in_time.all():
                batch, at = batch.take(in_time), at[in_time]
        if len(batch):
            self.clock.advance(at)
            self.waiting.append(batch)

    def pass_over(self, last: int) -> None:
        """Let go of what waits, and of requests in flight: ticks until this one are not judged."""
        self.waiting, self.closed = [], last
        self._in_flight = self._in_flight[:0]
        self._begun = self._whose = self._begun[:0]
        self.told((last + 1) * self.width)

    @property
    def watermark(self) -> float:
        """The newest event time; -inf before the first event."""
        return self.clock.value

    def told(self, now: float) -> None:
        """Time has passed: nothing that happened before ``now`` is still to come, but for the lateness."""
        self.clock.value = max(self.clock.value, now)

    def end(self, measured: float) -> int | None:
        """The tick of the newest event; what was measured later shows that time went on."""
        if not np.isfinite(self.watermark):
            return None
        return int(max(self.watermark, measured) // self.width)

    @property
    def ahead(self) -> int:
        """Requests that wait because they lie far ahead of all others."""
        return len(self.clock.ahead)

    @property
    def final(self) -> int | None:
        """The newest tick that is final: its end lies one lateness window before the newest event."""
        if not np.isfinite(self.watermark):
            return None
        return int(np.floor((self.watermark - self.lateness) / self.width)) - 1

    def close(self, last: int | None = None) -> Ticks:
        """Hand out all ticks up to ``last`` (by default those that are final)."""
        last = self.final if last is None else last
        if last is None or (self.closed is not None and last <= self.closed):
            return empty()
        self.closed = last
        if not self.waiting:
            return empty()
        rows = _ordered(concat_requests(self.waiting))
        ripe = int(np.searchsorted(np.floor(rows.at / self.width), last, side="right"))
        self.waiting = [rows.take(slice(ripe, None))] if ripe < len(rows) else []
        return self._summed(self._unique(rows.take(slice(ripe))))

    def _unique(self, rows: Requests) -> Requests:
        """Drop repeated ids: within the lateness window the first in event time counts."""
        at = rows.at
        ids = np.where(
            np.isnan(rows.completed_at) & (rows.id_hash != 0), ~rows.id_hash, rows.id_hash
        )  # start, completion
        every_id, every_at = np.concatenate([self._recent_ids, ids]), np.concatenate([self._recent_at, at])
        named = every_id != 0
        ranked = np.sort(every_id[named])
        repeated = np.zeros(len(every_id), np.bool_)
        if (ranked[1:] == ranked[:-1]).any():
            order = np.lexsort((np.arange(len(every_id)), every_at, every_id))
            same = (every_id[order][1:] == every_id[order][:-1]) & named[order][1:]
            near = np.diff(every_at[order]) <= self.lateness
            repeated[order[1:][same & near]] = True
        new = ~repeated[len(self._recent_ids) :]
        self.duplicates += int((~new).sum())
        recent = named & (every_at >= (at.max() if len(at) else -np.inf) - self.lateness)
        self._recent_ids, self._recent_at = every_id[recent], every_at[recent]
        return rows if new.all() else rows.take(new)

    def _summed(self, rows: Requests) -> Ticks:
        stream, segment = self.streams.numbers(rows), self.segments.numbers(rows)
        done = ~np.isnan(rows.completed_at)
        self.taken += int(done.sum())
        matched = self._matched(rows.id_hash, done, self._tick(rows.at), stream)
        flow = self._flow(rows, stream, segment, done, matched)
        if not done.all():
            rows, stream, segment = rows.take(done), stream[done], segment[done]
        tokens = (rows.prompt_tokens, rows.output_tokens, rows.cached_tokens)
        cell = np.zeros(len(rows), np.int64)
        for count in tokens:
            cell = cell * CELLS + cell_of(count)
        logs = np.stack([np.rint(np.log1p(np.nan_to_num(t)) * SCALE).astype(np.int64) for t in tokens], axis=1)
        row, code = _histograms(rows)
        tick = self._tick(rows.completed_at)
        counted = grouped(
            tick=tick,
            stream=stream,
            segment=segment,
            cell=cell,
            requests=np.ones(len(rows), np.int64),
            log_tokens=logs,
            outcomes=_outcomes(rows),
            row=row,
            code=code,
            count=np.ones(len(row), np.int64),
            **flow,
        )
        return replace(counted, answered=answered_of(rows, tick, stream, segment))

    def _tick(self, at: Floats) -> Ints:
        return np.floor(at / self.width).astype(np.int64)

    def _matched(self, ids: NDArray[np.uint64], done: NDArray[np.bool_], tick: Ints, stream: Ints) -> _Matched:
        """Starts that were told of before their end, and the ends that belong to them: rows are in order of time."""
        known = len(self._in_flight)
        every = np.concatenate([self._in_flight, ids])
        flying = np.concatenate([np.ones(known, np.bool_), ~done]) & (every != 0)
        began, whose = np.concatenate([self._begun, tick]), np.concatenate([self._whose, stream])
        new, seen = flying.copy(), np.zeros(len(every), np.bool_)
        if flying.any():
            order = np.argsort(every, kind="stable")
            again = np.concatenate([[False], every[order[1:]] == every[order[:-1]]])
            before = np.concatenate([[False], flying[order[:-1]]]) & again
            new[order] &= ~before  # a start that is told of twice is one
            seen[order] = before & ~flying[order]
            origin = np.maximum.accumulate(np.where(before, 0, np.arange(len(order))))
            began[order], whose[order] = began[order][origin], whose[order][origin]
            newest = order[np.append(~again[1:], True)]
            kept = np.sort(newest[flying[newest]])[-_IN_FLIGHT:]
            self._in_flight, self._begun, self._whose = every[kept], began[kept], whose[kept]
        return _Matched(seen[known:], new[known:], began[known:], whose[known:])

    def _flow(
        self, rows: Requests, stream: Ints, segment: Ints, done: NDArray[np.bool_], matched: _Matched
    ) -> dict[str, Ints]:
        """What began and what ended, each in its own tick."""
        began, ended = ~np.isnan(rows.started_at), done & ~np.isnan(rows.started_at)
        tokens = (np.nan_to_num(rows.prompt_tokens) + np.nan_to_num(rows.output_tokens)).astype(np.int64)
        starts, ends, landed = (np.flatnonzero(x) for x in (began, ended, matched.seen))
        parts = np.concatenate([starts, ends, landed])
        known, held = self._tick(rows.at), tokens * done  # tokens are held from start to completion: both must be known
        tick = [self._tick(rows.started_at[starts]), known[ends], matched.began[landed]]
        return {
            "flow_known": known[parts],
            "flow_tick": np.concatenate(tick),
            "flow_stream": np.concatenate([stream[starts], stream[ends], matched.stream[landed]]),
            "flow_segment": segment[parts],
            "started": _padded(np.where(matched.seen, 0, 1)[starts], 0, len(parts)),
            "started_tokens": _padded(held[starts], 0, len(parts)),
            "ended_tokens": _padded(held[ends], len(starts), len(parts)),
            "announced": _padded(matched.new[starts].astype(np.int64), 0, len(parts))
            - _padded(np.ones(len(landed), np.int64), len(starts) + len(ends), len(parts)),
        }


def _padded(values: Ints, at: int, n: int) -> Ints:
    """Values from a position on, among zeros."""
    found = np.zeros(n, np.int64)
    found[at : at + len(values)] = values
    return found


def _ordered(rows: Requests) -> Requests:
    """The canonical order: by time, id, and then all that is known of a row, so that arrival order is forgotten."""
    order = np.argsort(rows.at, kind="stable")
    same = np.diff(rows.at[order]) == 0
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        order[tied] = order[tied][_by_content(rows.take(order[tied]))]
    return rows if (np.diff(order) == 1).all() else rows.take(order)


def _by_content(rows: Requests) -> Ints:
    texts = [rows.finish_reason, *(column for _, column in sorted(rows.labels.items()))]
    numbers = [getattr(rows, name) for name in NUMBERS] + [column for _, column in sorted(rows.scores.items())]
    said = () if rows.answers is None else (*rows.answers.features.T, rows.answers.prompt_hash)
    return np.lexsort((*said, *map(_ranks, texts), rows.failed, *numbers, rows.id_hash, rows.at))


def _ranks(column: Coded) -> Ints:
    """Codes in the order of the strings, whatever the order in which they were first seen."""
    return np.append(np.argsort(np.argsort(np.array(column.values, dtype=object))), -1)[column.codes]


def _outcomes(rows: Requests) -> Ints:
    finish = rows.finish_reason
    columns = {name: np.logical_or.reduce([finish.equals(w) for w in words]) for name, words in FINISHES.items()}
    columns["error_share"] = rows.failed | finish.equals("error")
    return np.stack([columns[name].astype(np.int64) for name in OUTCOMES], axis=1)


def _histograms(rows: Requests) -> tuple[Ints, Ints]:
    """Row and code of each measured duration."""
    row, code = [], []
    for k, name in enumerate(HISTOGRAMS):
        seconds = getattr(rows, name)
        measured = np.flatnonzero(seconds > 0)
        row.append(measured)
        code.append(k * BUCKETS + bucket_of(seconds[measured]))
    return np.concatenate(row), np.concatenate(code)

"""The tick: what a slice of event time holds, as integers only, so that merging is exact and order does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from driftwatch.state import saved
from driftwatch.statistics.buckets import BUCKETS, Floats, Ints
from driftwatch.ticks.answered import Answered, join_answered, no_answers

HISTOGRAMS = ("ttft", "itl", "latency", "queue_time")
"""Durations kept as histograms, in the order of their code."""
OUTCOMES = ("length_share", "abort_share", "error_share")
"""Ways to finish that are counted, in the order of their columns."""
TOKENS = ("prompt", "output", "cached")
"""Token counts whose logarithms are summed, in the order of their columns."""
SCALE = 2**20
"""Fixed point: one log unit."""

_FITS = 2**62


@saved
@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks of all streams as columns of integers.

    A row of the first table is one (tick, stream, segment, cell); rows are sorted and unique. A row of the second is
    one bucket of one duration of such a row. The third counts what began and what ended, by the tick in which it did.

    Parameters
    ----------
    tick, stream, segment, cell
        Shape (n,): keys. ``cell`` packs the workload cells of prompt, output and cached tokens.
    requests
        Shape (n,): completed requests.
    log_tokens
        Shape (n, 3): sum of ln(1 + tokens) of prompt, output and cached tokens, in 1/2**20.
    outcomes
        Shape (n, 3): requests cut at the limit, aborted, failed.
    row, code, count
        Shape (m,): position of the row in the first table, duration x bucket, and how many requests had it.
    flow_known, flow_stream, flow_segment, flow_tick
        Shape (k,): keys of the third table: when it became known (a start is known when its request is done), of whom,
        and the tick in which it happened.
    started, started_tokens, ended_tokens
        Shape (k,): requests that began in the tick, their prompt and output tokens, and the tokens of those that ended.
    announced
        Shape (k,): of the requests that began in the tick those that were told of before they ended; less those of them
        that became known to have ended. So ``started - announced`` are those that ended.
    answered
        What the completed requests said, a row each; empty where there is no text.
    """

    tick: Ints
    stream: Ints
    segment: Ints
    cell: Ints
    requests: Ints
    log_tokens: Ints
    outcomes: Ints
    row: Ints
    code: Ints
    count: Ints
    flow_known: Ints
    flow_stream: Ints
    flow_segment: Ints
    flow_tick: Ints
    started: Ints
    started_tokens: Ints
    ended_tokens: Ints
    announced: Ints
    answered: Answered = field(default_factory=no_answers)

    def __len__(self) -> int:
        return len(self.tick)

    def of_stream(self, stream: int) -> Ticks:
        """The part that belongs to one stream."""
        own = self.stream == stream
        rows, flow = np.flatnonzero(own), np.flatnonzero(self.flow_stream == stream)
        position, inside = np.cumsum(own) - 1, np.flatnonzero(own[self.row])
        kept = {n: getattr(self, n)[rows] for n in _ROWS} | {n: getattr(self, n)[flow] for n in _FLOW}
        bucket = {"row": position[self.row[inside]], "code": self.code[inside], "count": self.count[inside]}
        return Ticks(**kept, **bucket, answered=self.answered.of_stream(stream))

    def flows(self) -> Ticks:
        """What began and what ended, without the rest."""
        return replace(empty(), **{name: getattr(self, name) for name in _FLOW})

    def flow_rows(self, start: int, end: int) -> Ticks:
        """Some rows of what began and what ended, without the rest."""
        return replace(empty(), **{name: getattr(self, name)[start:end] for name in _FLOW})

    def between(self, first: int, last: int) -> Ticks:
        """The part in these ticks, both included (a view: rows are sorted by tick)."""
        low, high = np.searchsorted(self.tick, [first, last + 1])
        flow = slice(*np.searchsorted(self.flow_known, [first, last + 1]))
        bucket = slice(*np.searchsorted(self.row, [low, high]))
        kept = {n: getattr(self, n)[low:high] for n in _ROWS} | {n: getattr(self, n)[flow] for n in _FLOW}
        buckets = {"row": self.row[bucket] - low, "code": self.code[bucket], "count": self.count[bucket]}
        return Ticks(**kept, **buckets, answered=self.answered.between(first, last))

    def silent(self) -> Ticks:
        """The same ticks without what was said."""
        return replace(self, answered=no_answers()) if len(self.answered) else self

    def duration(self, name: str) -> tuple[Ints, Ints, Ints]:
        """Histogram of one duration: (row, bucket, count)."""
        which = HISTOGRAMS.index(name)
        rows = np.flatnonzero(self.code // BUCKETS == which)
        return self.row[rows], self.code[rows] - which * BUCKETS, self.count[rows]

    def mean_log_tokens(self) -> Floats:
        """Shape (n, 3): mean of ln(1 + tokens) of each row."""
        return np.asarray(self.log_tokens / (SCALE * np.maximum(self.requests, 1)[:, None]), np.float64)


_ROWS = ("tick", "stream", "segment", "cell", "requests", "log_tokens", "outcomes")
_FLOW = (
    "flow_known",
    "flow_stream",
    "flow_segment",
    "flow_tick",
    "started",
    "started_tokens",
    "ended_tokens",
    "announced",
)

_COLUMNS = tuple(f.name for f in fields(Ticks) if f.name != "answered")


def empty() -> Ticks:
    """No ticks at all."""
    two = {"log_tokens": np.empty((0, 3), np.int64), "outcomes": np.empty((0, 3), np.int64)}
    columns: dict[str, Any] = {name: two.get(name, np.empty(0, np.int64)) for name in _COLUMNS}
    return Ticks(**columns)


def merge(parts: Sequence[Ticks], *, ordered: bool = True) -> Ticks:
    """Add ticks up: exact, associative, and the same in any order.

    Parameters
    ----------
    ordered
        False where the parts are not in canonical order themselves.

    Examples
    --------
    >>> len(merge([empty(), empty()]))
    0
    """
    parts = [p for p in parts if len(p) or len(p.flow_tick)]
    whole = joined(parts)
    if len(parts) < 2 and ordered:
        return whole
    return replace(grouped(**{name: getattr(whole, name) for name in _COLUMNS}), answered=whole.answered)


def joined(parts: Sequence[Ticks]) -> Ticks:
    """Ticks that follow one another, as one."""
    if len(parts) < 2:
        return parts[0] if parts else empty()
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _COLUMNS}
    offsets = np.cumsum([0] + [len(p) for p in parts[:-1]])
    columns["row"] = np.concatenate([p.row + offset for p, offset in zip(parts, offsets, strict=True)])
    return Ticks(**columns, answered=join_answered([p.answered for p in parts]))


def grouped(
    *,
    tick: Ints,
    stream: Ints,
    segment: Ints,
    cell: Ints,
    requests: Ints,
    log_tokens: Ints,
    outcomes: Ints,
    row: Ints,
    code: Ints,
    count: Ints,
    flow_known: Ints,
    flow_stream: Ints,
    flow_segment: Ints,
    flow_tick: Ints,
    started: Ints,
    started_tokens: Ints,
    ended_tokens: Ints,
    announced: Ints,
) -> Ticks:
    """Sum rows with equal keys, and sort: the canonical form that `Ticks` promises."""
    order, start = in_order(tick, stream, segment, cell)
    keys = order[start]
    group = _group_of(order, start)[row]
    by_bucket, bucket = in_order(group, code)
    by_flow, flow = in_order(flow_known, flow_stream, flow_segment, flow_tick - flow_known)  # few, and the same order
    flow_keys = by_flow[flow]
    return Ticks(
        tick=tick[keys],
        stream=stream[keys],
        segment=segment[keys],
        cell=cell[keys],
        requests=_summed(requests, order, start),
        log_tokens=_summed(log_tokens, order, start),
        outcomes=_summed(outcomes, order, start),
        row=group[by_bucket[bucket]],
        code=code[by_bucket[bucket]],
        count=_summed(count, by_bucket, bucket),
        flow_known=flow_known[flow_keys],
        flow_tick=flow_tick[flow_keys],
        flow_stream=flow_stream[flow_keys],
        flow_segment=flow_segment[flow_keys],
        started=_summed(started, by_flow, flow),
        started_tokens=_summed(started_tokens, by_flow, flow),
        ended_tokens=_summed(ended_tokens, by_flow, flow),
        announced=_summed(announced, by_flow, flow),
    )


def group_by(*keys: Ints) -> tuple[Ints, Ints]:
    """Sort by several integer keys at once.

    Returns
    -------
    For each group, in order, the position of its first row; and for each row its group.
    """
    order, start = in_order(*keys)
    return order[start], _group_of(order, start)


def in_order(*keys: Ints) -> tuple[Ints, Ints]:
    """Sort by several integer keys at once; rows with equal keys stay as they were.

    Returns
    -------
    The rows in order, and where among them each group begins.

    Examples
    --------
    >>> order, start = in_order(np.array([7, 5, 7]), np.array([1, 2, 1]))
    >>> order.tolist(), start.tolist()
    ([1, 0, 2], [0, 1])
    """
    if not len(keys[0]):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    packed = _packed(keys)
    bits, top = len(packed).bit_length(), int(packed.max())
    if top < 2**16 or top >> (63 - bits):
        order = np.argsort(packed.astype(np.min_scalar_type(top)), kind="stable")  # a radix sort, of 16 bits
        ranked = packed[order]
    else:  # sorting numbers is faster than sorting positions, so those ride along in the low bits
        both = np.sort(packed << bits | np.arange(len(packed)))
        order, ranked = both & ((1 << bits) - 1), both >> bits
    return order, np.flatnonzero(np.diff(ranked, prepend=-1))


def _packed(keys: Sequence[Ints]) -> Ints:
    packed: Ints = keys[0] - keys[0].min()
    for key in keys[1:]:
        key = key - key.min()
        if (int(packed.max()) + 1) * (int(key.max()) + 1) > _FITS:  # wild keys: their ranks will do
            packed, key = _ranks(packed), _ranks(key)
        packed = packed * (int(key.max()) + 1) + key
    return packed


def _ranks(key: Ints) -> Ints:
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _group_of(order: Ints, start: Ints) -> Ints:
    group = np.empty(len(order), np.int64)
    group[order] = np.repeat(np.arange(len(start)), np.diff(start, append=len(order)))
    return group


def _summed(values: Ints, order: Ints, start: Ints) -> Ints:
    """Exact integer sums by group."""
    return np.asarray(np.add.reduceat(values[order], start, axis=0), np.int64)

"""One time series, summarised by tick: what is kept of its samples, and how they are read back.

A row for each tick that has samples, whatever their number, and the newest samples as they came, until no late
one can precede them. So memory is bounded, and neither the order within the lateness nor the cuts between batches
leave a trace in the content.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Floats

Rows = NDArray[np.void]
Kind = Literal["gauge", "counter"]

_ROW = np.dtype(
    [(name, np.int64) for name in ("tick", "samples")]
    + [(name, np.float64) for name in ("low", "high", "total", "first_at", "first", "last_at", "last")]
)
_FOLD_AT = 256  # samples that wait before they are folded into rows: only a matter of speed
_MISSED_SCRAPES = 5.0  # a longer silence than this many scrapes, and than this many seconds, is a gap
_SHORTEST_GAP_S = 90.0
_COVERED = 1e-3  # share of a tick that must lie between two scrapes before it has a rate


class Track:
    """One series.

    Parameters
    ----------
    kind
        ``gauge``, or ``counter`` (read as a rate per second; it may start again from zero at any time).
    width_s
        Width of a tick, in seconds.
    history_ticks
        Ticks that are kept.
    lateness_s
        Samples may come this late, in seconds; later ones are dropped.
    """

    __slots__ = (
        *("kind", "width_s", "history_ticks", "lateness_s"),
        *("rows", "at", "value", "begin", "newest", "oldest", "last", "lifted"),
    )

    STATE = ("kind", "rows", "at", "value", "begin", "newest", "oldest", "last", "lifted")

    def __init__(self, kind: Kind, width_s: float, history_ticks: int, lateness_s: float) -> None:
        self.kind, self.width_s, self.history_ticks, self.lateness_s = kind, width_s, history_ticks, lateness_s
        self.rows: Rows = np.empty(0, _ROW)
        self.at: Floats = np.empty(0)
        self.value: Floats = np.empty(0)
        self.begin, self.newest = np.inf, -np.inf
        self.oldest = -(2**62)
        self.last = np.nan  # the newest folded sample of a counter, and what its resets have lost so far
        self.lifted = 0.0

    def add(self, at: Floats, value: Floats) -> tuple[int, int]:
        """Take finite samples in order of arrival; return how many were too late, and how many repeated a time."""
        self.begin = min(self.begin, float(at.min()))
        newest = np.maximum.accumulate(np.concatenate([[self.newest], at]))[1:]
        in_time = at >= newest - self.lateness_s
        self.newest = float(newest[-1])
        waiting = np.concatenate([self.at, at[in_time]])
        self.at, first = np.unique(waiting, return_index=True)
        self.value = np.concatenate([self.value, value[in_time]])[first]
        self._fold()
        return int(len(at) - in_time.sum()), len(waiting) - len(self.at)

    def trim(self, before_tick: int) -> None:
        """Forget the ticks before this one."""
        self.oldest = max(self.oldest, before_tick)
        self.rows = self.rows[self.rows["tick"] >= before_tick].copy()

    def snapshot(self, until: int | None = None) -> Rows:
        """All rows, those of the waiting samples among them, up to a tick."""
        rows = self._folded(len(self.at))[0]
        rows = rows if until is None else rows[rows["tick"] <= until]
        oldest = max(self.oldest, rows["tick"][-1] - self.history_ticks + 1) if len(rows) else 0
        return rows[rows["tick"] >= oldest]

    def _fold(self) -> None:
        final = int(np.searchsorted(self.at, self.newest - self.lateness_s))
        if final < _FOLD_AT:
            return
        rows, self.lifted = self._folded(final)
        self.rows = rows[rows["tick"] > rows["tick"][-1] - self.history_ticks]
        self.last = float(self.value[final - 1])
        self.at, self.value = self.at[final:].copy(), self.value[final:].copy()

    def _folded(self, n: int) -> tuple[Rows, float]:
        at, value, lifted = self.at[:n], self.value[:n], self.lifted
        if n and self.kind == "counter":
            before = np.concatenate([[self.last], value[:-1]])
            lifts = lifted + np.cumsum(np.where(value < before, before, 0.0))
            value, lifted = value + lifts, float(lifts[-1])
        return _joined(self.rows, _summary(at, value, self.width_s)), lifted


def _summary(at: Floats, value: Floats, width_s: float) -> Rows:
    """Rows of samples in order of time."""
    tick = np.floor(at / width_s).astype(np.int64)
    start = np.flatnonzero(np.diff(tick, prepend=tick[:1] - 1))
    end = np.append(start[1:], len(at)) - 1
    rows = np.empty(len(start), _ROW)
    if not len(start):
        return rows
    rows["tick"], rows["samples"] = tick[start], end - start + 1
    rows["low"], rows["high"] = np.minimum.reduceat(value, start), np.maximum.reduceat(value, start)
    rows["total"] = np.add.reduceat(value, start)
    rows["first_at"], rows["first"], rows["last_at"], rows["last"] = at[start], value[start], at[end], value[end]
    return rows


def _joined(rows: Rows, new: Rows) -> Rows:
    """Later rows appended to earlier ones; the tick at the seam may be in both."""
    if not len(rows) or not len(new) or rows["tick"][-1] != new["tick"][0]:
        return np.concatenate([rows, new])
    joined = np.concatenate([rows, new[1:]])
    seam, more = joined[len(rows) - 1 : len(rows)], new[:1]
    seam["samples"] += more["samples"]
    seam["total"] += more["total"]
    seam["low"], seam["high"] = np.minimum(seam["low"], more["low"]), np.maximum(seam["high"], more["high"])
    seam["last_at"], seam["last"] = more["last_at"], more["last"]
    return joined


def scrape_interval(rows: Rows) -> float:
    """Median time between two samples, in seconds; NaN where there are fewer than two."""
    inside = np.maximum(rows["samples"] - 1, 0)
    gaps = np.concatenate(
        [(rows["last_at"] - rows["first_at"]) / np.maximum(inside, 1), rows["first_at"][1:] - rows["last_at"][:-1]]
    )
    weights = np.concatenate([inside, np.ones(max(len(rows) - 1, 0), np.int64)])
    order = np.argsort(gaps)
    counted = np.cumsum(weights[order])
    if not len(counted) or not counted[-1]:
        return float("nan")
    return float(gaps[order][np.searchsorted(counted, counted[-1] / 2)])


def longest_silence(rows: Rows) -> float:
    """Seconds between two samples beyond which nothing is known: 5 scrapes, or 90 s if that is more."""
    return float(np.fmax(_MISSED_SCRAPES * scrape_interval(rows), _SHORTEST_GAP_S))


def gauge_values(rows: Rows, first: int, last: int, width_s: float, what: Literal["mean", "low", "high"]) -> Floats:
    """A gauge in each tick of ``[first, last]``: of its samples there, or else the last one before."""
    ticks = np.arange(first, last + 1)
    if not len(rows):
        return np.full(len(ticks), np.nan)
    at = np.searchsorted(rows["tick"], ticks, side="right") - 1
    row = rows[np.maximum(at, 0)]
    seen = row["total"] / row["samples"] if what == "mean" else row[what]
    value = np.where(row["tick"] == ticks, seen, row["last"])
    known = (at >= 0) & (ticks * width_s - row["last_at"] <= longest_silence(rows))
    return np.where(known, value, np.nan)


def counter_values(rows: Rows, first: int, last: int, width_s: float) -> Floats:
    """A counter's rate per second in each tick of ``[first, last]``: increments spread evenly between two scrapes."""
    edges = np.arange(first, last + 2, dtype=np.float64) * width_s
    if not len(rows):
        return np.full(len(edges) - 1, np.nan)
    at = _interleaved(rows["first_at"], rows["last_at"])
    apart = np.diff(at)
    known = apart <= longest_silence(rows)
    covered = _between(edges, at, np.where(known, apart, 0.0))
    gained = _between(edges, at, np.where(known, np.diff(_interleaved(rows["first"], rows["last"])), 0.0))
    enough = covered > _COVERED * width_s
    return np.where(enough, gained / np.where(enough, covered, 1.0), np.nan)


def _interleaved(first: NDArray[Any], last: NDArray[Any]) -> Floats:
    return np.stack([first, last], axis=1).ravel()


def _between(edges: Floats, at: Floats, steps: Floats) -> Floats:
    """What falls between each two edges, of steps that are spread evenly between the times ``at``."""
    moving = np.concatenate([[True], np.diff(at) > 0])  # a tick with one sample has the same first and last
    total = np.concatenate([[0.0], np.cumsum(steps)])
    return np.diff(np.interp(edges, at[moving], total[moving]))

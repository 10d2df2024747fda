"""Metrics that go stale: what was scraped regularly from a source has stopped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.statistics.buckets import Floats, Ints

SOURCE = ("job", "instance", "pod", "replica", "node", "hostname", "Hostname")
"""Labels that say who exposes a series."""
TRANSIENT = ("ALERTS", "ALERTS_FOR_STATE")
"""Series that are there while something is wrong: that they stop is good news."""
_REGULAR = 20  # samples before a silence counts
_MISSED = 5.0  # scrapes, and seconds: as for a gap in a series
_SHORTEST_S = 90.0
_RETURNED = 3  # samples after a silence that are more than a stray one
_REPLACED_S = 600.0
_MOST = 4096

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stale:
    """Metrics of one source that stopped: when they should have come next, and which they are."""

    source: str
    onset: int
    names: tuple[str, ...]
    of: int
    every: float


class Staleness:
    """Which metrics of which source are alive.

    A metric of a source (all of its series with one name: other labels come and go) is stale when nothing came for more
    than 5 scrapes, 90 s, and twice its longest gap so far. One that another source began to expose within ten minutes
    is replaced (a roll-out), not lost. This is a rule, not a test: scrapes come by a clock.

    Parameters
    ----------
    width_s
        Width of a tick, in seconds.
    """

    STATE = (
        *("units", "refused", "waiting", "taken"),
        *("first", "last", "span", "samples", "longest", "back", "stale"),
    )

    def __init__(self, width_s: float) -> None:
        self.width_s = width_s
        self.units: dict[tuple[str, str], int] = {}
        self.of_key: dict[SeriesKey, int] = {}
        self.refused = 0
        self.waiting: Ints = np.empty((0, 2), np.int64)  # tick and unit, sorted
        self.taken = 0
        none = np.empty(0, np.int64)
        self.first = self.last = self.span = self.samples = self.longest = self.back = none
        self.stale = np.empty(0, np.bool_)

    def add(self, metrics: Metrics) -> None:
        """Take samples: only when they came matters."""
        unit = np.array([self._unit(key) for key in metrics.keys], np.int64)
        known = np.isfinite(metrics.at) & np.isfinite(metrics.value)
        pairs = np.stack([np.floor(metrics.at[known] / self.width_s).astype(np.int64), unit[metrics.series[known]]], 1)
        pairs = pairs[pairs[:, 1] >= 0]
        if not len(pairs):
            return
        both = np.concatenate([self.waiting[self.taken :], pairs])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        self.waiting, self.taken = both[np.append(True, (np.diff(both, axis=0) != 0).any(axis=1))], 0

    def _unit(self, key: SeriesKey) -> int:
        if key.name in TRANSIENT:
            return -1
        if key not in self.of_key:
            labels = dict(key.labels)
            name = ",".join(f"{label}={labels[label]}" for label in SOURCE if label in labels)
            unit = (name or "metrics", key.name)
            if unit not in self.units and len(self.units) >= _MOST:
                self.refused += 1
                return -1
            self.of_key[key] = self.units.setdefault(unit, len(self.units))
        return self.of_key[key]

    def advance(self, last: int) -> tuple[list[Stale], list[tuple[str, str]]]:
        """Judge at a tick: what is stale now and was not, and what came back."""
        self._take(last)
        usual = self.usual
        limit = np.maximum(np.maximum(_MISSED * usual, _SHORTEST_S / self.width_s), 2.0 * self.longest)
        silent = (self.samples >= _REGULAR) & (last - self.last > limit)
        returned = self.stale & (self.back >= _RETURNED) & ~silent
        lost = silent & ~self.stale
        names = list(self.units)
        replaced = self._replaced(names, np.flatnonzero(lost), silent) if lost.any() else []
        self.stale = (self.stale | lost) & ~returned
        lost[replaced] = False
        self.back[lost | returned] = 0
        return self._grouped(names, np.flatnonzero(lost), usual), [names[k] for k in np.flatnonzero(returned)]

    def _take(self, last: int) -> None:
        end = int(np.searchsorted(self.waiting[:, 0], last, side="right"))
        tick, unit = self.waiting[self.taken : end].T
        self.taken = max(end, self.taken)
        self._grow()
        order = np.argsort(unit, kind="stable")
        tick, unit = tick[order], unit[order]
        begins = np.diff(unit, prepend=-1) != 0
        before = np.where(begins, self.last[unit], np.append(-1, tick[:-1])) if len(tick) else tick
        gap = tick - before
        new = self.samples[unit] == 0
        fresh = begins & new
        self.first[unit[fresh]] = tick[fresh]
        self.back[:] += np.bincount(unit[self.stale[unit]], minlength=len(self.back))
        counted = ~fresh & ~(self.stale[unit] & begins) & (gap > 0)
        np.add.at(self.span, unit[counted], gap[counted])
        np.add.at(self.samples, unit[counted | fresh], 1)
        np.maximum.at(self.longest, unit[counted], gap[counted])
        np.maximum.at(self.last, unit, tick)

    def pass_over(self, pause: int) -> None:
        """Nobody listened for so many ticks: no sample was due meanwhile."""
        self.last = np.where(self.samples > 0, self.last + pause, self.last)

    def _grow(self) -> None:
        more = len(self.units) - len(self.first)
        if more:
            self.first, self.last, self.span, self.samples, self.longest, self.back = (
                np.append(x, np.full(more, fill))
                for x, fill in zip(
                    (self.first, self.last, self.span, self.samples, self.longest, self.back),
                    (0, -1, 0, 0, 0, 0),
                    strict=True,
                )
            )
            self.stale = np.append(self.stale, np.zeros(more, np.bool_))

    @property
    def any(self) -> bool:
        """Whether any metrics came so far."""
        return bool((self.samples > 0).any())

    @property
    def usual(self) -> Floats:
        """Mean ticks between two samples."""
        return np.asarray(self.span / np.maximum(self.samples - 1, 1))

    def _replaced(self, names: list[tuple[str, str]], lost: Ints, silent: Flags) -> list[int]:
        """Those that another source began to expose at about the time."""
        alive: dict[str, list[int]] = defaultdict(list)
        for k in np.flatnonzero((self.samples > 0) & ~silent):
            alive[names[k][1]].append(int(self.first[k]))
        near = _REPLACED_S / self.width_s

        def younger(k: int, first: int) -> bool:
            return bool(2 * first > self.first[k] + self.last[k] and abs(first - self.last[k]) <= near)

        return [int(k) for k in lost if any(younger(k, first) for first in alive[names[k][1]])]

    def _grouped(self, names: list[tuple[str, str]], lost: Ints, usual: Floats) -> list[Stale]:
        by_source: dict[str, list[int]] = defaultdict(list)
        for k in lost:
            by_source[names[k][0]].append(int(k))
        return [
            Stale(
                source,
                min(int(self.last[k] + max(round(usual[k]), 1)) for k in members),
                tuple(sorted(names[k][1] for k in members)),
                sum(s == source and n > 0 for (s, _), n in zip(names, self.samples.tolist(), strict=True)),
                float(np.median(usual[members])) * self.width_s,
            )
            for source, members in sorted(by_source.items())
        ]

    def heard(self, first: int, last: int) -> bool | None:
        """Whether any sample came in these ticks; None where there are no metrics, or none were due yet."""
        due = self.usual[self.samples >= _REGULAR]
        if not len(due) or last - first < 2 * due.min():
            return None
        known = self.waiting[:, 0]
        return bool(((known >= first) & (known <= last)).any() or (self.last[self.last <= last] >= first).any())

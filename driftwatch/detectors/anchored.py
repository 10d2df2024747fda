"""The second time scale: whole spans of ticks against what was first learnt, so that a creep is not absorbed.

A detector that goes on learning forgives whatever comes slowly enough. This one learns once, and then compares each
span with that, for as long as nobody says that the new level is the normal one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from driftwatch.detectors.protocol import Detector, Moves, Recent, Shift
from driftwatch.state.compact import Singles, single
from driftwatch.statistics.buckets import Floats, Ints

_NEVER = 2**60


class AnchoredDetector:
    """Another detector, fed with spans of ticks, which stops learning when it has learnt enough.

    A span is judged when it is over: with its last tick, or with the first row of a later one.

    Parameters
    ----------
    inner
        What judges the spans; its ticks are spans.
    span
        Ticks to a span.
    fold
        How the values and totals of a span, shape (n, s), become one row, shape (s,) each: `median_of` or `sum_of`.
    enough
        Spans to learn from: an hour each and a week of them hold the days and the weekend.

    Examples
    --------
    >>> from driftwatch.detectors import LocationDetector
    >>> inner = LocationDetector(margin=np.array([0.1]), seeds=np.array([1]), anchored=True)
    >>> detector = AnchoredDetector(inner, span=60, fold=median_of, enough=100)
    >>> rng, n = np.random.default_rng(0), 400 * 60
    >>> creep = np.maximum(np.arange(n) - 100 * 60, 0)[:, None] * 1e-5
    >>> log_e = np.full(n, -np.inf)
    >>> for start in range(0, n, 1200):
    ...     rows = slice(start, start + 1200)
    ...     tick, value = np.arange(n)[rows], rng.normal(0, 0.3, (1200, 1)) + creep[rows]
    ...     log_e[rows] = detector.update(tick, value, np.ones((1200, 1)))[:, 0]
    ...     detector.learn(start + 1200)
    >>> bool(log_e[: 250 * 60].max() < 10), bool(log_e.max() > 18)
    (True, True)
    """

    def __init__(
        self,
        inner: Detector,
        *,
        span: int,
        fold: Callable[[Floats, Floats], tuple[Floats, Floats]],
        enough: int = 168,
    ) -> None:
        self.inner, self.span, self.fold, self.enough = inner, span, fold, enough
        self.series = inner.series
        self.tick: Ints = np.empty(0, np.int64)
        self.value: Singles = np.empty((0, self.series), np.float32)
        self.total: Singles = np.empty((0, self.series), np.float32)

    @property
    def learnt(self) -> list[Floats]:
        """By series, the spans that were learnt from."""
        return self.inner.learnt

    def known(self, series: int) -> int:
        """How many spans were learnt from."""
        return self.inner.known(series)

    def ready(self, series: int) -> bool:
        """Whether enough is learnt to judge this one."""
        return self.inner.ready(series)

    def effective(self, series: int) -> float:
        """How many independent spans were learnt from."""
        return self.inner.effective(series)

    def restore(self, series: int, learnt: Floats) -> None:
        """Take over what another one learnt."""
        self.inner.restore(series, learnt)

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        """Take rows; returns log R where a span ended, -inf elsewhere."""
        known = len(self.tick)
        self.tick, self.value = np.concatenate([self.tick, tick]), np.concatenate([self.value, single(value)])
        self.total = np.concatenate([self.total, single(total)])
        log_e = np.full(value.shape, -np.inf)
        edges = self._edges()
        for start, end in pairwise(edges):
            told = self.inner.update(self.tick[start : start + 1] // self.span, *self._folded(start, end))
            # a span that ended with its last tick is told there, else with the row that followed it
            row = (end - 1 if self.tick[end - 1] % self.span == self.span - 1 else end) - known
            log_e[row] = np.maximum(log_e[row], told[0])
        rest = slice(edges[-1], None)
        self.tick, self.value, self.total = self.tick[rest], self.value[rest], self.total[rest]
        return log_e

    def _edges(self) -> list[int]:
        """Where the spans that are over begin, and where the last of them ends."""
        begins = np.flatnonzero(np.diff(self.tick // self.span, prepend=-_NEVER)).tolist()
        ended = len(self.tick) > 0 and self.tick[-1] % self.span == self.span - 1
        return [*begins, len(self.tick)] if ended else begins or [0]

    def _folded(self, start: int, end: int) -> tuple[Floats, Floats]:
        value, total = self.fold(*(x[start:end].astype(np.float64) for x in (self.value, self.total)))
        return value[None], total[None]

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take spans as healthy until there are enough; then nothing more."""
        spans = None if skip is None else (skip[0] // self.span, skip[1] // self.span)
        if max(map(self.known, range(self.series))) < self.enough:
            self.inner.learn(before // self.span, spans)
        else:
            self.inner.learn(-_NEVER, (-_NEVER, _NEVER))

    def evidence(self, tick: int) -> Floats:
        """Natural logarithm of the e-values as seen at this tick; -inf while learning."""
        return self.inner.evidence(self._last(tick))

    def describe(self, series: int, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick."""
        shift = self.inner.describe(series, self._last(tick))
        return None if shift is None else self._in_ticks(shift)

    def again(self, series: int, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        spans = replace(shift, onset=shift.onset // self.span)
        found = self.inner.again(series, spans, self._last(tick))
        return replace(found, onset=shift.onset)

    def recent(self, series: int, first: int, last: int) -> Recent:
        """Mean move over the spans that ended in these ticks."""
        return self.inner.recent(series, -(-first // self.span), self._last(last))

    def moves(self, series: int, first: int, last: int) -> Moves:
        """The move of each span that ended in these ticks."""
        return self.inner.moves(series, -(-first // self.span), self._last(last))

    def restart(self, series: int) -> None:
        """Forget the evidence, keep what was learnt."""
        self.inner.restart(series)

    def _last(self, tick: int) -> int:
        """The last span that was over at this tick."""
        return (tick + 1) // self.span - 1

    def _in_ticks(self, shift: Shift) -> Shift:
        low, middle, high = (span * self.span for span in (shift.onset_low, shift.onset, shift.onset_high))
        return replace(shift, onset=middle, onset_low=low, onset_high=high + self.span - 1)


def median_of(value: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Median of the ticks of a span, and the requests behind them; NaN where no tick has a value."""
    seen = ~np.isnan(value)
    middle = np.full(value.shape[1], np.nan)
    for k in np.flatnonzero(seen.any(axis=0)):
        middle[k] = np.median(value[seen[:, k], k])
    return middle, np.where(seen, total, 0.0).sum(axis=0)


def sum_of(value: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Hits and requests of a span; NaN where there were none."""
    whole = np.where(np.isnan(value), 0.0, total).sum(axis=0)
    return np.where(whole > 0, np.nansum(value, axis=0), np.nan), whole

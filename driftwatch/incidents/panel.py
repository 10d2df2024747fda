"""The tests of one stream: which detector watches which signal, on which time scale."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from driftwatch.baseline import Judged
from driftwatch.baseline.judged import Each
from driftwatch.config import Config
from driftwatch.detectors import (
    AnchoredDetector,
    AnswerDetector,
    Detector,
    LocationDetector,
    ProportionDetector,
    median_of,
    sum_of,
)
from driftwatch.events.signals import SIGNALS
from driftwatch.statistics.buckets import Floats, Ints

_MEASURED, _SAID = [s for s in SIGNALS if not s.text], [s for s in SIGNALS if s.text]
LOCATIONS = tuple(s.name for s in _MEASURED if s.shape != "share")
SHARES = tuple(s.name for s in _MEASURED if s.shape == "share")
SLOW_LOCATIONS = tuple(s.name for s in _MEASURED if s.shape != "share" and not s.workload)
"""Signals that may creep: what users do may change slowly, and that is no harm."""
SLOW_SHARES = tuple(s.name for s in _MEASURED if s.shape == "share" and not s.workload and not s.tail_of)
TEXT_LOCATIONS = tuple(s.name for s in _SAID if s.shape == "ratio")
TEXT_ANSWERS = tuple(s.name for s in _SAID if s.shape == "score")
TEXT_SHARES = tuple(s.name for s in _SAID if s.shape == "share")
_SPANS = 720  # of the slow time scale that are kept: a creep is dated within the last month of hours
_ANSWERS = 2048  # answers, or ticks of answers, that are learnt from: more say little more
SCORES = 4
"""Scores that callers bring and that are judged, at most."""
TESTS = (
    sum(map(len, (LOCATIONS, SHARES, SLOW_LOCATIONS, SLOW_SHARES, TEXT_LOCATIONS, TEXT_ANSWERS, TEXT_SHARES))) + SCORES
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One detector and the signals in its columns.

    Parameters
    ----------
    detector
        Watches them all.
    signals
        In the order of the columns.
    span
        Ticks that it judges at once: 1, or a span of the slow time scale.
    """

    detector: Detector
    signals: tuple[str, ...]
    span: int = 1

    @property
    def slow(self) -> bool:
        """Whether it watches whole spans."""
        return self.span > 1

    def rows(self, judged: Judged) -> tuple[Ints, Floats, Floats]:
        """Its signals side by side: ticks, and values and totals of shape (n, series); NaN where there is none."""
        if self.by_answer:
            return self._answers(judged.each)
        seen = {k: judged.tracks[name] for k, name in enumerate(self.signals) if name in judged.tracks}
        tick = np.unique(np.concatenate([np.empty(0, np.int64), *(track.tick for track in seen.values())]))
        value, total = np.full((len(tick), len(self.signals)), np.nan), np.zeros((len(tick), len(self.signals)))
        for k, track in seen.items():
            at = np.searchsorted(tick, track.tick)
            # a baseline that goes on learning moves what it expects: on the slow scale that is part of the move
            value[at, k], total[at, k] = track.value + (track.level if self.slow else 0.0), track.total
        return tick, value, total

    @property
    def by_answer(self) -> bool:
        """Whether its rows are answers."""
        return isinstance(self.detector, AnswerDetector)

    def _answers(self, each: Each | None) -> tuple[Ints, Floats, Floats]:
        if each is None:
            nothing = np.empty((0, len(self.signals)))
            return np.empty(0, np.int64), nothing, nothing
        value = np.stack([each.values[name] for name in self.signals], axis=1)
        return each.tick, value, np.ones_like(value)


@dataclass(frozen=True, slots=True)
class SignalTest:
    """One signal on one time scale.

    Parameters
    ----------
    signal
        Its name.
    panel
        Where it is watched.
    column
        Of the panel's detector.
    """

    signal: str
    panel: Panel
    column: int

    @property
    def name(self) -> str:
        """As in saved baselines."""
        return f"slow.{self.signal}" if self.panel.slow else self.signal

    @property
    def detector(self) -> Detector:
        """What watches it."""
        return self.panel.detector

    @property
    def ready(self) -> bool:
        """Whether enough is learnt to judge it."""
        return self.detector.ready(self.column)


def margins_of(config: Config) -> dict[str, float]:
    """Indifference margins as the detectors use them: log units for ratios, differences for shares.

    Examples
    --------
    >>> round(margins_of(Config())["ttft"], 4), margins_of(Config())["error_share"]
    (0.0953, 0.01)
    """
    given = config.margins.model_dump()
    given |= {s.name: given["kinds"] for s in SIGNALS if s.name.startswith("kind_")}
    return {s.name: given[s.name] if s.difference else math.log1p(given[s.name]) for s in SIGNALS}


def panels_of(config: Config, stream: str) -> tuple[Panel, ...]:
    """The detectors of one stream; their seeds depend on its name and nothing else."""
    span = max(2, round(config.learning.span_s / config.ticks.width_s))
    return tuple(_fast(config, stream)) + tuple(_slow(config, stream, span))


def _fast(config: Config, stream: str) -> Iterator[Panel]:
    capacity = config.learning.max_ticks
    margin = _margins(config, LOCATIONS)
    yield Panel(LocationDetector(margin=margin, seeds=_seeds(stream, LOCATIONS), capacity=capacity), LOCATIONS)
    yield Panel(ProportionDetector(margin=_margins(config, SHARES), capacity=capacity), SHARES)


def _slow(config: Config, stream: str, span: int) -> Iterator[Panel]:
    enough = config.learning.anchor_spans
    margin, seeds = _margins(config, SLOW_LOCATIONS), _seeds(f"{stream}|slow", SLOW_LOCATIONS)
    location = LocationDetector(margin=margin, seeds=seeds, capacity=8 * enough, kept=_SPANS, anchored=True)
    yield Panel(AnchoredDetector(location, span=span, fold=median_of, enough=enough), SLOW_LOCATIONS, span)
    share = ProportionDetector(margin=_margins(config, SLOW_SHARES), capacity=8 * enough, kept=_SPANS)
    yield Panel(AnchoredDetector(share, span=span, fold=sum_of, enough=enough), SLOW_SHARES, span)


def text_panels_of(config: Config, stream: str) -> tuple[Panel, ...]:
    """The detectors of what a stream's requests say, for streams that say anything."""
    capacity, margin = min(config.learning.max_ticks, _ANSWERS), _margins(config, TEXT_LOCATIONS)
    seeds, answers = _seeds(stream, TEXT_LOCATIONS), _margins(config, TEXT_ANSWERS)
    return (
        Panel(LocationDetector(margin=margin, seeds=seeds, capacity=capacity), TEXT_LOCATIONS),
        Panel(AnswerDetector(margin=answers, seeds=_seeds(stream, TEXT_ANSWERS), capacity=_ANSWERS), TEXT_ANSWERS),
        Panel(
            ProportionDetector(margin=_margins(config, TEXT_SHARES), capacity=min(capacity, _ANSWERS // 2)), TEXT_SHARES
        ),
    )


def score_panel_of(config: Config, stream: str, name: str) -> Panel:
    """The detector of one score that callers bring."""
    margin = np.array([config.margins.score])
    detector = LocationDetector(margin=margin, seeds=_seeds(stream, [name]), capacity=config.learning.max_ticks)
    return Panel(detector, (name,))


def signal_tests(panels: Sequence[Panel]) -> Mapping[str, SignalTest]:
    """All tests by name."""
    every = (SignalTest(signal, panel, k) for panel in panels for k, signal in enumerate(panel.signals))
    return {test.name: test for test in every}


def _margins(config: Config, signals: Sequence[str]) -> Floats:
    margins = margins_of(config)
    return np.array([margins[name] for name in signals])


def _seeds(stream: str, signals: Sequence[str]) -> Ints:
    return np.array([zlib.crc32(f"{stream}|{name}".encode()) << 20 for name in signals])

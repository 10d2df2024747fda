"""The detectors that the conformance suite is run on: a new one is one line in CASES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from driftwatch.detectors import (
    AnchoredDetector,
    AnswerDetector,
    Detector,
    LocationDetector,
    ProportionDetector,
    median_of,
    sum_of,
)

LEARN = 240
"""Ticks that are learnt from."""

Draw = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """A detector, how its values are drawn for levels of its own unit, a healthy level, and two that are not."""

    name: str
    make: Callable[..., Detector]
    draw: Draw
    margin: float
    healthy: float
    up: float
    down: float
    slack: float = 0.0
    """What a bet may gain on average at the edge of the margin, where its fairness is an approximation."""

    @property
    def moved(self) -> float:
        """Up, or down where there is no room above."""
        return self.up if self.up != self.healthy else self.down

    @property
    def shares(self) -> bool:
        """Whether values are counts of a total."""
        return "proportion" in self.name

    def fresh(self, series: int = 1, margin: float | None = None, **settings: int) -> Detector:
        """A detector of so many series."""
        return self.make(np.full(series, self.margin if margin is None else margin), **settings)


def normal(rng, level):
    return rng.normal(level, 0.3), np.full(level.shape, 7.0)


def coarse(rng, level):
    return np.round(normal(rng, level)[0]), np.full(level.shape, 7.0)


def single(rng, level):
    """A tick of one answer."""
    return rng.normal(level, 0.3), np.ones(level.shape)


def heavy(rng, level):
    return level + 0.3 * rng.standard_t(2, level.shape), np.full(level.shape, 7.0)


def counts(rng, level):
    total = rng.poisson(level)
    return np.log(total + 0.5), total.astype(float)


def binomial(rng, level):
    total = 1 + rng.poisson(14, level.shape)
    return rng.binomial(total, level).astype(float), total.astype(float)


def remembering(rng, level):
    noise = rng.normal(0, 0.25, (len(level) + 50, *level.shape[1:]))
    for k in range(1, len(noise)):
        noise[k] += 0.5 * noise[k - 1]
    return level + noise[50:], np.full(level.shape, 7.0)


def bursty(rng, level):
    """A share that is not the same in each tick: requests of one tick share its fate."""
    total = 1 + rng.poisson(14, level.shape)
    return rng.binomial(total, rng.beta(8 * level, 8 * (1 - level))).astype(float), total.astype(float)


def location(margin, **settings):
    return LocationDetector(margin=margin, seeds=np.arange(len(margin)) + 1, **settings)


def answers(margin, **settings):
    return AnswerDetector(margin=margin, seeds=np.arange(len(margin)) + 1, **settings)


def proportion(margin, **settings):
    return ProportionDetector(margin=margin, **settings)


def anchored_location(margin, **settings):
    """On the slow time scale, with spans of one tick and no end of learning."""
    inner = LocationDetector(margin=margin, seeds=np.arange(len(margin)) + 1, anchored=True, **settings)
    return AnchoredDetector(inner, span=1, fold=median_of, enough=10**9)


def anchored_proportion(margin, **settings):
    return AnchoredDetector(proportion(margin, **settings), span=1, fold=sum_of, enough=10**9)


CASES = [
    Case("location", location, normal, 0.1, 0.0, 1.0, -1.0),
    Case("answers one by one", answers, single, 0.1, 0.0, 1.0, -1.0),
    Case("location with ties", location, coarse, 0.1, 0.0, 2.0, -2.0),
    Case("location with heavy tails", location, heavy, 0.1, -3.0, -1.5, -4.5),
    Case("location with memory", location, remembering, 0.1, 0.0, 1.5, -1.5, slack=0.03),
    Case("location of few", location, counts, 0.1, 0.7, 9.0, 0.7),
    Case("anchored location", anchored_location, normal, 0.1, 0.0, 1.0, -1.0),
    Case("proportion", proportion, binomial, 0.03, 0.3, 0.75, 0.03),
    Case("anchored proportion", anchored_proportion, binomial, 0.03, 0.3, 0.75, 0.03),
    Case("bursty proportion", proportion, bursty, 0.03, 0.3, 0.85, 0.03, slack=0.1),
    Case("rare proportion", proportion, binomial, 0.01, 0.01, 0.3, 0.01),
    Case("frequent proportion", proportion, binomial, 0.01, 0.99, 0.99, 0.6),
]
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def stream(case, n, seed=0, moves=(), series=1):
    """Ticks from 0 (a few are missing), values and totals; ``moves`` are (from tick, level)."""
    rng = np.random.default_rng(seed)
    tick = np.flatnonzero(rng.random(n) < 0.9)
    level = np.full((len(tick), series), case.healthy)
    for since, moved in moves:
        level[tick >= since] = moved
    return tick, *case.draw(rng, level)


def pieces(rows, cuts):
    """The same observations in parts, cut before these ticks."""
    edges = np.searchsorted(rows[0], sorted(cuts))
    return [tuple(part) for part in zip(*(np.split(column, edges) for column in rows), strict=True)]


def learnt(case, rows, until=LEARN, **settings):
    """A detector that took everything before ``until`` as healthy, and what comes after."""
    detector = case.fresh(rows[1].shape[1], **settings)
    before, after = pieces(rows, [until])
    detector.update(*before)
    detector.learn(until)
    return detector, after

"""What of a warm-up can be learnt from: a change or an outage in it is recognised, and said, and its start left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.judged import Judged
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.statistics.whitening import LONGEST, Whitening, long_run_variance, winsorised
from driftwatch.ticks.tick import OUTCOMES, Ticks, merge

STEP_SIGNALS = ("ttft", "itl", "latency")
"""A warm-up in which one of these changed began before the change."""
_P_VALUE = 0.001
_EDGE = 8  # ticks at either end where a step cannot be told from noise
_EMPTY_RUN = 6  # ticks without requests that make an outage
_SETTLED = 0.95  # of the requests that are under way when a warm-up begins are done when it is learnt from


@dataclass(frozen=True, slots=True)
class Step:
    """A change inside the warm-up: the first changed tick, and by how much (log units)."""

    tick: int
    size: float
    p_value: float


def find_step(tick: Ints, value: Floats, margin: float) -> Step | None:
    """Look for one step in a warm-up.

    A cumulative-sum test whose variance is the long-run variance around the fitted step, so that neither
    autocorrelation makes a step nor a step hides in its own variance. Only steps of more than twice the margin and of
    three standard deviations of a tick count: a short warm-up says too little about its own slow swings for less.

    Parameters
    ----------
    tick, value
        Shape (n,): the signal's location by tick.
    margin
        Indifference margin in the same unit.

    References
    ----------
    Ploberger & Krämer (1992), "The CUSUM test with OLS residuals", Econometrica 60; Aue & Horváth (2013), "Structural
    breaks in time series", J. Time Series Analysis 34, section 2 (long-run variance under the alternative).

    Examples
    --------
    >>> value = np.concatenate([np.zeros(40), np.ones(40)]) + np.random.default_rng(0).normal(0, 0.2, 80)
    >>> find_step(np.arange(80), value, 0.1).tick
    40
    >>> find_step(np.arange(40), value[:40], 0.1) is None
    True
    """
    n = len(value)
    if n < 4 * _EDGE:
        return None
    excursion = np.cumsum(value - value.mean())
    inner = np.abs(excursion[_EDGE - 1 : n - _EDGE])
    split = int(np.argmax(inner)) + _EDGE
    size = float(np.median(value[split:]) - np.median(value[:split]))
    around = np.concatenate([value[:split] - value[:split].mean(), value[split:] - value[split:].mean()])
    statistic = float(inner.max()) / math.sqrt(n * max(long_run_variance(around), 1e-12))
    p_value = min(1.0, 2.0 * sum((-1) ** (k + 1) * math.exp(-2.0 * k * k * statistic**2) for k in range(1, 6)))
    if p_value > _P_VALUE or abs(size) < max(2.0 * margin, 3.0 * float(around.std())):
        return None
    return Step(int(tick[split]), size, p_value)


def independent(value: Floats) -> float:
    """How many independent ticks a signal's warm-up is worth: ticks that resemble their neighbours tell less.

    Parameters
    ----------
    value
        Shape (n,): the signal's location by tick.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=480)
    >>> independent(noise) > 400, independent(np.repeat(noise[:120], 4)) < 80
    (True, True)
    """
    if len(value) < 4 * LONGEST:  # too few to tell
        return float(len(value))
    return float(Whitening.fit(winsorised(value - np.median(value))).effective * len(value))


def outages(requests: Floats, failed: Floats) -> NDArray[np.bool_]:
    """Ticks of a warm-up in which the service was down: nothing came through, or most of it failed.

    Parameters
    ----------
    requests, failed
        Shape (n,): requests, and failed ones, of consecutive ticks.

    Examples
    --------
    >>> requests = np.array([9.0] * 10 + [0.0] * 6 + [9.0] * 4)
    >>> outages(requests, np.zeros(20)).nonzero()[0].tolist()
    [10, 11, 12, 13, 14, 15]
    """
    down = failed > 0.5 * np.maximum(requests, 1.0)
    if np.median(requests) < 3:  # sparse traffic: an empty tick says nothing
        return down
    empty = np.concatenate([[0], (requests == 0).astype(np.int8), [0]])
    starts, ends = np.flatnonzero(np.diff(empty) == 1), np.flatnonzero(np.diff(empty) == -1)
    for start, end in zip(starts, ends, strict=True):
        if end - start >= _EMPTY_RUN:
            down[start:end] = True
    return down


def without_outages(ticks: Ticks, first: int, last: int) -> tuple[Ticks, Ints]:
    """The ticks that were no outage, and which were."""
    n, position = last - first + 1, ticks.tick - first
    failed = sums(position, ticks.outcomes[:, OUTCOMES.index("error_share")], n)
    down = np.flatnonzero(outages(sums(position, ticks.requests, n), failed)) + first
    if not len(down):
        return ticks, down
    return merge([ticks.between(int(t), int(t)) for t in np.setdiff1d(ticks.tick, down)]), down


def settling(ticks: Ticks) -> int:
    """Ticks at the start of a warm-up that are not like the rest: of what is done so soon, all was quick."""
    lasted, weight = ticks.flow_known - ticks.flow_tick, np.maximum(ticks.started - ticks.announced, 0)
    if not weight.sum():
        return 0
    order = lasted.argsort()
    reached = np.cumsum(weight[order])
    slow = int(lasted[order[np.searchsorted(reached, _SETTLED * reached[-1])]])
    return min(slow, int(ticks.tick[-1] - ticks.tick[0]) // 4)


def worth_of(judged: Judged) -> float:
    """Independent ticks of the signal that has the fewest; infinite where none of them is measured."""
    tracks = [judged.tracks[signal] for signal in STEP_SIGNALS if signal in judged.tracks]
    return min((independent(track.value) for track in tracks), default=np.inf)


def length(parts: Sequence[Ticks]) -> int:
    """Ticks with requests."""
    return len(np.unique(np.concatenate([t.tick for t in parts]))) if parts else 0

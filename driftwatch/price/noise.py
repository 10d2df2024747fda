"""Healthy ticks to try detectors on: drawn from what a stream showed, or from what is typical."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from driftwatch.events.signals import BURSTS, TAILS, Signal
from driftwatch.statistics.buckets import Floats

BLOCK = 24
"""Ticks that are drawn together, so that what depends on its neighbours still does."""
TYPICAL_LEARNT = 720
"""Ticks of healthy traffic that a typical stream has learnt from (an hour of 5 s ticks)."""
MOST = 2_880
"""A run learns from the newest so many ticks: more changes little, and each run learns for itself."""
BY_REQUEST: Mapping[str, float] = {"duration": 0.4, "size": 0.6, "fraction": 0.2}
"""Standard deviation from request to request, in log units or parts, of what the workload does not explain."""
BETWEEN, MEMORY = 0.10, 0.5
"""Standard deviation from tick to tick that more traffic does not average out, and its autocorrelation."""
SHARES: Mapping[str, float] = {
    "length_share": 0.05,
    "abort_share": 0.01,
    "error_share": 0.002,
    "novel_share": 0.01,
    **dict.fromkeys(TAILS.values(), 0.05),
    **dict.fromkeys(BURSTS.values(), 0.002),
}
"""Healthy shares."""
_LAGS = 12  # of the memory: the rest is below a thousandth


@dataclass(frozen=True, slots=True)
class Drawn:
    """Healthy ticks of one signal, a column for each run.

    Parameters
    ----------
    learnt
        By run, what its detector has learnt from, as `Detector.restore` takes it.
    value, total
        Shape (n, runs): the ticks that follow.
    """

    learnt: list[Floats]
    value: Floats
    total: Floats

    @property
    def share(self) -> float:
        """Hits among all requests, of a share."""
        return float(self.value.sum() / max(self.total.sum(), 1.0))

    def moved(self, signal: Signal, change: float, since: int, rng: np.random.Generator) -> Floats:
        """The values with a change from row ``since`` on: a ratio less one, or a difference of shares.

        Examples
        --------
        >>> from driftwatch.events.signals import BY_NAME
        >>> drawn = Drawn([], np.zeros((2, 1)), np.ones((2, 1)))
        >>> drawn.moved(BY_NAME["ttft"], 1.0, 1, np.random.default_rng(0)).ravel().round(2).tolist()
        [0.0, 0.69]
        """
        healthy, late, total = self.value[:since], self.value[since:], self.total[since:]
        if signal.shape == "share":
            more = min(1.0, change / max(1.0 - self.share, 1e-9))
            late = late + rng.binomial(np.rint(total - late).astype(np.int64), more)
        elif signal.shape == "rate":  # counted as ln(n + 1/2)
            late = np.asarray(np.log(np.maximum(np.exp(late) - 0.5, 0.0) * (1.0 + change) + 0.5))
        else:
            late = late + (change if signal.difference else math.log1p(change))
        return np.concatenate([healthy, late])


class Noise(Protocol):
    """Where healthy ticks of one signal come from."""

    @property
    def ticks(self) -> int:
        """Ticks that were learnt from in all."""
        ...

    @property
    def presence(self) -> float:
        """The share of ticks in which there is something to judge."""
        ...

    def draw(self, n: int, runs: int, rng: np.random.Generator) -> Drawn:
        """What was learnt, and n ticks after it, several times."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What a stream showed while it was healthy, drawn again in blocks.

    Parameters
    ----------
    learnt
        What its detector learnt: shape (m,), or (m, 2) of hits and totals for a share.
    presence
        The share of ticks in which there was something to judge.

    References
    ----------
    Künsch (1989), "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17.
    """

    learnt: Floats
    presence: float

    @property
    def ticks(self) -> int:
        """Ticks that were learnt from in all."""
        return len(self.learnt)

    def draw(self, n: int, runs: int, rng: np.random.Generator) -> Drawn:
        """What was learnt, and n ticks of it in random blocks, several times."""
        block = min(BLOCK, len(self.learnt))
        start = rng.integers(0, len(self.learnt) - block + 1, (-(-n // block), 1, runs))
        at = (start + np.arange(block)[:, None]).reshape(-1, runs)[:n]
        found = self.learnt[at]
        value, total = (found, np.ones_like(found)) if found.ndim == 2 else (found[..., 0], found[..., 1])
        return Drawn([self.learnt[-MOST:]] * runs, value, total)


@dataclass(frozen=True, slots=True)
class Typical:
    """What is typical: the mean over a tick's requests, and an engine with moods of its own.

    Parameters
    ----------
    signal
        The signal.
    requests
        Requests in a tick, on average.
    """

    signal: Signal
    requests: float

    @property
    def presence(self) -> float:
        """The share of ticks with requests; that there were none is a number of requests too."""
        return 1.0 if self.signal.shape == "rate" else -math.expm1(-self.requests)

    @property
    def ticks(self) -> int:
        """Ticks that were learnt from: those of an hour that have requests."""
        return max(2 * BLOCK, round(TYPICAL_LEARNT * self.presence))

    def draw(self, n: int, runs: int, rng: np.random.Generator) -> Drawn:
        """What an hour brings to learn from, and n ticks after it, several times."""
        first = self.ticks
        value, total = self._ticks((first + n, runs), rng)
        if self.signal.shape == "share":
            return Drawn(list(np.stack([value, total], axis=-1)[:first].swapaxes(0, 1)), value[first:], total[first:])
        return Drawn(list(value[:first].T), value[first:], total[first:])

    def _ticks(self, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Floats, Floats]:
        if self.signal.shape == "rate":
            counts = rng.poisson(self.requests * np.exp(_moods(shape, rng))).astype(np.float64)
            return np.log(counts + 0.5), counts
        # a Poisson number that is not 0: the first request, and those that come after it
        before = -np.log1p(-rng.random(shape) * self.presence)
        total = 1.0 + np.asarray(rng.poisson(np.maximum(self.requests - before, 0.0)), np.float64)
        if self.signal.by_tick:
            total = np.ones(shape)
        if self.signal.shape == "share":
            return rng.binomial(total.astype(np.int64), SHARES[self.signal.name]).astype(np.float64), total
        within = np.asarray(BY_REQUEST[self.signal.shape] / np.sqrt(total) * rng.normal(size=shape))
        return within + _moods(shape, rng) * (0.5 if self.signal.shape == "fraction" else 1.0), total


def _moods(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """An autoregressive series in each column."""
    n, runs = shape
    steps = rng.normal(0.0, BETWEEN * math.sqrt(1.0 - MEMORY**2), (n + _LAGS - 1, runs))
    return np.asarray(sum(MEMORY**lag * steps[_LAGS - 1 - lag : _LAGS - 1 - lag + n] for lag in range(_LAGS)))

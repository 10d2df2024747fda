"""Healthy streams of many independent runs at once, shape (ticks, runs), as serving has them.

A location is in log units with a standard deviation of about 1, so that the default margin is a tenth of it: hard for
the promise, for a service's ticks vary less. Peers, which know no logs, get a lognormal stream as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from driftwatch.baseline import StreamBaseline
from driftwatch.config import Config
from driftwatch.incidents.panel import margins_of
from driftwatch.readers import Quarantine, read_requests
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.robust import huber_fit
from driftwatch.ticks import TickBuilder

PERIOD = 288  # ticks of a day
SWING = 0.5  # of a day's cycle, in log units
BLOCK = 24  # ticks of a recording that stay together
EFFECTIVE = 100  # independent values that a promise may wait for
RECORDED = ("ttft", "itl", "latency")
SHARE_MARGIN, LOCATION_MARGIN = 0.01, float(np.log(1.1))  # the defaults of the configuration

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Drawn:
    """Values of several runs.

    Parameters
    ----------
    value
        Shape (ticks, runs): what our detectors take.
    total
        Shape (ticks, runs): requests behind each value.
    raw
        Shape (ticks, runs): what a peer takes, before it is standardised by its first ticks.
    """

    value: Floats
    total: Floats
    raw: Floats


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of stream.

    Parameters
    ----------
    title
        As people read it.
    draw
        From a generator, the number of ticks, of runs, and of ticks that a regression may learn from.
    exchangeable
        Whether the promise must hold with margin 0 too.
    settles
        Ticks after which it must hold: 100 effective ones, or two periods.
    share
        Whether values are hits among ``total`` requests.
    """

    title: str
    draw: Callable[[Rng, int, int, int], Drawn]
    exchangeable: bool = True
    settles: int = EFFECTIVE
    share: bool = False

    @property
    def margin(self) -> float:
        """The default margin."""
        return SHARE_MARGIN if self.share else LOCATION_MARGIN


def streams(recordings: Path | None) -> list[Stream]:
    """All of them; those from recordings only where there are recordings."""
    made = [
        Stream("normal", located(normal)),
        Stream("lognormal", lognormal),
        Stream("t, 3 df", located(heavy)),
        Stream("Poisson, .3 a tick", located(sparse)),
        Stream("share near 0 (.01)", shares(0.01), share=True),
        Stream("share near 1 (.99)", shares(0.99), share=True),
        *(Stream(f"AR(1) {rho}", located(persistent(rho)), False, effective(rho)) for rho in (0.5, 0.7, 0.9)),
        Stream("cycle x lognormal, no covariate", cycle, False, 2 * PERIOD),
        Stream("latency driven by a daily load", driven, False, 2 * PERIOD),
    ]
    if recordings is None:
        return made
    return made + [
        Stream(f"recorded {signal}, resampled", resampled(residual), False, effective(_persistence(residual)))
        for signal, residual in recorded(recordings).items()
    ]


def located(noise: Callable[[Rng, int, int], Floats]) -> Callable[[Rng, int, int, int], Drawn]:
    """A stream whose values go to our detectors and to peers alike."""

    def draw(rng: Rng, ticks: int, runs: int, learnt: int) -> Drawn:
        return alike(noise(rng, ticks, runs))

    return draw


def alike(value: Floats) -> Drawn:
    return Drawn(value, np.ones_like(value), value)


def normal(rng: Rng, ticks: int, runs: int) -> Floats:
    return rng.standard_normal((ticks, runs))


def heavy(rng: Rng, ticks: int, runs: int) -> Floats:
    return np.asarray(rng.standard_t(3, (ticks, runs)) / np.sqrt(3.0))


def sparse(rng: Rng, ticks: int, runs: int) -> Floats:
    return np.asarray(np.log(rng.poisson(0.3, (ticks, runs)) + 0.5))


def persistent(rho: float) -> Callable[[Rng, int, int], Floats]:
    """AR(1) with a marginal standard deviation of 1."""

    def noise(rng: Rng, ticks: int, runs: int) -> Floats:
        value = rng.standard_normal((ticks, runs))
        value[1:] *= np.sqrt(1.0 - rho**2)
        for k in range(1, ticks):
            value[k] += rho * value[k - 1]
        return value

    return noise


def _persistence(value: Floats) -> float:
    return max(0.0, float(np.corrcoef(value[1:], value[:-1])[0, 1]))


def effective(rho: float) -> int:
    """Ticks of AR(1) that are worth a hundred independent ones."""
    return round(EFFECTIVE * (1.0 + rho) / (1.0 - rho))


def lognormal(rng: Rng, ticks: int, runs: int, learnt: int) -> Drawn:
    value = normal(rng, ticks, runs)
    return Drawn(value, np.ones_like(value), np.exp(value))


def shares(share: float) -> Callable[[Rng, int, int, int], Drawn]:
    """Hits among 20 requests a tick on average, sometimes 1, sometimes 100."""

    def draw(rng: Rng, ticks: int, runs: int, learnt: int) -> Drawn:
        total = (1 + rng.poisson(19.0 * rng.gamma(2.0, 0.5, (ticks, runs)))).astype(np.float64)
        hits = rng.binomial(total.astype(np.int64), share).astype(np.float64)
        return Drawn(hits, total, np.asarray(hits / total))

    return draw


def day(rng: Rng, ticks: int, runs: int) -> Floats:
    """A day's cycle that every run is met by at another hour."""
    hour = np.arange(ticks)[:, None] + rng.integers(0, PERIOD, runs)
    return np.asarray(SWING * np.sin(2.0 * np.pi * hour / PERIOD))


def cycle(rng: Rng, ticks: int, runs: int, learnt: int) -> Drawn:
    value = day(rng, ticks, runs) + normal(rng, ticks, runs)
    return Drawn(value, np.ones_like(value), np.exp(value))


def driven(rng: Rng, ticks: int, runs: int, learnt: int) -> Drawn:
    """Latency that follows the load: ours takes what our own regression, learnt on the first ticks, leaves of it."""
    load = day(rng, ticks, runs) + 0.1 * normal(rng, ticks, runs)
    latency = load + normal(rng, ticks, runs)
    rest = np.stack([_rest(x, y, learnt) for x, y in zip(load.T, latency.T, strict=True)], axis=1)
    return Drawn(rest, np.ones_like(rest), np.asarray(np.exp(latency)))


def _rest(load: Floats, latency: Floats, learnt: int) -> Floats:
    design = np.stack([np.ones_like(load), load], axis=1)
    ridge, nonnegative = np.array([1e-9, 1.0]), np.array([False, True])
    first = design[:learnt], latency[:learnt], np.ones(learnt)
    coefficients, _ = huber_fit(*first, ridge, nonnegative)
    return np.asarray(latency - design @ coefficients)


def recorded(recordings: Path) -> dict[str, Floats]:
    """What our baseline leaves unexplained of a healthy recording, by tick, for each signal."""
    config = Config()
    builder = TickBuilder(config)
    for batch in read_requests(
        [recordings / "vllm_cpu" / "healthy" / "requests.jsonl.gz"],
        config,
        Quarantine(config.input.max_quarantined_share),
    ):
        builder.add(batch)
    ticks = builder.close()
    first, last = int(ticks.tick[0]), int(ticks.tick[-1])
    baseline = StreamBaseline(config.learning, margins_of(config))
    baseline.collect(ticks, first)
    judged = baseline.start(last)
    return {signal: judged.tracks[signal].value for signal in RECORDED} if judged is not None else {}


def resampled(residual: Floats) -> Callable[[Rng, int, int, int], Drawn]:
    """A moving-block bootstrap (Kuensch 1989): blocks from anywhere in the recording, one after the other."""

    def draw(rng: Rng, ticks: int, runs: int, learnt: int) -> Drawn:
        start = rng.integers(0, len(residual) - BLOCK + 1, (-(-ticks // BLOCK), 1, runs))
        place = (start + np.arange(BLOCK)[:, None]).reshape(-1, runs)[:ticks]
        return alike(residual[place])

    return draw

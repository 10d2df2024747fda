"""The price of the budget, by signal: how long a change takes to be noticed, and how long learning takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.events.signals import BY_NAME, SIGNALS, Signal
from driftwatch.incidents import log_threshold
from driftwatch.incidents.budget import TESTS_OF_A_STREAM
from driftwatch.incidents.watch import EPOCH
from driftwatch.price.noise import Noise, Shown, Typical
from driftwatch.price.report import Delay, Price, SignalPrice, StreamPrice
from driftwatch.price.runs import HORIZON, Trial
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.whitening import PROMISED

PRICED = tuple(signal for signal in SIGNALS if not signal.text)
"""What answers say has no typical noise to assume: its delays are measured on real answers (docs/text.md)."""

RATIOS = (0.10, 0.25, 0.50, 1.0, 2.0)
"""Relative changes that are tried."""
POINTS = (0.02, 0.05, 0.10, 0.25, 0.50)
"""Differences that are tried, of shares."""


def delays(
    config: Config | Mapping[str, Any] | str | Path | None = None,
    baseline: Baseline | None = None,
    *,
    rate: float = 1.0,
    runs: int = 60,
) -> Price:
    """How long changes take to be noticed within the budget: the detectors themselves are run on healthy ticks.

    To healthy ticks of each signal a rise is added, and the detector that has learnt runs on until an incident would
    open. What is healthy is drawn in blocks of 24 ticks from what a stream showed (``baseline``); without one, noise is
    assumed that is typical (`driftwatch.price.noise` has the numbers).

    Parameters
    ----------
    config
        A TOML file, a mapping, or a `Config`.
    baseline
        From `driftwatch.fit`, of request logs.
    rate
        Requests a second of the stream that is assumed; not used with a baseline.
    runs
        Runs of each change: the median of them is told.

    Raises
    ------
    ConfigError
        If the configuration is wrong.

    Examples
    --------
    >>> stream = delays(rate=2.0, runs=9).streams[0]
    >>> [(d.change, d.outcome) for d in stream.signals[0].delays][:2]
    [(0.1, 'within_margin'), (0.25, 'noticed')]
    >>> stream.signals[0].delays[-1].delay_s <= 120
    True
    """
    settings = Config.load(config)
    width = settings.ticks.width_s
    if baseline is None:
        noises: dict[str, Noise] = {s.name: Typical(s, rate * width) for s in PRICED}
        streams = [_stream("a typical stream", noises, settings, runs, rate, assumed=True)]
    else:
        shown = {title: _shown(arrays) for title, arrays in baseline.streams.items()}
        streams = [_stream(t, n, settings, runs, _rate(n, width), assumed=False) for t, n in shown.items() if n]
    return Price(
        false_incidents=settings.budget.false_incidents,
        per_days=settings.budget.per_days,
        max_streams=settings.streams.max_streams,
        tests=TESTS_OF_A_STREAM,
        one_in_ticks=math.exp(log_threshold(settings)),
        tick_s=width,
        lateness_s=settings.ticks.lateness_s,
        horizon_s=HORIZON * width,
        streams=tuple(streams),
    )


def _shown(arrays: Mapping[str, Floats]) -> dict[str, Noise]:
    """What each signal showed; every tick has a number of requests, and most have the other signals."""
    learnt = {s.name: arrays[f"detector.{s.name}"] for s in PRICED if f"detector.{s.name}" in arrays}
    ticks = max((len(values) for values in learnt.values()), default=1)
    return {name: Shown(values, len(values) / ticks) for name, values in learnt.items()}


def _rate(noises: Mapping[str, Noise], width: float) -> float | None:
    traffic = noises.get("traffic")
    return float(np.mean(np.exp(traffic.learnt) - 0.5)) / width if isinstance(traffic, Shown) else None


def _stream(
    name: str, noises: Mapping[str, Noise], config: Config, runs: int, rate: float | None, *, assumed: bool
) -> StreamPrice:
    signals = [_signal(BY_NAME[signal], noise, config, runs) for signal, noise in noises.items()]
    return StreamPrice(
        name=name,
        assumed=assumed,
        requests_per_s=rate,
        judged_after_s=_judged_after(signals, config, rate),
        signals=tuple(signals),
    )


def _signal(signal: Signal, noise: Noise, config: Config, runs: int) -> SignalPrice:
    trial, width = Trial(signal, noise, config, runs), config.ticks.width_s
    return SignalPrice(
        signal=signal.name,
        unit=signal.unit,
        margin=getattr(config.margins, signal.name),
        learnt_ticks=noise.ticks,
        effective_ticks=round(trial.worth * noise.ticks, 1),
        promised_after_s=PROMISED / (trial.worth * noise.presence) * width,
        delays=tuple(_delay(trial, size, config) for size in (POINTS if signal.difference else RATIOS)),
    )


def _delay(trial: Trial, size: float, config: Config) -> Delay:
    if trial.within_margin(size):
        return Delay(change=size, outcome="within_margin")
    if not trial.possible(size):
        return Delay(change=size, outcome="impossible")
    ticks = trial.median_delay(size)
    if math.isinf(ticks):
        return Delay(change=size, outcome="too_slow")
    known = ticks * config.ticks.width_s + config.ticks.lateness_s
    return Delay(change=size, outcome="noticed", delay_s=round(known, 1))


def _judged_after(signals: list[SignalPrice], config: Config, rate: float | None) -> float:
    """The length of the warm-up: enough ticks, requests and independent ticks, at the end of an epoch."""
    need, width = config.learning, config.ticks.width_s
    timed = [s for s in signals if BY_NAME[s.signal].shape == "duration"] or signals
    independent = max(s.promised_after_s for s in timed) / width / PROMISED
    presence = max(s.learnt_ticks for s in timed) / max(s.learnt_ticks for s in signals)
    waited = min(need.min_effective * independent, need.max_wait_ticks / presence)
    requests = need.min_requests / (rate * width) if rate else 0.0
    ticks = max(need.min_ticks / presence, requests, waited)
    return math.ceil(ticks / EPOCH) * EPOCH * width + config.ticks.lateness_s

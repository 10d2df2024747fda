"""What there is to see at a moment: what users feel, what the machine shows, the usual checks, what is learnt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from driftwatch.attribution.checks.health import evaluate
from driftwatch.demo.live import Moment
from driftwatch.events.columns import Floats
from driftwatch.explain.facts import title
from driftwatch.explain.numbers import number
from driftwatch.incidents.models import HealthCheck
from driftwatch.incidents.watch import StreamWatch

POINTS, POINT_S = 48, 60.0
"""How many points of the past are drawn, and how many seconds each is."""
FELT = ("ttft", "itl", "latency")
MACHINE = (
    ("kv_cache_usage", "share"),
    ("requests_running", ""),
    ("requests_waiting", ""),
    ("preemptions", "1/s"),
)
_LOOK_S, _LOOK_AGAIN_S = 120.0, 30.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number and its past.

    Parameters
    ----------
    title, unit
        As people say it.
    values
        Shape (p,): a point for each of the last minutes, the newest last, NaN where unknown.
    against
        How many times what is expected of this workload it is; None where that is not known.
    """

    title: str
    unit: str
    values: Floats
    against: float | None = None

    @property
    def now(self) -> str:
        """The newest value in words."""
        value = float(self.values[-1])
        if self.unit == "s" and value < 0.1:
            return number(1000 * value, "ms")
        return number(value, self.unit)


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see at a moment.

    Parameters
    ----------
    moment
        With its incidents.
    checks
        What the usual health checks showed within the last minutes.
    progress
        How far the learning is, 0 to 1; watching begins at 1.

    Notes
    -----
    What is felt and shown is read from the engine when it is asked for, so ask before the next moment comes.
    """

    moment: Moment
    checks: tuple[HealthCheck, ...]
    progress: float

    @property
    def felt(self) -> list[Gauge]:
        """What users feel: medians of the requests that ended in each minute."""
        return [_felt(self.moment, name) for name in FELT]

    @property
    def machine(self) -> list[Gauge]:
        """What the machine shows: of several replicas the worst share, the sum of counts."""
        return [Gauge(title(name), unit, _measured(self.moment, name)) for name, unit in MACHINE]

    @property
    def firing(self) -> list[str]:
        """Names of the checks that fire."""
        return [check.name for check in self.checks if check.state == "firing"]

    @property
    def green(self) -> int:
        """How many checks are green."""
        return sum(check.state == "green" for check in self.checks)


def views(moments: Iterable[Moment]) -> Iterator[View]:
    """What there is to see at each moment; the health checks are looked at every half minute, as people would."""
    looked, shown = -np.inf, tuple[HealthCheck, ...]()
    for moment in moments:
        if moment.now - looked >= _LOOK_AGAIN_S:
            looked, shown = moment.now, _checks(moment)
        stream = _busiest(moment)
        yield View(moment, shown, stream.baseline.progress if stream is not None else 0.0)


def _checks(moment: Moment) -> tuple[HealthCheck, ...]:
    """What the checks showed within the last minutes, compared with nothing before."""
    engine, last, stream = moment.engine, _tick(moment), _busiest(moment)
    first = last - round(_LOOK_S / engine.config.ticks.width_s)
    extra = {}
    if stream is not None:
        extra["error_share"] = engine.histories[stream.title].signal("error_share", first, last)[1]
    return evaluate(engine.checks, engine.series, first, first, last, extra)


def _busiest(moment: Moment) -> StreamWatch | None:
    """The stream with the most requests; None before the first."""
    return max(moment.engine.watches.values(), key=lambda watch: watch.requests, default=None)


def _tick(moment: Moment) -> int:
    """The last tick that is over."""
    return int(moment.now // moment.engine.config.ticks.width_s) - 1


def _felt(moment: Moment, name: str) -> Gauge:
    edges = moment.now - POINT_S * np.arange(POINTS, -1, -1)
    cuts = np.searchsorted(moment.log.completed_at, edges)
    parts = np.split(getattr(moment.log, name), cuts)[1:-1]
    values = np.array([_median(part) for part in parts])
    return Gauge(title(name), "s", values, _against(moment, name))


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _against(moment: Moment, name: str) -> float | None:
    """How many times what the baseline expects the last minute was, by the mean of its logarithm."""
    stream, last = _busiest(moment), _tick(moment)
    if stream is None or not stream.baseline.ready:
        return None
    first = last - round(POINT_S / moment.engine.config.ticks.width_s)
    value, _, total = moment.engine.histories[stream.title].signal(name, first, last)
    known = np.isfinite(value) & (total > 0)
    return float(np.exp(np.average(value[known], weights=total[known]))) if known.any() else None


def _measured(moment: Moment, name: str) -> Floats:
    last, each = _tick(moment), round(POINT_S / moment.engine.config.ticks.width_s)
    values = moment.engine.series.combined(name, last - POINTS * each + 1, last, until=last).reshape(POINTS, each)
    known = np.isfinite(values)
    return np.where(
        known.any(axis=1), np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )

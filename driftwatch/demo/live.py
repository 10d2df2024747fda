"""A deployment's events, fed to the monitor's engine in the order and at the pace at which they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.events.columns import Floats, Markers, Metrics, Requests
from driftwatch.incidents import Incident


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known at one time.

    Parameters
    ----------
    now
        Simulated time, in seconds since the epoch.
    start, end
        When it began, and when it will end.
    log
        The requests that have ended so far, in order of completion.
    engine
        The monitor's engine, which has seen no more than this.
    news
        Transitions of incidents since the last moment.
    incidents
        All incidents so far as they were last told of, in order of opening.
    """

    now: float
    start: float
    end: float
    log: Requests
    engine: Engine
    news: tuple[Incident, ...]
    incidents: tuple[Incident, ...]


def play(requests: Requests, metrics: Metrics, markers: Markers, config: Config | None = None) -> Iterator[Moment]:
    """Feed batches to an engine tick by tick, as a monitor would get them.

    Parameters
    ----------
    requests, metrics, markers
        All of it in order of time. Requests without an end are left out, for no log has them yet.
    config
        Settings; the default ones if left out.

    Yields
    ------
    Moment
        One for each tick, and a last one with the last look at every open incident.
    """
    config = config or Config()
    engine, latest = Engine(config), dict[str, Incident]()
    requests = requests.take(~np.isnan(requests.completed_at))
    start, end = _span(requests.completed_at, metrics.at)
    times = np.append(np.arange(start, end, config.ticks.width_s)[1:], np.nextafter(end, np.inf))

    def moment(now: float, rows: int, news: Iterable[Incident]) -> Moment:
        told = tuple(news)
        latest.update((incident.id, incident) for incident in told)
        log = requests.take(slice(0, rows))
        return Moment(now, start, end, log, engine, told, tuple(sorted(latest.values(), key=lambda i: i.opened_at)))

    parts = (_cuts(at, times) for at in (markers.at, metrics.at, requests.completed_at))
    for now, marked, measured, ended in zip(times.tolist(), *parts, strict=True):
        engine.add(_marked(markers, marked))
        engine.add(
            replace(metrics, at=metrics.at[measured], series=metrics.series[measured], value=metrics.value[measured])
        )
        engine.add(requests.take(ended))
        yield moment(now, ended.stop, engine.advance(now=now))
    yield moment(end, len(requests), engine.finish())


def paced(
    moments: Iterable[Moment],
    speed: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Moment]:
    """Let each moment come no sooner than at its time.

    Parameters
    ----------
    moments
        In order of time.
    speed
        Simulated seconds in a second; 0 for as fast as possible.
    clock, sleep
        Seconds of some clock, and how to wait.
    """
    begun = clock()
    for moment in moments:
        yield moment
        if speed > 0:
            sleep(max(begun + (moment.now - moment.start) / speed - clock(), 0.0))


def _span(*times: Floats) -> tuple[float, float]:
    """From the first to the last of them."""
    every = np.concatenate(times)
    return float(every.min()), float(every.max())


def _cuts(at: Floats, times: Floats) -> list[slice]:
    """Which rows come between each time and the one before."""
    ends = np.searchsorted(at, times).tolist()
    return [slice(a, b) for a, b in pairwise([0, *ends])]


def _marked(markers: Markers, rows: slice) -> Markers:
    return Markers(markers.at[rows], markers.kind[rows], markers.text[rows], markers.labels[rows])

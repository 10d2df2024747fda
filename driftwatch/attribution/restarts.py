"""When the engines' processes began: a restart that nobody marked is an event, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from driftwatch.attribution.causes.candidates import Event
from driftwatch.attribution.placement import by_engine
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.series import SeriesStore

MARKED_S = 120.0
"""A marker this near to a restart tells of it: a roll-out, for one."""
_SLACK_S = 2.0  # the start of one process is computed from a clock that may be set


def started(store: SeriesStore, first: int, last: int) -> dict[str, Floats]:
    """When each engine's process began, in seconds, as of each tick in ``[first, last]``; NaN where not measured."""
    found = by_engine(store, "process_started")
    return {place: store.values(series, first, last, what="high", until=last) for place, series in found.items()}


def restarts(store: SeriesStore, marked: Sequence[int], first: int, last: int) -> list[Event]:
    """Restarts of engines that no marker tells of, as events on ticks that are counted from the first.

    Parameters
    ----------
    store
        The series of the machines that serve.
    marked
        Ticks of markers, counted from the first.
    first, last
        Ticks that are looked at; nothing after the last is known.

    Examples
    --------
    >>> from driftwatch.events.columns import Metrics, SeriesKey
    >>> store, key = SeriesStore(5.0, 100), SeriesKey("process_start_time_seconds", (("pod", "vllm-0"),))
    >>> store.add(Metrics(np.arange(8) * 5.0, np.zeros(8, np.int32), np.repeat([-900.0, 17.0], 4), (key,)))
    >>> restarts(store, [], 0, 7)
    [Event(at_tick=3, kind='restart', text='restart of vllm-0', scope={})]
    """
    found = [
        Event(at, "restart", f"restart of {place or 'the engine'}")
        for place, began in started(store, first, last).items()
        for at in _begun(began, first, store.width_s)
    ]
    near = MARKED_S / store.width_s
    return [event for event in found if all(abs(event.at_tick - tick) > near for tick in marked)]


def _begun(began: Floats, first: int, width_s: float) -> list[int]:
    """Ticks in which a process began that took another's place."""
    known = began[~np.isnan(began)]
    anew = known[1:][np.diff(known) > _SLACK_S]
    ticks = np.floor(anew / width_s).astype(np.int64) - first
    return sorted({int(tick) for tick in ticks if 0 <= tick < len(began)})

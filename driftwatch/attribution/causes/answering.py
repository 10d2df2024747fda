"""Candidates for what answers say: how many are decoded at once, how old the engine's process is, what was cached.

None of them makes an engine slow by itself, so that they are offered only where it is text that changed. Kernels and
samplers that depend on the batch, state that spoils as a process grows older, and blocks of a prefix cache that are not
what they should be are all known from engines' trackers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from driftwatch.attribution.causes.candidates import Candidate
from driftwatch.attribution.causes.screening import LATE_S
from driftwatch.attribution.restarts import started
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.series import SeriesStore

MOST_LIKE_TIME = 0.7
"""The age of a process that goes with time more closely than this says nothing that the clock does not."""
NEAR_S = 300.0
"""A restart so long before the onset may have begun it."""
_HOUR_S = 3600.0


def answering(store: SeriesStore, found: Floats, first: int, onset: int, last: int) -> Iterator[Candidate]:
    """What may change answers and is no mechanism of latency.

    Parameters
    ----------
    store
        The series of the machines that serve.
    found
        Shape (T,): the mean share of a prompt that the prefix cache had, as requests say; NaN where none says it.
    first, onset, last
        Ticks that are looked at, and the first of the incident; nothing after the last is known.
    """
    running = store.combined("requests_running", first, last, until=last)
    if np.isfinite(running).any():
        yield Candidate("concurrency", "mechanism", running, "requests")
    if np.isfinite(found).any():
        yield Candidate("cached_share", "mechanism", found, "share")
    age = engine_age(store, first, onset, last)
    if _tells(age[onset - first :]):
        yield Candidate("engine_age", "mechanism", age, "h")


def engine_age(store: SeriesStore, first: int, onset: int, last: int) -> Floats:
    """Hours since an engine's process began, the mean over engines; NaN where that is not measured.

    How old a process was whose place another one took with the incident says nothing of that one: it counts as new.

    Examples
    --------
    >>> from driftwatch.events.columns import Metrics, SeriesKey
    >>> store = SeriesStore(5.0, 100)
    >>> began = Metrics(np.arange(4) * 5.0, np.zeros(4, np.int32), np.full(4, -3600.0),
    ...                 (SeriesKey("process_start_time_seconds"),))
    >>> store.add(began)
    >>> engine_age(store, 0, 2, 3).round(3).tolist()
    [1.001, 1.003, 1.004, 1.006]
    """
    ends = store.width_s * np.arange(first + 1, last + 2)
    ages = [ends - _replaced(began, onset, first, store.width_s) for began in started(store, first, last).values()]
    if not ages:
        return np.full(last - first + 1, np.nan)
    known = ~np.isnan(ages)
    total = np.where(known, ages, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan) / _HOUR_S


def _replaced(began: Floats, onset: int, first: int, width_s: float) -> Floats:
    """When each process began, as if that had been just now for one that was replaced near the onset."""
    anew = np.flatnonzero(np.diff(began, prepend=began[:1]) > 0)
    after_s = (anew + first - onset) * width_s
    near = anew[(after_s >= -NEAR_S) & (after_s <= LATE_S)]
    gone = np.arange(len(began)) < (near[-1] if len(near) else 0)
    return np.where(gone & ~np.isnan(began), width_s * (np.arange(len(began)) + first + 1), began)


def _tells(age: Floats) -> bool:
    """Whether a process began anew often enough since the onset that its age is not merely the time that passed."""
    ticks = np.flatnonzero(np.isfinite(age))
    if len(ticks) < 2 or np.ptp(age[ticks]) == 0:
        return False
    return abs(float(np.corrcoef(ticks, age[ticks])[0, 1])) < MOST_LIKE_TIME

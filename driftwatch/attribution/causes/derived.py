"""Candidates that no engine exposes and that follow from what it does: such as a cap that is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Candidate
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.series import SeriesId, SeriesStore

AT_THE_CAP = 0.97
"""An engine that runs this share of the most that it ever ran, while others wait, is at its cap."""
LEAST_TICKS = 4
"""A cap that was reached in fewer ticks may be where the numbers happened to peak."""
MOSTLY = 0.5
"""Of the ticks with a queue, so many must be at the cap: a queue has other reasons too."""
ROOM = 0.9
"""With a KV cache fuller than this, it is memory that keeps others waiting."""


def derived(store: SeriesStore, first: int, last: int) -> Iterator[Candidate]:
    """Candidates that are computed from several series of one engine or host.

    Parameters
    ----------
    store
        The series of the machines that serve.
    first, last
        Ticks that are looked at; nothing after them is known.
    """
    made: tuple[Callable[[SeriesStore, int, int], Candidate | None], ...] = (concurrency_cap,)
    yield from filter(None, (make(store, first, last) for make in made))


def concurrency_cap(store: SeriesStore, first: int, last: int) -> Candidate | None:
    """Share of requests that wait for a slot while the KV cache has room; None where that is not seen, or not measured.

    The cap is not exposed by engines. It shows as a plateau: as many requests run as ever did, and others wait. Where
    the cache is nearly full it is memory that bounds how many run, and where it is not measured nobody can tell.

    Examples
    --------
    >>> from driftwatch.events.columns import Metrics, SeriesKey
    >>> names = ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
    >>> rows = [[3, 0, 0.1], [8, 0, 0.3], *[[8, 5, 0.3]] * 5]
    >>> at, code = np.repeat(5.0 * np.arange(7), 3), np.tile(np.arange(3, dtype=np.int32), 7)
    >>> store = SeriesStore(5.0, 100)
    >>> store.add(Metrics(at, code, np.ravel(rows), tuple(SeriesKey(name) for name in names)))
    >>> concurrency_cap(store, 0, 6).values.round(2).tolist()
    [0.0, 0.0, 0.38, 0.38, 0.38, 0.38, 0.38]
    """
    engines = [_at_the_cap(store, series, first, last) for series in store.ids("requests_waiting")]
    reached = [shares for shares in engines if shares is not None]
    # where requests wait for one engine and not for another, those of the one are slow
    return Candidate("concurrency_cap", "mechanism", np.fmax.reduce(reached), "share") if reached else None


def _at_the_cap(store: SeriesStore, series: SeriesId, first: int, last: int) -> Floats | None:
    """Of one engine's requests the share that waits, by tick; None where its cap was not reached.

    A share levels off as waiting times do on a log scale, and a count does not.
    """

    def of(name: str, what: Literal["mean", "high"] = "mean") -> Floats:
        return store.values(SeriesId(name, series.labels), first, last, what=what, until=last)

    waiting, running, use = of("requests_waiting"), of("requests_running", "high"), of("kv_cache_usage")
    measured = ~(np.isnan(waiting) | np.isnan(running) | np.isnan(use))
    if not measured.any():
        return None
    queue: NDArray[np.bool_] = measured & (waiting > 0)
    at_cap = queue & (running >= AT_THE_CAP * np.nanmax(running)) & (use < ROOM)
    if at_cap.sum() < max(LEAST_TICKS, MOSTLY * queue.sum()):
        return None
    return np.where(measured, np.where(at_cap, waiting / np.maximum(waiting + running, 1.0), 0.0), np.nan)

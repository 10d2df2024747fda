"""What GPUs say about memory beside the cache: who took more of it, and whether its pages move.

An engine takes nearly all memory when it starts and keeps it, so that "full" means nothing. What means something is a
change: memory that somebody takes later, and a busy GPU that draws less power at the same clock.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import held
from driftwatch.attribution.causes.screening import movement
from driftwatch.incidents.chapters import Paging, Span, Taker
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.series import SeriesId, SeriesStore

TAKEN_BYTES = 256 * 2.0**20
"""Less than this comes and goes with kernels and graphs."""
BUSY, FULL = 0.9, 0.9
"""A GPU counts as busy, and its memory as full, from here on."""
LESS_POWER = 0.1
"""It draws less by this share, and as it did not before."""
SAME_CLOCK = 0.97
"""A clock that fell further explains less power by itself."""
LEAST_TICKS = 12
"""Busy ticks on each side, without which nothing is compared."""
_CLEAR = 4.0  # robust standard deviations


def takers_of(store: SeriesStore, first: int, onset: int, last: int) -> tuple[Taker, ...]:
    """Programs, slices and whole GPUs whose memory grew at the onset or since.

    Parameters
    ----------
    store
        The series of the machines that serve.
    first, onset, last
        Before is ``[first, onset)``, since is ``[onset, last]``.
    """
    found = [
        Taker(who=_program(series), where=_where(series), before=before, after=after)
        for name in ("gpu_process_memory", "gpu_slice_memory", "gpu_memory_used")
        for series in store.ids(name)
        for before, after in _moved(store.values(series, first, last, until=last), onset - first)
    ]
    named = [taker.where.get("gpu") for taker in found if taker.who]
    return tuple(taker for taker in found if taker.who or taker.where.get("gpu") not in named)


def _moved(values: Floats, before: int) -> Iterator[Span]:
    """Medians before and since, where they differ by more than comes and goes; what is new was nothing before."""
    then, now = (part[np.isfinite(part)] for part in (values[:before], values[before:]))
    if not len(now):
        return
    was, is_ = float(np.median(then)) if len(then) else 0.0, float(np.median(now))
    scatter = 1.4826 * float(np.median(np.abs(then - was))) if len(then) else 0.0
    if is_ - was >= max(TAKEN_BYTES, _CLEAR * scatter):
        yield was, is_


def _program(series: SeriesId) -> str:
    return dict(series.labels).get("process", "")


def _where(series: SeriesId) -> dict[str, str]:
    labels = dict(series.labels)
    kept = ("gpu", "UUID", "mig", "slice", "GPU_I_ID", "Hostname", "hostname")
    return {name: labels[name] for name in kept if name in labels}


def paging_of(store: SeriesStore, first: int, onset: int, last: int) -> tuple[Paging, ...]:
    """GPUs that look as if the driver moved pages of their memory.

    Over-committed memory is moved to the host and back: the GPU counts as busy while it waits, and draws less power.

    Parameters
    ----------
    store
        The series of the machines that serve.
    first, onset, last
        Before is ``[first, onset)``, since is ``[onset, last]``.
    """
    tokens, running = (
        store.combined(name, first, last, until=last) for name in ("generation_tokens", "requests_running")
    )
    tokens = np.divide(tokens, running, out=np.full(len(tokens), np.nan), where=running > 0)
    found = (_paging(store, series, first, onset, last, tokens) for series in store.ids("gpu_power"))
    return tuple(each for each in found if each is not None)


def _paging(store: SeriesStore, series: SeriesId, first: int, onset: int, last: int, tokens: Floats) -> Paging | None:
    def of(name: str) -> Floats:
        return store.values(SeriesId(name, series.labels), first, last, until=last)

    power, busy = of("gpu_power"), of("gpu_utilization")
    clock = store.combined("gpu_sm_clock", first, last, until=last)  # the slowest: a group waits for it
    memory = memory_share(store, series, first, last)
    since = np.arange(last - first + 1) >= onset - first
    working = np.isfinite(power) & (busy >= BUSY)
    then, now = working & ~since, working & since
    if min(then.sum(), now.sum()) < LEAST_TICKS or not np.isfinite(memory[since]).any():
        return None
    full, watts = float(np.nanmedian(memory[since])), (float(np.median(power[then])), float(np.median(power[now])))
    usual = np.where(working, -power, np.nan)
    fell = watts[1] <= (1 - LESS_POWER) * watts[0] and movement(held(usual), onset - first, store.width_s).up
    if not fell or full < FULL or _ratio(clock, then, now) < SAME_CLOCK:
        return None
    rate = _pair(tokens, then, now)
    if rate is not None and rate[1] > (1 - LESS_POWER) * rate[0]:
        return None  # each request gets on as fast as before, and so does not wait
    return Paging(where=_where(series), utilization=float(np.median(busy[now])), memory=full, power=watts, tokens=rate)


def memory_share(store: SeriesStore, series: SeriesId, first: int, last: int) -> Floats:
    """Share of a GPU's memory in use, by tick; NaN where it is not measured."""
    share, used, free, total = (
        store.values(SeriesId(f"gpu_memory_{part}", series.labels), first, last, until=last)
        for part in ("share", "used", "free", "total")
    )
    size = np.where(np.isfinite(total), total, used + free)
    return np.where(np.isfinite(share), share, used / size)


def _pair(values: Floats, then: NDArray[np.bool_], now: NDArray[np.bool_]) -> Span | None:
    parts = [values[rows][np.isfinite(values[rows])] for rows in (then, now)]
    return (float(np.median(parts[0])), float(np.median(parts[1]))) if all(map(len, parts)) else None


def _ratio(values: Floats, then: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
    both = _pair(values, then, now)
    return 1.0 if both is None or both[0] <= 0 else both[1] / both[0]

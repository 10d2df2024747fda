"""What many teams have: alert rules on a dashboard, each a fixed threshold that must hold for five minutes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.catalogue import resolve
from driftwatch.events.columns import Floats, Metrics, Requests

WINDOW_S = HOLD_S = 300.0
EVERY_S = 15.0
LEARNT_S = 1200.0
TIMES, ERRORS, FULL = 2.0, 0.05, 0.95


def threshold_alarms(requests: Requests, metrics: Metrics) -> Floats:
    """When each rule began to fire.

    p95 of the latency, and of the time to first token, over 5 minutes above twice its median in the first 20 minutes;
    more than 5% of the requests of 5 minutes failed; KV use above 95% on any replica. Each for 5 minutes, looked at
    every 15 seconds (KV use at each scrape).
    """
    order = np.argsort(requests.at, kind="stable")
    at, failed = requests.at[order], requests.failed[order].astype(np.float64)
    looks = np.arange(at[0] + WINDOW_S, at[-1] + EVERY_S, EVERY_S)
    slow = [_slow(at, values[order], looks) for values in (requests.latency, requests.ttft)]
    errors = np.nan_to_num(_rolling(at, failed, looks, lambda some: float(some.mean()))) > ERRORS
    rules = [*((looks, above) for above in (*slow, errors)), *_full(metrics)]
    return np.sort(np.concatenate([firing(*rule) for rule in rules]))


def firing(at: Floats, above: NDArray[np.bool_]) -> Floats:
    """When a condition had held for five minutes, once for each time that it began to hold.

    Examples
    --------
    >>> minutes = np.arange(20)
    >>> firing(60.0 * minutes, minutes >= 10).tolist()
    [900.0]
    """
    if not len(at):
        return np.empty(0)
    began = np.flatnonzero(above & ~np.append(False, above[:-1]))
    ended = np.append(at, np.inf)[_ends(above, began)]
    fires = np.searchsorted(at, at[began] + HOLD_S)
    held = fires < len(at)
    times = at[fires[held]]
    return np.asarray(times[times < ended[held]])


def _ends(above: NDArray[np.bool_], began: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first look at which it does not hold any more; the number of looks where it still does."""
    off = np.append(np.flatnonzero(~above), len(above))
    return np.asarray(off[np.searchsorted(off, began)])


def _slow(at: Floats, values: Floats, looks: Floats) -> NDArray[np.bool_]:
    p95 = _rolling(at, values, looks, lambda some: float(np.quantile(some, 0.95)))
    first = p95[(looks <= at[0] + LEARNT_S) & np.isfinite(p95)]
    return np.nan_to_num(p95) > TIMES * np.median(first) if len(first) else np.zeros(len(looks), np.bool_)


def _rolling(at: Floats, values: Floats, looks: Floats, summary: Callable[[Floats], float]) -> Floats:
    """A summary of the last five minutes at each look; NaN where nothing was measured."""
    known = np.isfinite(values)
    at, values = at[known], values[known]
    spans = zip(np.searchsorted(at, looks - WINDOW_S), np.searchsorted(at, looks), strict=True)
    return np.array([summary(values[i:j]) if j > i else np.nan for i, j in spans])


def _full(metrics: Metrics) -> list[tuple[Floats, NDArray[np.bool_]]]:
    found = (resolve(key.name, key.labels) for key in metrics.keys)
    caches = [code for code, series in enumerate(found) if series and series[0].name == "kv_cache_usage"]
    mine = [metrics.series == code for code in caches]
    return [(metrics.at[rows], metrics.value[rows] > FULL) for rows in mine]

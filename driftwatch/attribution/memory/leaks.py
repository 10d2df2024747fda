"""What grows steadily, and when it will have run out: host memory, the memory of a process, the KV cache."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from driftwatch.attribution.scene import Scene
from driftwatch.events.catalogue import BY_NAME
from driftwatch.incidents.chapters import Forecast
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.series import SeriesId

PARTS = 8
"""The time looked at is cut into so many parts."""
STEADY = 6
"""Of the steps between neighbouring parts, so many must go the bad way: by chance that happens in 6% of all cases."""
LARGEST = 0.4
"""No step may be more than this of the whole rise: a leak is no jump."""
LEAST_S = 1200.0
"""A shorter time shows no slope."""
LEAST_RISE = 0.05
"""A rise by less than this share of what was left at the beginning is not told."""
LIKE = 1 / 3
"""The slowest stretch grows by this part of the fastest at least, or what follows is anybody's guess."""
FURTHEST_S = 7 * 86_400.0
"""What runs out later than this is not told."""


def forecasts_of(scene: Scene, first: int, last: int) -> tuple[Forecast, ...]:
    """Everything of limited size that is running out.

    Parameters
    ----------
    scene
        What is known around an incident.
    first, last
        Ticks that are looked at; before the onset too, for a leak is older than what it does.
    """
    told = (
        forecast(name, BY_NAME[name].unit, values, limit, scene.width)
        for name, values, limit in _limited(scene, first, last)
    )
    return tuple(found for found in told if found is not None)


def forecast(name: str, unit: str, values: Floats, limit: float, width_s: float) -> Forecast | None:
    """When a series reaches its limit, if it goes on as steadily as it has; None where it does not.

    Parameters
    ----------
    name, unit
        Of the series.
    values
        Shape (T,): by tick, NaN where not measured.
    limit
        Where it has run out, above or below its values.
    width_s
        Width of a tick, in seconds.

    Examples
    --------
    >>> growing = 4.0 + np.arange(720) / 720 + 0.01 * np.sin(np.arange(720))
    >>> found = forecast("process_memory", "GiB", growing, 8.0, 5.0)
    >>> [round(x, 1) for x in found.per_hour], [round(x / 3600, 1) for x in found.runs_out_in_s]
    ([1.0, 1.0], [3.0, 3.0])
    >>> forecast("process_memory", "GiB", np.r_[np.zeros(360), np.ones(360)], 8.0, 5.0) is None
    True
    """
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 4 * PARTS or (known[-1] - known[0]) * width_s < LEAST_S:
        return None
    whole = values[known[0] : known[-1] + 1]
    cut = [part[np.isfinite(part)] for part in np.array_split(whole, PARTS)]
    if not all(map(len, cut)):
        return None
    level = np.array([np.median(part) for part in cut])
    way = 1.0 if limit > level[0] else -1.0
    steps, apart = way * np.diff(level), len(whole) * width_s / PARTS
    rise = float(steps.sum())
    steadily = (steps > 0).sum() >= STEADY and float(steps.max()) <= LARGEST * rise
    if not steadily or rise < LEAST_RISE * way * (limit - level[0]):
        return None
    slopes = [(level[j] - level[i]) * way / ((j - i) * apart) for i, j in _PAIRS]
    slow, typical, fast = np.quantile(slopes, [0.1, 0.5, 0.9])
    now = level[-1] + way * typical * apart / 2  # a median is that of the middle of a part
    left = way * (limit - now)
    if left <= 0 or slow < LIKE * fast or left / fast > FURTHEST_S:
        return None
    return Forecast(
        name=name,
        unit=unit,
        now=float(now),
        limit=limit,
        per_hour=(3600.0 * float(slow), 3600.0 * float(fast)),
        runs_out_in_s=(float(left / fast), float(left / slow)),
    )


_PAIRS = [(i, j) for i in range(PARTS) for j in range(i + 2, PARTS)]


def _limited(scene: Scene, first: int, last: int) -> Iterator[tuple[str, Floats, float]]:
    """Series that can run out, each with where."""
    yield "host_memory", scene.host_memory(first, last), 1.0
    yield "kv_cache_usage", scene.series.combined("kv_cache_usage", first, last, until=last), 1.0
    total = scene.series.combined("host_memory_total", first, last, until=last)
    if np.isfinite(total).any():
        for series in scene.series.ids("process_memory"):
            yield series.name, scene.series.values(series, first, last, until=last), float(np.nanmin(total))
    for series in scene.series.ids("gpu_memory_used"):
        used, free, whole = (
            scene.series.values(SeriesId(name, series.labels), first, last, until=last)
            for name in ("gpu_memory_used", "gpu_memory_free", "gpu_memory_total")
        )
        size = np.where(np.isfinite(whole), whole, used + free)
        if np.isfinite(size).any():
            yield series.name, used, float(np.nanmax(size))

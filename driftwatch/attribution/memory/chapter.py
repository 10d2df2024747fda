"""The chapter on memory: how full the KV cache was, what was preempted and computed again, and who else took memory.

Preallocated memory is always full. What says something is inside it (the KV cache), what follows (preemptions,
recomputed tokens), and what moves although it should not (another program, pages, a steady growth).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from driftwatch.attribution.causes.candidates import Candidate
from driftwatch.attribution.causes.derived import concurrency_cap
from driftwatch.attribution.memory.gpus import paging_of, takers_of
from driftwatch.attribution.memory.leaks import forecasts_of
from driftwatch.attribution.scene import Scene
from driftwatch.events.catalogue import BY_NAME as SERIES
from driftwatch.events.catalogue import RATIOS, Ratio, Series
from driftwatch.incidents.chapters import Memory, Reading, Span
from driftwatch.statistics.buckets import Floats

FULL = 0.98
"""A KV cache that is as full as this has no room for another request."""
READ = (
    *("kv_cache_usage", "preemptions", "retracted", "evicted_tokens", "kv_tokens_free", "prefix_hit_rate"),
    *("gpu_memory_used", "gpu_utilization", "gpu_power", "host_memory", "host_swap", "process_memory"),
)
"""Series that are told, where they are measured."""
_LOOKED_UP = ("prefix_hit_rate", "prefix_cache_queries")
_KNOWN: dict[str, Series | Ratio] = {**SERIES, **{ratio.name: ratio for ratio in RATIOS}}


def memory_of(scene: Scene, first: int, onset: int, last: int) -> Memory | None:
    """What was measured of memory before the onset and since; None where nothing was.

    Parameters
    ----------
    scene
        What is known around the incident.
    first, onset, last
        Before is ``[first, onset)``, since is ``[onset, last]``.
    """
    readings = tuple(_readings(scene, first, onset, last))
    if not readings:
        return None
    kv = _since(scene, "kv_cache_usage", onset, last)
    preempted = _since(scene, "preemptions", onset, last)
    total = float(np.nansum(preempted)) * scene.width if np.isfinite(preempted).any() else None
    return Memory(
        readings=readings,
        kv_free=1.0 - float(np.nanquantile(kv, 0.95)) if np.isfinite(kv).any() else None,
        kv_full=float((kv[np.isfinite(kv)] >= FULL).mean()) if np.isfinite(kv).any() else None,
        capacity=_capacity(scene),
        asked=_asked(scene, first, onset, last),
        preempted=total,
        recomputed=recomputed(scene, first, onset, last),
        at_cap=_at_cap(concurrency_cap(scene.series, first, last), onset - first),
        takers=takers_of(scene.series, first, onset, last),
        paging=paging_of(scene.series, first, onset, last),
        forecasts=forecasts_of(scene, first, last),
    )


def recomputed(scene: Scene, first: int, start: int, end: int) -> Span | None:
    """Tokens that were computed again because of preemptions, in ``[start, end]``: the least and the most they can be.

    Engines count preemptions, and not what they cost. A request that loses its place has its prompt computed again, and
    what it had generated; what the prefix cache still has of it is not. So it is between the mean prompt without what
    the cache finds, and all tokens that a request under way holds.

    Parameters
    ----------
    scene
        What is known around the incident.
    first
        The first tick that flows are counted from.
    start, end
        Ticks that are looked at.
    """
    rate = scene.series.combined("preemptions", start, end, until=end)
    known = [h.signal("asked_tokens", start, end) for h in scene.histories.values()]
    prompts = sum(float(np.nansum(value)) for value, _, _ in known)
    requests = sum(float(total[np.isfinite(value)].sum()) for value, _, total in known)
    if not np.isfinite(rate).any() or not requests:
        return None
    count, prompt = float(np.nansum(rate)) * scene.width, prompts / requests
    hit = _found(scene, start, end)
    return count * prompt * (1.0 - hit), count * max(_held_by_one(scene, first, start, end), prompt)


def _found(scene: Scene, start: int, end: int) -> float:
    """Share of the tokens that the prefix cache had: all if that is not known, none if nothing was ever looked up."""
    rate, asked = (scene.series.combined(name, start, end, until=end) for name in _LOOKED_UP)
    if np.isfinite(rate).any():
        return float(np.nanmean(rate))
    return 0.0 if np.isfinite(asked).any() and not np.nansum(asked) else 1.0


def _held_by_one(scene: Scene, first: int, start: int, end: int) -> float:
    """Tokens that a request under way has, on average over time: longer ones are met more often."""
    running = sum(
        np.nan_to_num(scene.series.combined(name, start, end, until=end))
        for name in ("requests_running", "requests_waiting")
    )
    held = _held(scene, first, end)[start - first :]
    some = np.asarray(running) > 0
    return float(held[some].sum() / np.asarray(running)[some].sum()) if some.any() else 0.0


def _held(scene: Scene, first: int, last: int) -> Floats:
    flows = [history.flow(first, last)[2] for history in scene.histories.values()]
    return np.sum(flows, axis=0) if flows else np.zeros(last - first + 1)


def _readings(scene: Scene, first: int, onset: int, last: int) -> Iterator[Reading]:
    for name in READ:
        whole = scene.series.combined(name, first, last, until=last)
        values = scene.host_memory(first, last) if name == "host_memory" else whole
        then, now = (part[np.isfinite(part)] for part in (values[: onset - first], values[onset - first :]))
        if len(then) and len(now):
            known = _KNOWN[name]
            worst = now.max() if known.bad == "up" else now.min()
            yield Reading(
                name=name,
                unit=known.unit,
                before=float(np.median(then)),
                after=float(np.median(now)),
                worst=float(worst),
            )


def _since(scene: Scene, name: str, onset: int, last: int) -> Floats:
    return scene.series.combined(name, onset, last, until=last)


def _capacity(scene: Scene) -> float | None:
    """Tokens that all KV caches hold, by what engines say of their configuration."""
    sizes = [dict(series.labels) for series in scene.series.ids("kv_cache_config")]
    counts = [(labels.get("num_gpu_blocks", ""), labels.get("block_size", "")) for labels in sizes]
    known = [float(blocks) * float(size) for blocks, size in counts if blocks.isdigit() and size.isdigit()]
    return sum(known) if known and len(known) == len(counts) else None


def _asked(scene: Scene, first: int, onset: int, last: int) -> float | None:
    """The 95% quantile of the tokens under way; of requests that have not ended nobody knows how many they have."""
    held = _held(scene, first, last)[onset - first :]
    return float(np.quantile(held, 0.95)) if held.any() else None


def _at_cap(cap: Candidate | None, before: int) -> float | None:
    if cap is None:
        return None
    since = cap.values[before:]
    known = since[np.isfinite(since)]
    return float((known > 0).mean()) if len(known) else None

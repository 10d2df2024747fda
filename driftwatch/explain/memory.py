"""The chapter on memory in words: how full the cache was, what was computed again, who took memory, what runs out."""

from __future__ import annotations

from collections.abc import Iterator

from driftwatch.events.catalogue import BY_NAME, RATIOS
from driftwatch.explain.numbers import clean, lasting, number, pair
from driftwatch.explain.story import Table
from driftwatch.incidents.chapters import Forecast, Memory, Paging, Reading, Taker
from driftwatch.incidents.models import Incident

_ROOM = 0.7  # a cache that is never fuller than this keeps nobody waiting (docs/attribution.md)
_STEADY = 0.01
_TITLES = {ratio.name: ratio.title for ratio in RATIOS} | {name: known.title for name, known in BY_NAME.items()}


def told(incident: Incident) -> Iterator[str]:
    """What was measured, the KV cache first."""
    memory = incident.memory
    if memory is None:
        return
    readings = {reading.name: reading for reading in memory.readings}
    yield from _cache(memory, readings.get("kv_cache_usage"))
    yield from _preempted(memory)
    yield from _preallocated(readings.get("gpu_memory_used"))
    yield from map(_taken, memory.takers[:4])
    yield from map(_paging, memory.paging[:4])
    yield from map(_runs_out, memory.forecasts[:4])


def table(incident: Incident) -> Table | None:
    """All series of memory that were measured."""
    if incident.memory is None or not incident.memory.readings:
        return None
    rows = tuple(
        (_title(r.name), pair(r.before, r.after, r.unit), number(r.worst, r.unit)) for r in incident.memory.readings
    )
    return Table("Memory, before and since", ("measured", "before -> since", "worst since"), rows)


def _title(name: str) -> str:
    return _TITLES.get(name) or clean(name.replace("_", " "))


def _cache(memory: Memory, kv: Reading | None) -> Iterator[str]:
    if kv is not None:
        most = number(kv.worst, "share")
        if kv.worst < _ROOM:
            yield f"the KV cache had room: {pair(kv.before, kv.after, 'share')}, at most {most}"
        else:
            full = f", 98% full or more for {number(memory.kv_full, 'share')} of the time" if memory.kv_full else ""
            yield f"KV cache {pair(kv.before, kv.after, 'share')}, at most {most}{full}"
    if memory.capacity and memory.asked:
        asked, fits = number(memory.asked, "tokens"), number(memory.capacity, "tokens")
        share = number(memory.asked / memory.capacity, "share")
        yield f"requests under way had up to {asked} at once; the cache holds {fits}, so they asked for {share} of it"
    if memory.at_cap:
        yield (
            f"in {number(memory.at_cap, 'share')} of the time requests waited although the cache had room, while as "
            "many ran as ever did: that is the cap on concurrent requests, not memory"
        )


def _preempted(memory: Memory) -> Iterator[str]:
    if not memory.preempted or memory.preempted < 0.5:
        return
    again = ""
    if memory.recomputed is not None:
        least, most = memory.recomputed
        again = f"; computed again because of them: {number(least)} to {number(most, 'tokens')}"
    yield f"{memory.preempted:,.0f} preemptions since the onset{again}"


def _preallocated(used: Reading | None) -> Iterator[str]:
    if used is not None and abs(used.after - used.before) <= _STEADY * used.before:
        size = number(used.after, "bytes")
        yield f"GPU memory in use stayed at {size}: an engine takes it when it starts, so that alone says nothing"


def _taken(taker: Taker) -> str:
    who = clean(taker.who) if taker.who else "somebody, or the engine beside its cache,"
    where = clean(" ".join(f"{name}={value}" for name, value in taker.where.items()), 80)
    return f"{who} took more memory of the GPU ({where}): {pair(taker.before, taker.after, 'bytes')}"


def _paging(paging: Paging) -> str:
    where = clean(" ".join(f"{name}={value}" for name, value in paging.where.items()), 80)
    slower = f", and each request got {pair(*paging.tokens, '1')} tokens/s" if paging.tokens else ""
    return (
        f"the GPU ({where}) was busy {number(paging.utilization, 'share')} of the time, its memory "
        f"{number(paging.memory, 'share')} full, at the same clock, yet it drew {pair(*paging.power, 'W')}{slower}: "
        "as where the driver moves pages of over-committed memory"
    )


def _runs_out(forecast: Forecast) -> str:
    soon, late = map(lasting, forecast.runs_out_in_s)
    slow, fast = (number(x, forecast.unit) for x in forecast.per_hour)
    rate = slow if slow == fast else f"{slow} to {fast}"
    within = soon if soon == late else f"{soon} to {late}"
    return f"{_title(forecast.name)} moves by {rate} an hour, steadily: at this slope it runs out in {within}"

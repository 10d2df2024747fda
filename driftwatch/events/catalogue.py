"""The series that engines, GPUs and hosts expose: our name for each, its role, unit, and its names at the source.

Roles decide what may be called a cause: that is knowledge of how serving works, not statistics. The tables themselves
are in `engines` and `machines`; this file looks things up in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from driftwatch.events.engines import ENGINE_SERIES, RATIOS
from driftwatch.events.machines import MACHINE_SERIES
from driftwatch.events.series import Ratio, Series, SeriesKind, SeriesRole, Source

__all__ = [
    "BY_NAME",
    "RATIOS",
    "SERIES",
    "Absent",
    "Ratio",
    "Series",
    "SeriesKind",
    "SeriesRole",
    "Source",
    "expected_series",
    "resolve",
    "scale_of",
]

SERIES: tuple[Series, ...] = (*ENGINE_SERIES, *MACHINE_SERIES)
"""All series, in the order in which they are shown."""

BY_NAME: dict[str, Series] = {series.name: series for series in SERIES}

ENGINES: dict[str, str] = {
    "vllm:": "vLLM",
    "sglang:": "SGLang",
    "trtllm_": "TensorRT-LLM",
    "nv_trt_llm_": "Triton with TensorRT-LLM",
    "tgi_": "TGI",
    "llamacpp:": "llama.cpp",
    "DCGM_FI_": "DCGM exporter",
}
"""What a name's beginning says about who exposes it."""

_PARTS = ("bucket", "sum", "count")
_NAMESPACE = re.compile(r"^(?:\w+?_)?(vllm_\w+)$")


@dataclass(frozen=True, slots=True)
class Absent:
    """A series that an engine should expose and does not, or exposes under a name that is on its way out.

    Parameters
    ----------
    series
        What is missing.
    engine
        Who should expose it.
    name
        The name to look for.
    seen_as
        The old name that was seen instead; empty where there is none at all.
    """

    series: Series
    engine: str
    name: str
    seen_as: str = ""

    def __str__(self) -> str:
        if self.seen_as:
            return f"{self.engine} exposes {self.seen_as}, an old name: it is now {self.name}"
        return f"{self.engine} does not expose {self.name} ({self.series.title})"


@dataclass(frozen=True, slots=True)
class _Entry:
    series: Series
    source: Source


def _plain(name: str) -> str:
    return name.replace(":", "_").replace(".", "_")


def _index() -> dict[str, list[_Entry]]:
    table: dict[str, list[_Entry]] = {}
    for series in SERIES:
        for source in (Source(series.name), *series.sources):
            table.setdefault(_plain(source.name), []).append(_Entry(series, source))
    return table


_TABLE = _index()


def resolve(raw_name: str, labels: tuple[tuple[str, str], ...] | None = None) -> tuple[Series, str] | None:
    """Say which series a source's name means.

    Parameters
    ----------
    raw_name
        As exposed, with or without ``_total``; ``:`` and ``.`` may have become ``_``, and a namespace may come first,
        as in ``ray_vllm_num_requests_running``.
    labels
        The labels of the time series. Some names mean different things by label; without labels the first is taken.

    Returns
    -------
    tuple of Series and str, or None
        The series, and which part of a histogram it is: ``""``, ``"bucket"``, ``"sum"`` or ``"count"``.

    Examples
    --------
    >>> series, part = resolve("ray_vllm_time_to_first_token_seconds_bucket")
    >>> series.name, part
    ('ttft', 'bucket')
    >>> resolve("vllm:num_preemptions_total")[0].name
    'preemptions'
    >>> resolve("go_goroutines") is None
    True
    """
    found = _entry(raw_name, labels)
    return None if found is None else (found[0].series, found[1])


def scale_of(raw_name: str, labels: tuple[tuple[str, str], ...] | None = None) -> float:
    """What a source's values are multiplied by to get to the unit of the series (1.0 for an unknown name).

    Examples
    --------
    >>> scale_of("DCGM_FI_DEV_GPU_UTIL"), scale_of("hw.gpu.utilization")
    (0.01, 1.0)
    """
    found = _entry(raw_name, labels)
    return 1.0 if found is None else found[0].source.scale


@lru_cache(maxsize=65_536)
def _entry(raw_name: str, labels: tuple[tuple[str, str], ...] | None) -> tuple[_Entry, str] | None:
    plain = _plain(raw_name)
    for name in dict.fromkeys((plain, _NAMESPACE.sub(r"\1", plain))):
        for base, part in _readings(name):
            for entry in _TABLE.get(base, ()):
                if (not part or entry.series.kind == "histogram") and _fits(entry.source, labels):
                    return entry, part
    return None


def _readings(name: str) -> Iterable[tuple[str, str]]:
    yield name, ""
    yield name.removesuffix("_total"), ""
    base, _, part = name.rpartition("_")
    if part in _PARTS:
        yield base, part


def _fits(source: Source, labels: tuple[tuple[str, str], ...] | None) -> bool:
    return labels is None or all(pair in labels for pair in source.where)


def _engine(name: str) -> str:
    return next((prefix for prefix in ENGINES if name.startswith(prefix)), "")


def expected_series(seen_names: Iterable[str]) -> tuple[Absent, ...]:
    """What the engines that were seen should expose and do not.

    Parameters
    ----------
    seen_names
        Names as exposed, of any metric, known to us or not.

    Examples
    --------
    >>> for absent in expected_series(["vllm:gpu_cache_usage_perc", "vllm:num_requests_running"])[:2]:
    ...     print(absent)
    vLLM exposes vllm:gpu_cache_usage_perc, an old name: it is now vllm:kv_cache_usage_perc
    vLLM does not expose vllm:num_preemptions (preemptions)
    """
    seen: dict[tuple[str, str], list[tuple[Source, str]]] = {}
    engines: set[str] = set()
    for name in seen_names:
        found = _entry(name, None)
        canonical = found[0].source.name if found else name
        engines.add(_engine(canonical))
        if found:
            seen.setdefault((found[0].series.name, _engine(canonical)), []).append((found[0].source, name))
    return tuple(
        absent
        for prefix in ENGINES
        if prefix in engines
        for series in SERIES
        if (absent := _absence(series, prefix, seen.get((series.name, prefix), [])))
    )


def _absence(series: Series, prefix: str, seen: list[tuple[Source, str]]) -> Absent | None:
    current = next((s.name for s in series.sources if s.name.startswith(prefix) and not s.old), None)
    if not series.expected or current is None or any(not source.old for source, _ in seen):
        return None
    return Absent(series, ENGINES[prefix], current, seen[0][1] if seen else "")

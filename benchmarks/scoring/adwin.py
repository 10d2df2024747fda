"""What some teams have: river's ADWIN on every raw series, one by one, with its default settings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from river.drift import ADWIN

from driftwatch.events.catalogue import resolve
from driftwatch.events.columns import Floats, Metrics, Requests, SeriesKey

DELTA = 0.002
SIGNALS = ("ttft", "itl", "latency", "output_tokens")
_COUNTERS = ("_total", "_sum", "_count")
_UNUSED = ("_bucket", "_created", "_info")


def adwin_alarms(requests: Requests, metrics: Metrics) -> Floats:
    """When any of them alarmed: each value of a request, each gauge, each counter as a rate (buckets left out)."""
    alarms = [drifts(at, values) for at, values in (*_request_series(requests), *_metric_series(metrics))]
    return np.sort(np.concatenate(alarms))


def drifts(at: Floats, values: Floats) -> Floats:
    """Times of the values at which ADWIN alarmed."""
    known = np.isfinite(values)
    detector, found = ADWIN(delta=DELTA), []
    for time, value in zip(at[known].tolist(), values[known].tolist(), strict=True):
        detector.update(value)
        if detector.drift_detected:
            found.append(time)
    return np.array(found, np.float64)


def _request_series(requests: Requests) -> Iterator[tuple[Floats, Floats]]:
    order = np.argsort(requests.at, kind="stable")
    at = requests.at[order]
    return ((at, getattr(requests, name)[order]) for name in SIGNALS)


def _metric_series(metrics: Metrics) -> Iterator[tuple[Floats, Floats]]:
    order = np.lexsort((metrics.at, metrics.series))
    edges = np.searchsorted(metrics.series[order], np.arange(len(metrics.keys) + 1))
    for key, begin, end in zip(metrics.keys, edges[:-1], edges[1:], strict=True):
        rows = order[begin:end]
        at, values = metrics.at[rows], metrics.value[rows]
        if not key.name.endswith(_UNUSED):
            yield _rate(at, values) if counts(key) else (at, values)


def counts(key: SeriesKey) -> bool:
    """Whether a series is a counter: as its source says, by its name, or by the catalogue."""
    if key.kind:
        return key.kind != "gauge"
    found = resolve(key.name, key.labels)
    return key.name.endswith(_COUNTERS) or (found is not None and found[0].kind == "counter")


def _rate(at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Increase a second between samples; none where it fell, for it was reset."""
    rate = np.diff(values) / np.maximum(np.diff(at), 1e-9)
    return at[1:], np.where(rate < 0, np.nan, rate)

"""Events: checked one by one at the boundary, columns from then on; and what their names mean.

The checked records are pydantic's, and loaded when they are first asked for: a monitor's calls become columns at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from driftwatch.events.catalogue import RATIOS, SERIES, Absent, Ratio, Series, expected_series, resolve
from driftwatch.events.columns import (
    Batch,
    Coded,
    Markers,
    Metrics,
    Requests,
    SeriesKey,
    concat_coded,
    concat_requests,
    requests_of,
)
from driftwatch.events.names import field_of
from driftwatch.events.rows import requests_from
from driftwatch.events.signals import SIGNALS, Signal

if TYPE_CHECKING:
    from driftwatch.events.records import Marker, Metric, Request

__all__ = [
    "RATIOS",
    "SERIES",
    "SIGNALS",
    "Absent",
    "Batch",
    "Coded",
    "Marker",
    "Markers",
    "Metric",
    "Metrics",
    "Ratio",
    "Request",
    "Requests",
    "Series",
    "SeriesKey",
    "Signal",
    "concat_coded",
    "concat_requests",
    "expected_series",
    "field_of",
    "requests_from",
    "requests_of",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name not in ("Marker", "Metric", "Request"):
        raise AttributeError(f"module 'driftwatch.events' has no attribute {name!r}")
    return getattr(import_module("driftwatch.events.records"), name)

"""Events: checked one by one at the boundary, columns from then on; and what their names mean."""

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
from driftwatch.events.records import Marker, Metric, Request
from driftwatch.events.rows import requests_from
from driftwatch.events.signals import SIGNALS, Signal

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

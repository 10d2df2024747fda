"""The face in serving code: `Monitor`."""

from driftwatch.monitor.exposition import CONTENT_TYPE
from driftwatch.monitor.monitor import Monitor
from driftwatch.monitor.stats import Stats, StreamStats

__all__ = ["CONTENT_TYPE", "Monitor", "Stats", "StreamStats"]

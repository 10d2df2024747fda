"""The face in serving code: `Monitor`."""

from driftwatch.monitor.monitor import Monitor
from driftwatch.monitor.stats import Stats, StreamStats

__all__ = ["Monitor", "Stats", "StreamStats"]

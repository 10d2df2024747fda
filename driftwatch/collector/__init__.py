"""One watch for several workers: it takes their ticks, and judges them together."""

from driftwatch.collector.collector import Collector

__all__ = ["Collector"]

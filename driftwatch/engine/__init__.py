"""The one path from batches of events to incidents: scan, Monitor and Spark all go through here."""

from driftwatch.engine.engine import Engine

__all__ = ["Engine"]

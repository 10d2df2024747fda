"""Events → ticks: mergeable integer summaries of event time, a tick for each stream."""

from driftwatch.ticks.builder import TickBuilder
from driftwatch.ticks.names import Names
from driftwatch.ticks.tick import Ticks, empty, merge

__all__ = ["Names", "TickBuilder", "Ticks", "empty", "merge"]

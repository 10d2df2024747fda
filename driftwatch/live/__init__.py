"""Live sources and the service around them: scrape, follow logs, detect, alert, and show it all on one page."""

from driftwatch.live.settings import Settings
from driftwatch.live.watch import Watch

__all__ = ["Settings", "Watch"]

"""Our detectors as drift detectors of river, and any of river's as one of ours: neither side has to leave home."""

from driftwatch.integrations.river.drifts import LocationDrift, ProportionDrift
from driftwatch.integrations.river.guests import RiverDetector

__all__ = ["LocationDrift", "ProportionDrift", "RiverDetector"]

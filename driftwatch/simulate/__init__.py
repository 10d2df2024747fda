"""A serving engine to break: continuous batching over a paged KV cache, and 23 ways in which serving degrades."""

from driftwatch.simulate.confounders import CONFOUNDERS
from driftwatch.simulate.controls import CONTROLS
from driftwatch.simulate.recording import Recorded
from driftwatch.simulate.scenarios import SCENARIOS
from driftwatch.simulate.severity import SEVERITIES
from driftwatch.simulate.shapes import SHAPES
from driftwatch.simulate.simulation import simulate

__all__ = ["CONFOUNDERS", "CONTROLS", "SCENARIOS", "SEVERITIES", "SHAPES", "Recorded", "simulate"]

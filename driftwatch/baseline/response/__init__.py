"""What answers are usually like, given their prompts: learnt from a stream's own healthy answers."""

from driftwatch.baseline.response.saved import arrays_of, take_arrays
from driftwatch.baseline.response.stream import ResponseBaseline

__all__ = ["ResponseBaseline", "arrays_of", "take_arrays"]

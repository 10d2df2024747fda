"""Boundaries of vLLM's histograms: as of 0.33, ``vllm/v1/metrics/loggers.py``; a recording has the same."""

from __future__ import annotations

Bounds = tuple[float, ...]

TTFT: Bounds = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
    *(160.0, 640.0, 2560.0),
)
"""Times to the first token, in seconds."""

GAP: Bounds = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
"""Gaps between tokens, in seconds."""

WHOLE: Bounds = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0),
    *(1920.0, 7680.0),
)
"""Times of whole requests and their phases, in seconds."""


def lengths_up_to(longest: float) -> Bounds:
    """1, 2, 5, 10, 20, 50, ... tokens, up to the longest context.

    Examples
    --------
    >>> lengths_up_to(100)
    (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
    """
    steps = (mantissa * 10.0**exponent for exponent in range(12) for mantissa in (1, 2, 5))
    return tuple(length for length in steps if length <= longest)


LENGTHS: Bounds = lengths_up_to(131_072)
"""Tokens of prompts and answers, for a context of 128k tokens."""

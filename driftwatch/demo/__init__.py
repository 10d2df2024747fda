"""What to look at first: a real recording, and a simulated deployment that is watched as it breaks."""

from __future__ import annotations

from driftwatch.demo.bundled import recording

__all__ = ["recording"]

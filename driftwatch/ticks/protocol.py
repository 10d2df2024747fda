"""What an engine needs of whatever makes its ticks."""

from __future__ import annotations

from typing import Protocol

from driftwatch.ticks.names import Names
from driftwatch.ticks.tick import Ticks


class Ticking(Protocol):
    """Collects events and hands out ticks that are final.

    Attributes
    ----------
    streams, segments
        The numbers in the ticks.
    late, duplicates
        Requests that were left out.
    """

    streams: Names
    segments: Names
    late: int
    duplicates: int

    @property
    def final(self) -> int | None:
        """The newest tick to which nothing can come any more; None before there is one."""
        ...

    def end(self, measured: float) -> int | None:
        """The last tick that is worth closing where nothing more will come; metrics came until ``measured``."""
        ...

    def told(self, now: float) -> None:
        """Time has passed: nothing that happened before ``now`` is still to come, but for the lateness."""
        ...

    def close(self, last: int | None = None) -> Ticks:
        """Hand out all ticks up to ``last`` (by default those that are final)."""
        ...

    def pass_over(self, last: int) -> None:
        """Let go of what waits: ticks until this one are not judged."""
        ...

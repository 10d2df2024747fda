"""The time of a monitor: it starts at the wall clock's and never jumps."""

from __future__ import annotations

import time
from collections.abc import Callable

_JUMP_S = 1.0


class SteadyClock:
    """Seconds since the epoch that pass evenly, whatever happens to the wall clock.

    A wall clock that is set forward by an hour would look like an hour without traffic, one that is set back would make
    all that follows too late. So time is read from the monotonic clock; times that callers give, which are of the wall
    clock, are brought to this one's by the difference of the two. The difference stays until the process ends.

    Parameters
    ----------
    wall, steady
        The two clocks, in seconds.

    Examples
    --------
    >>> wall, steady = [1000.0], [7.0]
    >>> clock = SteadyClock(lambda: wall[0], lambda: steady[0])
    >>> wall[0], steady[0] = 4605.0, 12.0
    >>> clock.look()
    >>> clock.now(), clock.offset, clock.jumps
    (1005.0, -3600.0, 1)
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self.wall, self.stamp = wall, steady
        self.base = wall() - steady()
        self.offset = 0.0
        self.jumps = 0

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self.at(self.stamp())

    def at(self, stamp: float) -> float:
        """The time of a stamp."""
        return self.base + stamp

    def look(self) -> None:
        """Compare the two clocks: a jump is counted, a slow drift is followed."""
        apart = self.now() - self.wall()
        if abs(apart - self.offset) > _JUMP_S:
            self.jumps += 1
            self.offset = apart
        else:
            self.base -= apart - self.offset

    def not_before(self, time: float) -> None:
        """Go on from a later time: the wall clock was set back while nobody looked."""
        ahead = time - self.now()
        if ahead > 0:
            self.base, self.offset, self.jumps = self.base + ahead, self.offset + ahead, self.jumps + 1


class GivenClock:
    """A clock of the caller's, for replays; without one, time passes as events come in.

    Parameters
    ----------
    stamp
        Seconds since the epoch.
    """

    offset, jumps = 0.0, 0

    def __init__(self, stamp: Callable[[], float]) -> None:
        self.stamp = self.now = stamp

    def at(self, stamp: float) -> float:
        """The time of a stamp."""
        return stamp

    def look(self) -> None:
        """There is nothing to compare it with."""

    def not_before(self, time: float) -> None:
        """It is the caller's business."""


Clock = SteadyClock | GivenClock

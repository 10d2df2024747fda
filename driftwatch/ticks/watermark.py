"""How far event time has come: the newest time that enough events speak for."""

from __future__ import annotations

import numpy as np

from driftwatch.statistics.buckets import Floats

JUMP_S = 3600.0
"""A larger step ahead is believed only when several events took it: one wrong clock must not make all others late."""
ENOUGH = 10


class Watermark:
    """The newest believed event time, in seconds since the epoch.

    Examples
    --------
    >>> mark = Watermark()
    >>> mark.advance(np.array([100.0, 105.0, 4.0e9]))
    >>> mark.value, len(mark.ahead)
    (105.0, 1)
    >>> mark.advance(np.full(9, 4.0e9))
    >>> mark.value, len(mark.ahead)
    (4000000000.0, 0)
    """

    STATE = ("value", "ahead")

    def __init__(self) -> None:
        self.value = -np.inf
        self.ahead: Floats = np.empty(0)

    def advance(self, at: Floats) -> None:
        """Take the times of new events, in any order."""
        if not len(at):
            return
        if not len(self.ahead) and float(at.max()) - self.value <= JUMP_S:
            self.value = max(self.value, float(at.max()))
            return
        times = np.sort(np.concatenate([self.ahead, at]))
        start = self.value if np.isfinite(self.value) else times[0]
        following = len(times) - np.arange(len(times))
        doubtful = (np.diff(times, prepend=start) > JUMP_S) & (following < ENOUGH)
        believed = int(np.argmax(doubtful)) if doubtful.any() else len(times)
        if believed:
            self.value = max(self.value, float(times[believed - 1]))
        self.ahead = times[believed:]

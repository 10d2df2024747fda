"""From the queue to the place where events go: a little at a time, so that nobody waits for the interpreter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from driftwatch.config import Config
from driftwatch.events.columns import Batch, Requests
from driftwatch.monitor.breath import breathe
from driftwatch.monitor.clock import Clock
from driftwatch.monitor.handoff import Call, Handoff
from driftwatch.monitor.intake import SOURCE, Intake
from driftwatch.monitor.place import Place
from driftwatch.readers import Quarantine

_SLICE = 128  # calls that are read at once: less than a millisecond
_TEXTS = 16  # texts that are read at once: a few milliseconds
_AHEAD_S = 60.0  # clocks of one service agree better than this


class Reading:
    """Takes calls out of the queue, turns them into batches and hands them on.

    Parameters
    ----------
    config
        Names, units, labels.
    clock
        The time.
    handoff
        The queue.
    """

    def __init__(self, config: Config, clock: Clock, handoff: Handoff) -> None:
        self.clock, self.handoff = clock, handoff
        self.quarantine = Quarantine()
        self.intake = Intake(config, self.quarantine)

    def take_in(self, place: Place) -> None:
        """Hand on all calls that wait now."""
        self.clock.look()
        now = self.clock.now()
        latest = math.inf if math.isnan(now) else now + _AHEAD_S
        for _ in range(len(self.handoff.calls) // _SLICE + 1):
            calls = self.handoff.take(_SLICE)
            for kinds in (("metric",), ("marker",), ("request", "started")):
                some = [call for call in calls if call[0] in kinds]
                if some:
                    self._read(some, latest, place)
            breathe()

    def _read(self, calls: Sequence[Call], latest: float, place: Place) -> None:
        """Hand on some calls of one kind; one that makes the reading fail is found by halves, and left out."""
        try:
            batch = self._batch(calls, latest)
        except Exception as error:  # an object of the caller's that raises when it is looked at
            if len(calls) == 1:
                self.quarantine.add(SOURCE, f"it cannot be read ({type(error).__name__})")
                return
            half = len(calls) // 2
            self._read(calls[:half], latest, place)
            self._read(calls[half:], latest, place)
            return
        for piece in _pieces(batch):
            place.add(piece)
            breathe()

    def _batch(self, calls: Sequence[Call], latest: float) -> Batch:
        at = np.array([self.clock.at(stamp) for _, stamp, _ in calls])
        if calls[0][0] == "metric":
            return self.intake.metrics(calls, at, self.clock.offset)
        if calls[0][0] == "marker":
            return self.intake.markers(calls, at, self.clock.offset)
        return self.intake.requests(calls, at, self.clock.offset, latest)

    def quarantined(self) -> dict[str, int]:
        """What could not be used, by reason."""
        return {row.reason: row.count for row in self.quarantine.rows()}


def _pieces(batch: Batch) -> Iterator[Batch]:
    """A batch in one piece; what has texts in smaller ones, for it takes long to read them."""
    if not isinstance(batch, Requests) or batch.texts is None:
        yield from [batch] * bool(len(batch))
        return
    for start in range(0, len(batch), _TEXTS):
        yield batch.take(slice(start, start + _TEXTS))

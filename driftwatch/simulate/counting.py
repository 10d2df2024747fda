"""What had been counted when a process was scraped: between restarts, and in the middle of a stretch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Ints, Steps
from driftwatch.simulate.settings import Settings

Plan = Sequence[tuple[float, Settings]]
"""From when on which settings hold, the first from the beginning."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The scrapes of one process, and when it started anew.

    Parameters
    ----------
    instants
        Shape (n,): when it is scraped.
    restarts
        Shape (r,): when it started with all counters at zero, in order.
    """

    instants: Floats
    restarts: Floats

    @classmethod
    def of(cls, instants: Floats, restarts: Sequence[float] = ()) -> Clock:
        """A clock of unsorted restarts."""
        return cls(instants, np.sort(np.asarray(restarts, np.float64)))

    @property
    def starts(self) -> Ints:
        """Shape (n,): how often it has started anew by each scrape."""
        return np.searchsorted(self.restarts, self.instants, "right")

    def since_start(self, total: Callable[[Floats], Floats]) -> Floats:
        """What a counter shows that has counted since the process started.

        Parameters
        ----------
        total
            What has been counted until each of the given times since the beginning; one row for each time.
        """
        counted = total(self.instants)
        base = np.concatenate([np.zeros((1, *counted.shape[1:])), total(self.restarts)])
        return np.asarray(counted - base[self.starts])


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the stretches of a replica some times fall.

    Parameters
    ----------
    stretch
        Shape (n,): the last stretch that had begun, 0 before the first.
    part
        Shape (n,): how much of it was over, from 0 to 1.
    """

    stretch: Ints
    part: Floats

    @classmethod
    def of(cls, steps: Steps, times: Floats) -> Place:
        """Find the places of some times."""
        ends = stretch_ends(steps)
        stretch = np.maximum(np.searchsorted(steps.start, times, "right") - 1, 0)
        length = np.maximum(ends - steps.start, 1e-12)
        return cls(stretch, np.clip((times - steps.start[stretch]) / length[stretch], 0.0, 1.0))

    def total(self, each: Floats) -> Floats:
        """How much there had been of something that each stretch has so much of, evenly over its time."""
        before = np.cumsum(each) - each
        return before[self.stretch] + self.part * each[self.stretch]


def held(plan: Plan, value: Callable[[Settings], float], times: Floats) -> Floats:
    """Shape (n,): a figure of the settings that hold at some times."""
    begins = np.array([at for at, _ in plan[1:]], np.float64)
    values = np.array([value(settings) for _, settings in plan], np.float64)
    return values[np.searchsorted(begins, times, "right")]


def stretch_ends(steps: Steps) -> Floats:
    """Shape (m,): the ends of stretches; each is exactly where the next one begins."""
    return np.append(steps.start[1:], steps.start[-1] + steps.duration[-1])

"""What every detector does: several series at once, one column each, in ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints

_CLEAR = 3.0  # standard deviations of a tick that is not there by chance


@saved
@dataclass(frozen=True, slots=True)
class Shift:
    """How much moved, and since when, as seen at one tick.

    Parameters
    ----------
    onset, onset_low, onset_high
        Ticks: the first changed one (half of the weight lies before it), and the ends of its 90% interval.
    size, error
        The move and its standard error: in log units for a location, a difference for a share.
    reference
        Typical value while healthy (0 for a residual).
    log_e
        Natural logarithm of the detector's statistic R: at log(A) a false alarm comes once in A ticks.
    count
        Requests since the onset.
    evidence
        Natural logarithm of the e-value: R over what it would be on average if nothing had changed.
    """

    onset: int
    onset_low: int
    onset_high: int
    size: float
    error: float
    reference: float
    log_e: float
    count: int
    evidence: float

    def exceeds(self, margin: float, confidence: float = 1.28) -> bool:
        """Whether the move is larger than the margin even at the near end of its interval."""
        return abs(self.size) - confidence * self.error > margin


@dataclass(frozen=True, slots=True)
class Recent:
    """Mean move over some ticks, and its standard error; NaN without observations."""

    size: float = math.nan
    error: float = math.nan


@dataclass(frozen=True, slots=True)
class Moves:
    """How far each tick lies from what was learnt.

    Parameters
    ----------
    size
        Shape (n,): moves of the ticks in which something was observed, oldest first.
    chance
        Shape (n,): the variance that each has by chance alone.
    """

    size: Floats
    chance: Floats

    @property
    def typical(self) -> float:
        """What it moved by where it did.

        The mean weighted by itself, from which chance is counted out: bursts count for what they are, however long the
        quiet between them.

        Examples
        --------
        >>> import numpy as np
        >>> Moves(np.array([2.0, 0.0, 2.0, 0.0]), np.zeros(4)).typical
        2.0
        """
        total = float(self.size.sum())
        if total == 0.0:
            return 0.0
        return max(float((self.size**2 - self.chance).sum()), total**2 / len(self.size)) / total

    @property
    def lasted(self) -> int:
        """In how many ticks it had moved.

        Those count that moved by at least half of what is typical, or clearly further than by chance; less as many as
        did so the other way.

        Examples
        --------
        >>> import numpy as np
        >>> Moves(np.array([2.0, 0.1, 2.1, 0.0]), np.zeros(4)).lasted
        2
        """
        if self.typical == 0.0:
            return 0
        least, noise = 0.5 * abs(self.typical), math.sqrt(self.chance.mean())
        if noise > 0.0:
            least = min(least, _CLEAR * noise)
        towards = math.copysign(1.0, self.typical) * self.size
        return int((towards >= least).sum() - (towards <= -least).sum())


class Detector(Protocol):
    """A sequential two-sided test of several series, each for itself.

    Rows come in order of ticks; a series that had nothing to judge in a tick is NaN there. ``update`` may be called
    with any cut of the rows; ``learn`` and ``restart`` are called between, at ticks that do not depend on the cut.
    """

    series: int
    """How many series there are."""

    @property
    def learnt(self) -> list[Floats]:
        """By series, what was learnt from; `restore` takes it back."""
        ...

    def known(self, series: int) -> int:
        """How many rows were learnt from."""
        ...

    def ready(self, series: int) -> bool:
        """Whether enough is learnt to judge this one."""
        ...

    def effective(self, series: int) -> float:
        """How many independent ticks were learnt from."""
        ...

    def restore(self, series: int, learnt: Floats) -> None:
        """Take over what another one learnt."""
        ...

    def update(self, tick: Ints, value: Floats, total: Floats) -> Floats:
        """Take rows, and say how strong the evidence is at each.

        Parameters
        ----------
        tick
            Shape (n,): ascending.
        value, total
            Shape (n, s): what was observed (NaN: nothing), and how many requests stand behind it.

        Returns
        -------
        Shape (n, s): natural logarithm of R; -inf while learning and where nothing was observed.
        """
        ...

    def learn(self, before: int, skip: tuple[int, int] | None = None) -> None:
        """Take what was observed before this tick as healthy; the ticks in ``skip`` (from, to) are never."""
        ...

    def evidence(self, tick: int) -> Floats:
        """Natural logarithm of each series' e-value as seen at this tick, shape (s,); -inf while learning."""
        ...

    def describe(self, series: int, tick: int) -> Shift | None:
        """Size and time of the most likely change as seen at this tick; None if nothing speaks for one."""
        ...

    def again(self, series: int, shift: Shift, tick: int) -> Shift:
        """The same change with what has come until this tick: its onset stays."""
        ...

    def recent(self, series: int, first: int, last: int) -> Recent:
        """Mean move over these ticks."""
        ...

    def moves(self, series: int, first: int, last: int) -> Moves:
        """The move of each of these ticks."""
        ...

    def restart(self, series: int) -> None:
        """Forget the evidence, keep what was learnt."""
        ...

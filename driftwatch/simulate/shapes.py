"""How a fault comes: at once, slowly, or again and again; and how it wavers while it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from driftwatch.errors import InputError
from driftwatch.events.columns import Floats
from driftwatch.simulate.noise import autoregression

Shape = Literal["step", "ramp", "flapping"]
SHAPES: tuple[str, ...] = get_args(Shape)

RAMP_S = 900.0
ON_S, OFF_S = 240.0, 120.0
GRID_S = 15.0
"""Amounts are constant over this time, in seconds."""


@dataclass(frozen=True, slots=True)
class Course:
    """How much of a fault there is over time: 0 before the onset, 1 when it is fully there.

    Parameters
    ----------
    onset, until
        Seconds since the epoch.
    shape
        ``step``, ``ramp`` (full after ``ramp_s``) or ``flapping`` (four minutes on, two off).
    ramp_s
        How long a ramp takes, in seconds.
    wobble
        Standard deviation of the logarithm of its slow variation: nothing real stays exactly as bad as it is.
    seed
        Of the wobble.

    Examples
    --------
    >>> Course(100.0, 400.0, "ramp", ramp_s=200.0).at(np.array([50.0, 200.0, 390.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    onset: float
    until: float
    shape: Shape = "step"
    ramp_s: float = RAMP_S
    wobble: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise InputError(f"the shape of an onset is one of {', '.join(SHAPES)}, not '{self.shape}'")

    def at(self, t: Floats) -> Floats:
        """Amounts at these times, shape (n,)."""
        since = np.asarray(t, np.float64) - self.onset
        inside = (since >= 0) & (np.asarray(t) < self.until)
        if self.shape == "ramp":
            level = np.clip(since / self.ramp_s, 0, 1)
        elif self.shape == "flapping":
            level = np.asarray(since % (ON_S + OFF_S) < ON_S, np.float64)
        else:
            level = np.ones_like(since)
        return np.asarray(np.where(inside, level * self._wavering(since), 0.0), np.float64)

    def changes(self) -> Floats:
        """When the amount changes, shape (m,): the onset first, the end last."""
        if self.shape == "step" and not self.wobble:
            return np.array([self.onset, self.until])
        return np.append(np.arange(self.onset, self.until, GRID_S), self.until)

    def _wavering(self, since: Floats) -> Floats:
        if not self.wobble:
            return np.ones_like(since)
        n = int((self.until - self.onset) / GRID_S) + 2
        slow = autoregression(np.random.default_rng(self.seed), n, 0.7)
        wave = np.exp(self.wobble * np.clip(slow, -2, 2))
        return np.asarray(wave[np.clip((since / GRID_S).astype(np.int64), 0, n - 1)], np.float64)

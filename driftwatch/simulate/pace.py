"""How an engine's speed varies by itself: slow waves, jitter, and now and then a pause."""

from __future__ import annotations

from math import inf

import numpy as np

from driftwatch.simulate.noise import autoregression

STEP_S = 5.0
_KEEP = 0.8  # correlation of the slow waves over one step
_JITTER = 0.03  # standard deviation of the logarithm of a stretch's speed
_PAUSES_S = 180.0  # mean time between pauses: garbage collection, a co-tenant, a hiccup of the network
_PAUSE_S = 0.15


class Pace:
    """Factors on the time of an iteration, drawn before anything runs, so that a rerun meets the same ones.

    Parameters
    ----------
    rng
        Where they are drawn from.
    start, seconds
        The time that they cover.
    sd
        Standard deviation of the logarithm of the slow waves.
    """

    def __init__(self, rng: np.random.Generator, start: float, seconds: float, sd: float) -> None:
        n = int(seconds / STEP_S) + 2
        self.start = start
        self.slow: list[float] = np.exp(sd * autoregression(rng, n, _KEEP)).tolist()
        self.jitter: list[float] = np.exp(_JITTER * min(sd / 0.03, 1.0) * rng.standard_normal(4096)).tolist()
        gaps = rng.exponential(_PAUSES_S, int(2 * seconds / _PAUSES_S) + 8)
        self.pauses: list[float] = [*(start + np.cumsum(gaps)).tolist(), inf]
        self.lengths: list[float] = (rng.gamma(2.0, _PAUSE_S / 2, len(gaps)) * (sd > 0)).tolist()
        self.next = self.count = 0

    def factor(self, now: float) -> float:
        """How slow it is now, around 1."""
        self.count += 1
        return self.slow[min(int((now - self.start) / STEP_S), len(self.slow) - 1)] * self.jitter[self.count & 4095]

    def pause(self, now: float) -> float:
        """The length of a pause that has begun since it was last asked, in seconds; mostly 0."""
        if now < self.pauses[self.next]:
            return 0.0
        self.next += 1
        return self.lengths[self.next - 1]

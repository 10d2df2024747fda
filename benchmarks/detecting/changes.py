"""Changes that are looked for, the noise they come in, and the oracle that knows both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detecting.oracle import Ratio, first_alarms, shifted, tailed, threshold, wider
from detecting.streams import LOCATION_MARGIN, Rng, normal, persistent
from driftwatch.statistics.buckets import Floats, Ints

RHO = 0.7
SIZES = (0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of values with standard deviation 1.

    Parameters
    ----------
    title
        As people read it.
    of
        From a generator and the values since the change: the changed ones.
    oracles
        Likelihood ratios of one that knows the change; of several the fastest counts.
    """

    title: str
    of: Callable[[Rng, Floats], Floats]
    oracles: tuple[Ratio, ...]


def shift(size: float, rho: float = 0.0) -> Change:
    """The mean moves; an oracle that knows the autocorrelation sees it move less."""
    seen = size * np.sqrt((1.0 - rho) / (1.0 + rho))
    return Change(f"shift {size:g}", lambda rng, x: x + size, (shifted(float(seen)),))


def ramp(ticks: int) -> Change:
    """The mean moves to 1 over so many ticks."""

    def of(rng: Rng, x: Floats) -> Floats:
        return np.asarray(x + np.minimum(np.arange(1, len(x) + 1) / ticks, 1.0)[:, None])

    return Change(f"ramp to 1 over {ticks}", of, (shifted(0.25), shifted(0.5), shifted(1.0)))


def _tail(rng: Rng, x: Floats) -> Floats:
    return np.asarray(x + 3.0 * (rng.random(x.shape) < 0.1))


SHIFTS = tuple(shift(size) for size in SIZES)
CORRELATED = tuple(shift(size, RHO) for size in SIZES)
OTHERS = (
    ramp(50),
    ramp(500),
    Change("scale x 2", lambda rng, x: 2.0 * x, (wider(2.0),)),
    Change("10% of values + 3", _tail, (tailed(0.1, 3.0),)),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A baseline, a margin, a noise, and the changes in it.

    Parameters
    ----------
    title
        As people read it.
    learnt
        Ticks learnt from; 0 where the baseline is known.
    margin
        Of our detector.
    changes
        Looked for one by one.
    targets
        Most times the oracle's delay, by the change's title.
    rho
        Autocorrelation of the noise.
    """

    title: str
    learnt: int
    margin: float
    changes: tuple[Change, ...]
    targets: dict[str, float]
    rho: float = 0.0

    def noise(self, rng: Rng, ticks: int, runs: int) -> Floats:
        """Healthy values, shape (ticks, runs)."""
        return persistent(self.rho)(rng, ticks, runs) if self.rho else normal(rng, ticks, runs)

    def oracle(self, change: Change, value: Floats, arl: float) -> list[Ints]:
        """First alarms of each of the change's oracles, from the end of the learning on."""
        innovation = value.copy()
        innovation[1:] -= self.rho * value[:-1]
        innovation[1:] /= np.sqrt(1.0 - self.rho**2)
        found = [first_alarms(r, innovation[self.learnt :], threshold(r, arl)) for r in change.oracles]
        return [np.where(first < 0, -1, first + self.learnt) for first in found]


def targets(**by_size: float) -> dict[str, float]:
    """Targets of shifts, by size in hundredths."""
    return {f"shift {int(name[1:]) / 100:g}": target for name, target in by_size.items()}


_1000 = targets(_25=1.6, _50=1.45, _100=1.45, _200=1.45)
_300 = targets(_50=1.6, _100=1.6, _200=1.6)
_AR = targets(_50=1.5, _100=1.5, _200=1.5)
SETTINGS = (
    Setting("known", 0, 0.0, SHIFTS, targets(_25=1.35, _50=1.35, _100=1.35)),
    Setting("1,000 ticks", 1_000, 0.0, SHIFTS, _1000),
    Setting("300 ticks", 300, 0.0, SHIFTS, _300),
    Setting("1,000 of AR(1) .7", 1_000, 0.0, CORRELATED, _AR, RHO),
    Setting("1,000 ticks", 1_000, 0.0, OTHERS, {}),
    Setting("1,000 ticks", 1_000, LOCATION_MARGIN, SHIFTS, {}),
    Setting("1,000 of AR(1) .7", 1_000, LOCATION_MARGIN, CORRELATED, _AR, RHO),
)
EXTRA_TICKS = {("known", "shift 2"): 1.0}
"""Where the target is so many ticks more than the oracle's delay."""

"""The gate: within the incident, the signal gets worse when the candidate does, beyond what traffic explains.

A step at the onset proves nothing, since anything that began then has one. Only the ups and downs since the onset are
used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.candidates import Family
from driftwatch.statistics.permutation import association_test, partial_correlations

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_TICKS = 20
"""Fewer ticks since the onset than this are not tested."""
LEAST_READINGS = 6
"""Fewer different readings of a series than this are not tested."""
MOST_TICKS = 720
"""Later ticks of a long incident are not tested."""
_LAGS_S = (0.0, 5.0, 10.0, 20.0, 40.0, 60.0, 90.0, 120.0, 180.0, 300.0)


@dataclass(frozen=True, slots=True)
class Dose:
    """What the dose-response of one family showed.

    Parameters
    ----------
    correlation
        The largest partial correlation, over members and lags.
    single, familywise
        p-values: of this family alone, and given that all were tried.
    lag
        The lag of that correlation, in ticks.
    follows
        By how much the correlation with the family's *later* values exceeds it.
    readings
        Different readings since the onset, of the member that has most.
    spread
        How much it varied since the onset, as a share of its shift at the onset.
    """

    correlation: float
    single: float
    familywise: float
    lag: int
    follows: float
    readings: int
    spread: float


def lag_grid(max_lag_s: float, tick_s: float) -> tuple[int, ...]:
    """Lags that are tried, in ticks.

    Examples
    --------
    >>> lag_grid(20.0, 5.0)
    (0, 1, 2, 4)
    """
    return tuple(sorted({round(lag / tick_s) for lag in _LAGS_S if lag <= max_lag_s}))


def dose_response(
    excess: Floats,
    onset: int,
    families: Sequence[Family],
    controls: Floats,
    *,
    lags: Sequence[int],
    count: int,
    rng: np.random.Generator,
) -> list[Dose | None]:
    """Test every family; None for those with too few ticks or readings.

    Parameters
    ----------
    excess
        Shape (T,): up is worse; NaN where there were no requests.
    onset
        The first tick of the incident.
    families
        What is tested.
    controls
        Shape (T, c): what is partialled out.
    lags
        Lags that are tried, in ticks.
    count, rng
        Permutations and their source of chance.
    """
    ticks = usable_ticks(excess, onset)
    tested = [i for i, family in enumerate(families) if enough(family, ticks)]
    if not tested:
        return [None] * len(families)
    effect, beside = clipped(excess[ticks]), controls[ticks]
    rows = [
        (position, lag, seen) for position, i in enumerate(tested) for lag, seen in _views(families[i], ticks, lags)
    ]
    series = np.array([position for position, _, _ in rows])
    views = np.stack([seen for _, _, seen in rows])
    found = association_test(effect, views, series, controls=beside, count=count, rng=rng)
    doses: list[Dose | None] = [None] * len(families)
    for position, i in enumerate(tested):
        doses[i] = Dose(
            correlation=float(found.correlation[position]),
            single=float(found.single[position]),
            familywise=float(found.familywise[position]),
            lag=rows[int(found.view[position])][1],
            follows=_later(families[i], effect, ticks, lags, beside) - float(found.correlation[position]),
            readings=readings(families[i], ticks),
            spread=_spread(families[i], ticks, onset),
        )
    return doses


def usable_ticks(excess: Floats, onset: int) -> Ints:
    """Ticks since the onset that have a value, the latest ones of a very long incident left out."""
    return np.asarray((onset + np.flatnonzero(~np.isnan(excess[onset:])))[:MOST_TICKS], np.int64)


def enough(family: Family, ticks: Ints) -> bool:
    """Whether there is enough to test a family on."""
    return len(ticks) >= LEAST_TICKS and readings(family, ticks) >= LEAST_READINGS


def readings(family: Family, ticks: Ints) -> int:
    """Different neighbouring values, of the member that has most: a held value is one reading."""
    return int((np.diff(family.values[:, ticks], axis=1) != 0).sum(1).max(initial=0)) + 1


def clipped(values: Floats) -> Floats:
    """Outliers cleaned: at most five robust standard deviations from the median."""
    centre = float(np.median(values))
    reach = 5 * 1.4826 * float(np.median(np.abs(values - centre)))
    return np.clip(values, centre - reach, centre + reach) if reach > 0 else values


def trailing(values: Floats, width: int) -> Floats:
    """Means over the last ``width`` ticks: tokens that arrived are worked on for a while.

    Examples
    --------
    >>> trailing(np.array([2.0, 4.0, 6.0]), 2).tolist()
    [2.0, 3.0, 5.0]
    """
    total = np.cumsum(values)
    count = np.minimum(np.arange(len(values)) + 1, width)
    return np.asarray((total - np.r_[np.zeros(min(width, len(values))), total[:-width]]) / count)


def _views(family: Family, ticks: Ints, lags: Sequence[int]) -> list[tuple[int, Floats]]:
    """Each member at each lag, and as a mean of its recent past: a request that ends now has felt all of it."""
    members = [*family.values, *(trailing(values, 6) for values in family.values)]
    return [(lag, values[np.maximum(ticks - lag, 0)]) for values in members for lag in lags]


def _later(family: Family, effect: Floats, ticks: Ints, lags: Sequence[int], controls: Floats) -> float:
    """The largest correlation with values that come later than a held reading can explain."""
    held_for = -(-len(ticks) // readings(family, ticks))
    last = family.values.shape[1] - 1
    ahead = [held_for + 1 + lag for lag in lags]
    views = np.stack([values[np.minimum(ticks + lag, last)] for values in family.values for lag in ahead])
    return float(partial_correlations(effect, views, controls).max())


def _spread(family: Family, ticks: Ints, onset: int) -> float:
    shift = np.abs(family.values[:, ticks].mean(1) - np.median(family.values[:, :onset], axis=1))
    varied = family.values[:, ticks].std(1)
    return float(np.divide(varied, shift, out=np.zeros_like(varied), where=shift > 0).max())

"""The gate: within the incident, the signal gets worse when the candidate does, beyond what traffic explains.

A step at the onset proves nothing, since anything that began then has one. Only ups and downs are used here: those
since the onset, and for what can run out also those of half an hour before, when it may have run out already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Candidate, Family
from driftwatch.attribution.causes.screening import BLOCK_S, HEADROOM
from driftwatch.statistics.permutation import association_test, partial_correlations

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_TICKS = 20
"""Fewer ticks since the onset than this are not tested."""
LEAST_READINGS = 6
"""Fewer different readings of a series than this are not tested."""
MOST_TICKS = 720
"""Later ticks of a long incident are not tested."""
BEFORE_S = 1800.0
"""So long before the onset is looked at, too, for what can run out: it does not hurt until it does."""
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
    tick_s: float,
    lags: Sequence[int],
    count: int,
    rng: np.random.Generator,
    before: bool = True,
) -> list[Dose | None]:
    """Test every family; None for those with too few ticks or readings.

    Parameters
    ----------
    excess
        Shape (T,): up is worse; NaN where there were no requests.
    onset
        The first tick of the incident.
    families
        What is tested: either all of them can run out or none.
    controls
        Shape (T, c): what is partialled out.
    tick_s
        Width of a tick, in seconds.
    lags
        Lags that are tried, in ticks.
    count, rng
        Permutations and their source of chance.
    before
        Whether what can run out is also looked at before the onset.
    """
    since = usable_ticks(excess, onset)
    tested = [family for family in families if enough(family, since)]
    if not tested:
        return [None] * len(families)
    cleaned = _cleaned(excess, since)
    ways = _ways(onset, tick_s) if before and tested[0].runs_out else [(onset, 1)]
    looks = [_look(cleaned, onset, since, *way) for way in ways]
    found = [_followed(look, tested, controls, lags, count, rng) for look in looks]
    doses = {id(f): _dose(f, [each[i] for each in found], since, onset) for i, f in enumerate(tested)}
    return [doses.get(id(family)) for family in families]


def followed(
    excess: Floats, onset: int, series: Sequence[Floats] | Floats, controls: Floats, lags: Sequence[int]
) -> Floats:
    """How well the signal follows each series since the onset: the largest partial correlation over the lags.

    Parameters
    ----------
    excess, onset, controls, lags
        As for `dose_response`.
    series
        Shape (k, T), without gaps, turned so that up is worse.
    """
    since = usable_ticks(excess, onset)
    if len(since) < LEAST_TICKS:
        return np.zeros(len(series))
    look = _look(_cleaned(excess, since), onset, since, onset, 1)
    beside = np.column_stack([look.see(column) for column in controls.T] + _step(look))
    views = np.stack([look.see(values, lag) for values in series for lag in lags])
    return np.asarray(partial_correlations(look.effect, views, beside).reshape(len(series), -1).max(1))


def _ways(onset: int, tick_s: float) -> list[tuple[int, int]]:
    """From which tick on, and in blocks of how many ticks, what can run out is looked at.

    It hurts in bursts of half a minute and more: means over that long say more than ticks of a few
    seconds, and the bursts of the half hour before the onset count as well.
    """
    first = max(onset - round(BEFORE_S / tick_s), 0)
    return [(first, width) for width in sorted({1, max(1, round(BLOCK_S / tick_s))})]


@dataclass(frozen=True, slots=True)
class _Look:
    """The signal in blocks of ticks, some of them from before the onset."""

    ticks: Ints
    width: int
    known: NDArray[np.bool_]
    effect: Floats
    healthy: int

    def see(self, values: Floats, lag: int = 0) -> Floats:
        """Another series in the same blocks, so many ticks earlier."""
        return _blocks(values[np.clip(self.ticks - lag, 0, len(values) - 1)], self.width)[self.known]


def _look(excess: Floats, onset: int, since: Ints, first: int, width: int) -> _Look:
    first += (onset - first) % width
    ticks = np.arange(first, first + (int(since[-1]) + 1 - first) // width * width)
    effect = _blocks(excess[ticks], width)
    known = ~np.isnan(effect)
    return _Look(ticks, width, known, effect[known], int(known[: (onset - first) // width].sum()))


def _blocks(values: Floats, width: int) -> Floats:
    """Means over blocks, NaN left out; NaN where there is nothing else."""
    blocks = values.reshape(-1, width)
    some = ~np.isnan(blocks)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(some, blocks, 0.0).sum(1) / some.sum(1))


@dataclass(frozen=True, slots=True)
class _Followed:
    """How well the signal follows one family, in one look."""

    correlation: float
    single: float
    familywise: float
    lag: int
    later: float


def _followed(
    look: _Look, families: Sequence[Family], controls: Floats, lags: Sequence[int], count: int, rng: np.random.Generator
) -> list[_Followed]:
    beside = np.column_stack([look.see(column) for column in controls.T] + _step(look))
    rows = [
        (i, lag, look.see(values, lag)) for i, family in enumerate(families) for values, lag in _views(family, lags)
    ]
    owner, views = np.array([i for i, _, _ in rows]), np.stack([seen for _, _, seen in rows])
    test = association_test(look.effect, views, owner, controls=beside, count=count, rng=rng, healthy=look.healthy)
    return [
        _Followed(
            correlation=float(test.correlation[i]),
            single=float(test.single[i]),
            familywise=float(test.familywise[i]),
            lag=rows[int(test.view[i])][1],
            later=_later(family, look, lags, beside),
        )
        for i, family in enumerate(families)
    ]


def _step(look: _Look) -> list[Floats]:
    """The onset itself proves nothing; without columns the number of rows must still be known."""
    since = np.arange(len(look.effect)) >= look.healthy
    return [since.astype(np.float64)] if look.healthy else [np.empty((len(look.effect), 0))]


def _dose(family: Family, found: Sequence[_Followed], since: Ints, onset: int) -> Dose:
    """The look that shows most; the p-values allow for all of them."""
    best = min(found, key=lambda each: (each.familywise, each.single))
    return Dose(
        correlation=best.correlation,
        single=min(1.0, best.single * len(found)),
        familywise=min(1.0, best.familywise * len(found)),
        lag=best.lag,
        follows=best.later - best.correlation,
        readings=readings(family, since),
        spread=_spread(family, since, onset),
    )


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
    return np.clip(values, *_usual(values))


def _usual(values: Floats) -> tuple[float, float]:
    centre = float(np.median(values))
    reach = 5 * 1.4826 * float(np.median(np.abs(values - centre)))
    return (centre - reach, centre + reach) if reach > 0 else (-np.inf, np.inf)


def _cleaned(excess: Floats, since: Ints) -> Floats:
    """What came before the onset may be as bad as what came since, and no worse."""
    return np.clip(excess, *_usual(excess[since]))


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


def _views(family: Family, lags: Sequence[int]) -> list[tuple[Floats, int]]:
    """Each member at each lag, and as a mean of its recent past: a request that ends now has felt all of it."""
    each = [_near_its_end(*member) for member in zip(family.candidates, family.turns, family.values, strict=True)]
    return [(values, lag) for values in [*each, *(trailing(values, 6) for values in each)] for lag in lags]


def _near_its_end(candidate: Candidate, turn: float, values: Floats) -> Floats:
    """What can run out does no harm while there is headroom."""
    return values if candidate.ceiling is None or turn < 0 else np.maximum(values, HEADROOM * candidate.ceiling)


def _later(family: Family, look: _Look, lags: Sequence[int], controls: Floats) -> float:
    """The largest correlation with values that come later than a held reading can explain."""
    held_for = -(-len(look.ticks) // readings(family, look.ticks))
    ahead = [max(held_for, look.width) + 1 + lag for lag in lags]
    views = np.stack([look.see(values, -lag) for values in family.values for lag in ahead])
    return float(partial_correlations(look.effect, views, controls).max())


def _spread(family: Family, ticks: Ints, onset: int) -> float:
    shift = np.abs(family.values[:, ticks].mean(1) - np.median(family.values[:, :onset], axis=1))
    varied = family.values[:, ticks].std(1)
    return float(np.divide(varied, shift, out=np.zeros_like(varied), where=shift > 0).max())

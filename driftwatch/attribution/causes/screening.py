"""Which candidates moved with the incident, and which cannot have done harm whatever their correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Family

Floats = NDArray[np.float64]

LATE_S = 60.0
"""An onset estimate may be wrong by this much."""
BLOCK_S = 30.0
"""Series are compared as means over this long: sparse counts get a median, and slow scrapes count once."""
LEAST_SHIFT = 2.0
"""In robust standard deviations of those means."""
NO_SHIFT = 1.0
"""What shifted by less than this did not move; in between, nothing is said."""
NEVER = 0.02
"""What is as high in fewer healthy stretches than this moved although its noise is as large."""
HEADROOM = 0.7
"""Something that can run out does no harm below this share of its ceiling."""
UNDECIDED = "it moved, but hardly more than usual"


@dataclass(frozen=True, slots=True)
class Moved:
    """How one member of a family moved at the onset.

    Parameters
    ----------
    before, after
        Medians, turned so that up is worse.
    shift
        Their difference, in robust standard deviations of the reference.
    placebo
        How often a stretch of the reference of the same length looks as bad: the p-value of a placebo in time.
    """

    before: float
    after: float
    shift: float
    placebo: float

    @property
    def up(self) -> bool:
        """Whether it moved in its bad direction, by more than it does in healthy times."""
        return (self.shift >= LEAST_SHIFT and self.placebo <= 0.1) or (self.shift >= NO_SHIFT and self.placebo <= NEVER)


@dataclass(frozen=True, slots=True)
class Screened:
    """A family with how its members moved, and why it is out if it is."""

    family: Family
    members: tuple[Moved, ...]
    out: str = ""

    @property
    def undecided(self) -> bool:
        """Whether it moved too little to be examined, and too much to be ruled out."""
        return self.out == UNDECIDED

    @property
    def shift(self) -> float:
        """The largest shift of its members."""
        return max(moved.shift for moved in self.members)


def screen(
    family: Family,
    onset: int,
    tick_s: float,
    late: int | None = None,
    harm: Floats | None = None,
    *,
    drifts: bool = False,
) -> Screened:
    """Compare a family before and since the onset.

    Parameters
    ----------
    family
        The candidates of one chain.
    onset
        The first tick of the incident.
    tick_s
        Width of a tick.
    late
        The last tick at which a cause may have moved, None where the incident is too young to ask.
    harm
        Shape (T - onset,): how bad each tick of the incident is, at least 0: what can run out is looked at when it
        hurts.
    drifts
        Whether it may have begun to drift at the onset: of a series that is not known to act a step is asked for.
    """
    harm = harm if family.runs_out else None
    members = tuple(movement(values, onset, tick_s, harm) for values in family.values)
    objection = _objection(family, members, onset)
    return Screened(family, members, objection or _too_late(family, members, onset, tick_s, late, drifts))


def ran_short(screened: Screened, onset: int) -> bool:
    """Whether a family moved the bad way and had no headroom, however late: it may have moved others all the same."""
    return screened.shift >= NO_SHIFT and _fullest(screened.family, screened.members, onset) >= HEADROOM


def movement(values: Floats, onset: int, tick_s: float, harm: Floats | None = None) -> Moved:
    """Robust shift of the median at the onset, and its placebo.

    The reference ends a minute early and the comparison uses the last two thirds of the incident, so that an onset
    that is wrong by a minute does little. With ``harm`` the whole incident is used, each moment as much as it hurt.

    Examples
    --------
    >>> values = np.r_[np.sin(np.arange(120.0)), 5 + np.sin(np.arange(60.0))]
    >>> movement(values, 120, 5.0).up
    True
    """
    width = max(1, min(round(BLOCK_S / tick_s), len(values) - onset))
    before = _means(values[: max(onset - round(LATE_S / tick_s), onset // 2)], width)
    after = _means(values[onset + (0 if harm is not None else (len(values) - onset) // 3) :], width)
    weight = np.ones(len(after)) if harm is None or not harm.any() else _means(harm, width)
    centre, level = float(np.median(before)), float(_weighted_median(after, weight))
    everything = np.r_[before, after]
    floor = 0.05 * float(np.ptp(everything)) + 1e-3 * float(np.abs(everything).max())
    scale = max(1.4826 * float(np.median(np.abs(before - centre))), floor, 1e-300)
    window = max(1, min(len(after), len(before) // 3))
    elsewhere = _weighted_median(sliding_window_view(before, window), _heaviest(weight, window))
    placebo = float((elsewhere >= level).mean())  # 0 of a short reference proves little, but rules nothing out
    return Moved(centre, level, (level - centre) / scale, placebo)


def _weighted_median(values: Floats, weight: Floats) -> Floats:
    """Along the last axis; the mean of the two in the middle where they are as heavy."""
    order = np.argsort(values, axis=-1)
    total = np.cumsum(weight[order], axis=-1)
    below = (total < total[..., -1:] * (0.5 - 1e-9)).sum(-1, keepdims=True)
    up_to = (total <= total[..., -1:] * (0.5 + 1e-9)).sum(-1, keepdims=True)
    ranked = np.take_along_axis(values, order, axis=-1)
    pair = [np.take_along_axis(ranked, np.minimum(at, values.shape[-1] - 1), axis=-1)[..., 0] for at in (below, up_to)]
    return np.asarray((pair[0] + pair[1]) / 2)


def _heaviest(weight: Floats, width: int) -> Floats:
    """The stretch of so many neighbours that weighs most."""
    stretches = sliding_window_view(weight, width)
    return np.asarray(stretches[int(np.argmax(stretches.sum(-1)))])


def turning_point(values: Floats) -> int:
    """The most likely tick of a single step up: the lowest point of the cumulative sum of deviations from the mean.

    Examples
    --------
    >>> turning_point(np.r_[np.zeros(7), np.ones(5)])
    7
    """
    return int(np.argmin(np.cumsum(values - values.mean()))) + 1


def beginning(values: Floats) -> int:
    """The most likely tick at which a series began to move: where it steps or, if that fits better, begins to drift.

    Examples
    --------
    >>> beginning(np.r_[np.zeros(7), np.ones(5)]), beginning(np.r_[np.zeros(40), np.linspace(0.1, 4.0, 40)])
    (7, 39)
    """
    n, centred = len(values), values - values.mean()
    at = np.arange(1, n)
    stepped = np.cumsum(centred)[:-1] ** 2 * n / (at * (n - at))
    drifting = np.cumsum(np.cumsum(centred[::-1]))[::-1][1:]  # at k: sum over t >= k of (t - k + 1) times the value
    length = (n - at).astype(np.float64)
    total, squares = length * (length + 1) / 2, length * (length + 1) * (2 * length + 1) / 6
    drifted = drifting**2 / np.maximum(squares - total**2 / n, 1e-12)
    if drifted.max() > stepped.max():
        return int(at[int(np.argmax(drifted))]) - 1
    return turning_point(values)


def _means(values: Floats, width: int) -> Floats:
    """Means over neighbouring blocks, counted from the end."""
    width = min(width, len(values))
    kept = len(values) // width * width
    return np.asarray(values[len(values) - kept :].reshape(-1, width).mean(1))


def _objection(family: Family, members: tuple[Moved, ...], onset: int) -> str:
    """Why the family cannot be the cause, or nothing."""
    deciding = members[:1] if family.exogenous else members
    most = max(deciding, key=lambda moved: moved.shift)
    if most.shift <= -LEAST_SHIFT:
        return f"it moved the other way, by {-most.shift:.1f} robust standard deviations"
    if (fullest := _fullest(family, members, onset)) < HEADROOM:
        return f"it had headroom: at most {fullest:.0%} of its ceiling, and it does no harm below {HEADROOM:.0%}"
    if most.shift < NO_SHIFT:
        return f"it did not move: a shift of {most.shift:.1f} robust standard deviations"
    if most.shift < LEAST_SHIFT and not most.up:
        return UNDECIDED
    if not any(moved.up for moved in deciding):
        return f"it is as high in {most.placebo:.0%} of healthy stretches of the same length (placebo in time)"
    return ""


def _fullest(family: Family, members: tuple[Moved, ...], onset: int) -> float:
    """The 90% quantile of use on the worse side; 1.0 where what it does was seen, or nothing can run out."""
    ceilings = [candidate.ceiling for candidate in family.candidates]
    if any(moved.up and ceiling is None for moved, ceiling in zip(members, ceilings, strict=True)):
        return 1.0
    limited = [np.abs(v) / ceiling for v, ceiling in zip(family.values, ceilings, strict=True) if ceiling]
    return max((float(np.quantile(part, 0.9)) for v in limited for part in (v[:onset], v[onset:])), default=1.0)


def _too_late(
    family: Family, members: tuple[Moved, ...], onset: int, tick_s: float, late: int | None, drifts: bool
) -> str:
    if late is None:
        return ""
    when = beginning if drifts else turning_point
    turned = min(when(v) for v, moved in zip(family.values, members, strict=True) if moved.up)
    return f"it moved {(turned - onset) * tick_s:.0f} s after the onset" if turned > late else ""

"""The dose-response of the likeliest causes, for a person to see: ticks as points, and the ramp fitted to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Candidate, behind, held, label
from driftwatch.attribution.causes.dose import trailing
from driftwatch.attribution.causes.shares import Window, corners, ramp, window_of
from driftwatch.events.signals import BY_NAME, Signal
from driftwatch.incidents.models import Cause, Dose
from driftwatch.statistics.nnls import nnls

Floats = NDArray[np.float64]

_MOST, _POINTS = 2, 100  # doses; points of each kind
_LEAST = 8  # ticks since the onset
_GUARD_S = 60.0
_SMOOTHED = 6  # ticks: what users send is worked on for a while
_FLAT = 0.05  # a piece of the ramp that adds less than this share of its rise is flat


def doses_of(
    signal: str,
    excess: Floats,
    onset: int,
    harm: float,
    causes: Sequence[Cause],
    candidates: Sequence[Candidate],
    width: float,
) -> tuple[Dose, ...]:
    """How the excess of the leading signal goes with the level of each of its likeliest causes.

    Parameters
    ----------
    signal
        The leading one.
    excess
        Shape (T,): NaN where there were no requests.
    onset
        The first tick of the incident.
    harm
        What the excess is multiplied by so that up is worse.
    causes
        Those found; events and what is ruled out have no dose that would say anything.
    candidates
        The series that were looked at, of shape (T,).
    width
        Width of a tick, in seconds.
    """
    if np.isfinite(excess[onset:]).sum() < _LEAST or not np.isfinite(excess[:onset]).any():
        return ()
    found = behind(causes, candidates, _MOST)
    return tuple(_dose(BY_NAME[signal], excess, harm, onset, c, cause, width) for cause, c in found)


def _dose(
    signal: Signal, excess: Floats, harm: float, onset: int, candidate: Candidate, cause: Cause, width: float
) -> Dose:
    window = window_of(excess, onset, round(_GUARD_S / width))
    centred = window.excess - float(np.median(window.excess[~window.during]))
    level = held(candidate.values)
    level = trailing(level, _SMOOTHED) if candidate.role == "exogenous" else level
    lag = round(cause.lag_s / width)
    seen = level[np.maximum(window.ticks - lag, 0)]
    turn = _turn(candidate, harm * centred[window.during])
    rising = _fitted(turn * level, window, centred, lag) * (turn, 1.0)
    # The fit looks at the excess without its outliers; people see all of it.
    felt = excess[window.ticks] - float(np.median(window.excess[~window.during]))
    shown = (lambda x: x) if signal.difference else np.exp
    return Dose(
        name=label(candidate),
        unit=candidate.unit,
        signal=signal.name,
        excess_unit=signal.unit if signal.difference else "times",
        lag_s=cause.lag_s,
        healthy=_points(seen[~window.during], shown(felt[~window.during])),
        during=_points(seen[window.during], shown(felt[window.during])),
        ramp=_points(rising[:, 0], shown(rising[:, 1])),
        saturates=_saturates(rising),
    )


def _turn(candidate: Candidate, during: Floats) -> float:
    """1.0 where more of it is expected to go with more harm: the other way round where the harm eased."""
    eased = float(np.mean(during)) < 0
    return 1.0 if (candidate.bad == "up") != eased else -1.0


def _fitted(level: Floats, window: Window, excess: Floats, lag: int) -> Floats:
    """Corners of the ramp that fits best alone, shape (pieces + 1, 2): level, excess; flat on both sides."""
    sign = 1.0 if float(np.mean(excess[window.during])) >= 0 else -1.0
    pieces = ramp(level, window, lag)
    rises = sign * nnls(pieces.T @ pieces, pieces.T @ (sign * excess))
    return np.column_stack([corners(level, window), np.r_[0.0, np.cumsum(rises)]])


def _saturates(rising: Floats) -> float | None:
    """Where the ramp is flat from; None where it rises to its end, or nowhere."""
    rises = np.abs(np.diff(rising[:, 1]))
    steep = np.flatnonzero(rises > _FLAT * rises.sum())
    return float(rising[steep[-1] + 1, 0]) if len(steep) and steep[-1] + 1 < len(rises) else None


def _points(level: Floats, excess: Floats) -> tuple[tuple[float, float], ...]:
    """At most a hundred, evenly chosen, to four digits."""
    chosen = np.unique(np.linspace(0, len(level) - 1, min(len(level), _POINTS)).round().astype(np.int64))
    return tuple((float(f"{level[k]:.4g}"), float(f"{excess[k]:.4g}")) for k in chosen)

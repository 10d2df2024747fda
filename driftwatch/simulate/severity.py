"""How bad a fault is, by what users feel: its size is sought until the affected signal has moved by so much.

No detector takes part in this. Both runs of a trial have the same seed, the same requests and the same noise; they
differ in the fault alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from driftwatch.errors import InputError
from driftwatch.events.columns import Floats
from driftwatch.simulate.scenario import Scenario
from driftwatch.simulate.service import Run

Severity = Literal["mild", "moderate", "severe"]
SEVERITIES: tuple[str, ...] = get_args(Severity)

RELATIVE: dict[str, float] = {"mild": 0.10, "moderate": 0.25, "severe": 1.00}
"""How far the median of the affected signal moves."""
SPOILT: dict[str, float] = {"mild": 0.02, "moderate": 0.05, "severe": 0.20}
"""Which share of the answers is spoilt."""

_NEAR = 0.08
_TRIES = 9


def target(scenario: Scenario, severity: str) -> float:
    """What users feel at this severity: a relative move of the signal's median, or a share of the answers.

    Raises
    ------
    InputError
        If there is no such severity.
    """
    if severity not in SEVERITIES:
        raise InputError(f"a severity is one of {', '.join(SEVERITIES)}, not '{severity}'")
    return (SPOILT if scenario.signal == "answers" else RELATIVE)[severity]


def felt(signal: str, run: Run, rows: np.ndarray) -> Floats:
    """A signal of these requests, those that have none of it left out.

    Parameters
    ----------
    signal
        ``ttft``, ``itl``, ``latency`` or ``output_length``.
    run
        What happened.
    rows
        Shape (n,): which requests, as a mask.
    """
    values = {"ttft": run.ttft, "itl": run.itl, "latency": run.latency}.get(signal, lambda: _lengths(run))()[rows]
    return np.asarray(values[~np.isnan(values)], np.float64)


def effect(signal: str, run: Run, healthy: Run, rows: Callable[[Run], np.ndarray]) -> float:
    """By how much the median of a signal moved, relative to the run without the fault; shorter answers count as more.

    Parameters
    ----------
    signal
        What users feel.
    run, healthy
        With the fault and without.
    rows
        Which requests of a run to look at.
    """
    with_it, without = (np.median(felt(signal, r, rows(r))) for r in (run, healthy))
    return float(without / with_it - 1 if signal == "output_length" else with_it / without - 1)


def sized(moved: Callable[[float], float], wanted: float, most: float) -> float:
    """The size at which a fault moves what users feel by ``wanted``; ``most`` where even that is too little.

    Parameters
    ----------
    moved
        From a size to a relative move, mostly growing.
    wanted
        The move sought.
    most
        The largest size.

    Notes
    -----
    Regula falsi on the logarithm of the move with halving of the side that stays (the Illinois method), since the
    effect of memory pressure is a cliff.

    References
    ----------
    .. [1] Dowell, Jarratt (1971). A modified regula falsi method for computing the root of an equation. BIT 11.

    Examples
    --------
    >>> round(sized(lambda x: 3 * x**2, 0.25, 1.0), 1)
    0.3
    """
    low, below = 0.0, -np.log1p(wanted)
    high, above = most, np.log1p(moved(most)) - np.log1p(wanted)
    if above <= 0:
        return most
    best = (above, high)
    for _ in range(_TRIES):
        middle = low + (high - low) * min(max(-below / (above - below), 0.05), 0.95)
        off = float(np.log1p(max(moved(middle), -0.9)) - np.log1p(wanted))
        best = min(best, (abs(off), middle))
        if abs(off) < _NEAR * np.log1p(wanted):
            break
        if off > 0:
            high, above, below = middle, off, below / 2
        else:
            low, below, above = middle, off, above / 2
    return float(best[1])


def _lengths(run: Run) -> Floats:
    ended = run.outcomes.finish >= 0
    return np.where(ended, run.outcomes.generated, np.nan)

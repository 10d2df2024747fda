"""How much of the excess each cause explains: one fit of all of them, and a range rather than a number.

The fit sees healthy ticks and the incident together, since a model of healthy ticks alone cannot know a saturation that
it never saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Family
from driftwatch.attribution.causes.dose import clipped, trailing
from driftwatch.statistics.nnls import nnls

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PIECES = 3
"""Pieces of a monotone ramp."""
RESAMPLES = 24
_BLOCK = 6
_STRETCHES = 6


@dataclass(frozen=True, slots=True)
class Share:
    """Share of the excess that one term of the fit explains, 0 to 1.

    Parameters
    ----------
    low
        5% quantile over blocks resampled, beside all others and an unknown step at the onset.
    joint
        Beside all others.
    high
        95% quantile beside the others, or alone, whichever is more.
    known
        5% quantile beside all others: the low end where nothing unknown began at the onset.
    wander
        What healthy times wander by of themselves, as a share of the excess: nobody knows it better than that.
    """

    low: float
    joint: float
    high: float
    known: float = 0.0
    wander: float = 0.0


@dataclass(frozen=True, slots=True)
class Term:
    """Columns of the fit that belong together.

    Parameters
    ----------
    columns
        Shape (n, k), over the ticks of the fit.
    ridge
        How much its coefficients are held back: not at all for a step, so that it wins where the fit cannot tell.
    """

    columns: Floats
    ridge: float = 1e-2


@dataclass(frozen=True, slots=True)
class Window:
    """Ticks of the fit: healthy ones before the onset, and the incident.

    Parameters
    ----------
    ticks
        Shape (n,): those that have a value.
    excess
        Shape (n,): outliers cleaned.
    during
        Shape (n,): True since the onset.
    """

    ticks: Ints
    excess: Floats
    during: NDArray[np.bool_]


def window_of(excess: Floats, onset: int, guard: int, most: int = 720) -> Window:
    """Choose the ticks of the fit: the incident, and twice as many healthy ticks (at least 60)."""
    known = np.flatnonzero(~np.isnan(excess))
    during = known[known >= onset][:most]
    healthy = known[known < max(onset - guard, onset // 2)][-max(2 * len(during), 60) :]
    cleaned = np.r_[clipped(excess[healthy]), clipped(excess[during])]
    return Window(np.r_[healthy, during], cleaned, np.r_[np.zeros(len(healthy), bool), np.ones(len(during), bool)])


def ramp(values: Floats, window: Window, lag: int) -> Floats:
    """A series as monotone saturating ramps, from its healthy median to its highest: shape (n, PIECES)."""
    edges = corners(values, window)
    delayed = values[np.maximum(window.ticks - lag, 0)]
    return np.asarray(np.clip((delayed[:, None] - edges[:-1]) / (edges[1] - edges[0]), 0.0, 1.0))


def corners(values: Floats, window: Window) -> Floats:
    """Where the pieces of a series' ramp begin and end: shape (PIECES + 1,)."""
    seen = values[window.ticks]
    low = float(np.median(seen[~window.during]))
    high = max(float(np.quantile(seen[window.during], 0.98)), low + 1e-12 * max(abs(low), 1.0))
    return np.linspace(low, high, PIECES + 1)


def family_term(family: Family, window: Window, lags: Sequence[int]) -> Term:
    """All members of a family, each at the lag that fits the whole window best."""
    members = [trailing(values, 6) for values in family.values] if family.exogenous else list(family.values)
    return Term(np.column_stack([ramp(values, window, best_lag(values, window, lags)) for values in members]))


def step_term(window: Window, at_tick: int) -> Term:
    """Something that began at one tick and stayed."""
    return Term((window.ticks >= at_tick).astype(np.float64)[:, None], ridge=1e-6)


def best_lag(values: Floats, window: Window, lags: Sequence[int]) -> int:
    """The shortest lag whose correlation with the excess is within 2% of the best."""
    seen = np.stack([values[np.maximum(window.ticks - lag, 0)] for lag in lags])
    centred = seen - seen.mean(1, keepdims=True)
    length = np.maximum(np.linalg.norm(centred, axis=1), 1e-12)
    fit = centred @ (window.excess - window.excess.mean()) / length
    return int(lags[int(np.argmax(fit >= fit.max() - 0.02 * abs(fit.max())))])


def shares(
    terms: Sequence[Term], window: Window, onset: int, rng: np.random.Generator, known: Sequence[bool]
) -> list[Share]:
    """Fit all terms at once and say what each explains of the incident's excess, as a range.

    Parameters
    ----------
    terms
        Families and events.
    window
        The ticks of the fit.
    onset
        The first tick of the incident.
    rng
        Source of chance for the resampling.
    known
        Of each term, whether it is known to act on this signal.

    References
    ----------
    .. [1] Kunsch (1989). The jackknife and the bootstrap for general stationary observations. Ann. Stat. 17. Blocks.
    """
    weights = _resampled(len(window.ticks), rng)
    hidden = step_term(window, onset)
    joint = _fitted(terms, window, weights)
    beside = _fitted([*terms, hidden], window, weights)
    alone = [parts([term], window)[0] for term in terms]
    lawful = iter(
        _fitted([t for t, acts in zip(terms, known, strict=True) if acts], window, weights) if any(known) else ()
    )
    wander = _wander(window)
    certain = [next(lawful) if acts else joint[i] for i, acts in enumerate(known)]
    return [
        Share(
            low=float(min(np.quantile(joint[i], 0.05), np.quantile(beside[i], 0.05))),
            joint=float(joint[i][0]),
            high=float(max(np.quantile(joint[i], 0.95), alone[i])),
            known=float(np.quantile(certain[i], 0.05)),
            wander=wander,
        )
        for i in range(len(terms))
    ]


def _wander(window: Window) -> float:
    """95% of the means of healthy stretches lie within this of their middle, as a share of the mean excess."""
    healthy, excess = window.excess[~window.during], float(window.excess[window.during].mean())
    if len(healthy) < 2 * _STRETCHES or excess <= 0:
        return 1.0
    means = [float(part.mean()) for part in np.array_split(healthy, _STRETCHES)]
    return min(1.0, 1.96 * float(np.std(means, ddof=1)) / excess)


def parts(terms: Sequence[Term], window: Window) -> list[float]:
    """The share of each term in one fit of all, without a range."""
    return [float(share[0]) for share in _fitted(terms, window, np.ones((1, len(window.ticks))))]


def _resampled(n: int, rng: np.random.Generator) -> Floats:
    """Weights of n ticks when blocks of them are drawn with replacement: shape (1 + RESAMPLES, n), the first all 1."""
    blocks = -(-n // _BLOCK)
    drawn = rng.multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLES)
    return np.concatenate([np.ones((1, n)), drawn[:, np.arange(n) // _BLOCK]])


def _fitted(terms: Sequence[Term], window: Window, weights: Floats) -> list[Floats]:
    """The share of each term under each row of weights: shape (rows,) each."""
    columns = np.column_stack([term.columns for term in terms])
    owner = np.repeat(np.arange(len(terms)), [term.columns.shape[1] for term in terms])
    products = columns[:, :, None] * columns[:, None, :]
    gram = (weights @ products.reshape(len(columns), -1)).reshape(-1, *products.shape[1:])
    held_back = np.array([term.ridge for term in terms])[owner]
    ridge = np.eye(columns.shape[1]) * held_back * np.diagonal(gram, axis1=1, axis2=2)[:, None, :]
    coefficients = nnls(gram + ridge, (weights * window.excess) @ columns, sweeps=100, tolerance=1e-3)
    during = weights[:, window.during]
    total = np.maximum(during @ window.excess[window.during], 1e-12)
    each = coefficients * (during @ columns[window.during]) / total[:, None]
    return [np.clip(each[:, owner == i].sum(1), 0.0, 1.0) for i in range(len(terms))]

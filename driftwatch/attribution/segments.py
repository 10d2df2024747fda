"""Who was hit: the part of the traffic whose excess grew more than that of the rest.

A difference in differences: each part is compared with its own past and with what happened to everybody else, so that a
part that was always slow is not found, and neither is anybody when all were hit alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from driftwatch.incidents.models import Segment

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_Z = 5.0
"""Requests of one tick share its fate, so that this is stricter than it looks."""
LEAST_LIFT = 1.3
LEAST_REQUESTS = 20
"""On each side of the onset."""
PARSIMONY = 0.8
"""A part named by two labels must beat one named by one label by this much."""
_MOST_LIFT = 100.0


@dataclass(frozen=True, slots=True)
class Cells:
    """Sums over requests for each combination of labels; arrays of shape (c,).

    Parameters
    ----------
    labels
        By label, the value in each cell, None where it has none.
    n_before, n_after
        Requests.
    sum_before, sum_after
        Summed excess, in log units.
    squares_before, squares_after
        Summed squared excess.
    """

    labels: Mapping[str, Sequence[str | None]]
    n_before: Floats
    n_after: Floats
    sum_before: Floats
    sum_after: Floats
    squares_before: Floats
    squares_after: Floats


@dataclass(frozen=True, slots=True)
class _Contrast:
    where: dict[str, str]
    inside: Mask
    score: float
    change: float
    rest: float


def find_segments(cells: Cells, *, signal: str = "", most: int = 3) -> tuple[Segment, ...]:
    """Name the parts of the traffic that were hit harder than the rest, hardest first.

    Parameters
    ----------
    cells
        Counts and sums by combination of labels.
    signal
        The signal that the excess is of, for the record.
    most
        Parts to name, at most.

    Returns
    -------
    tuple[Segment, ...]
        ``before`` and ``after`` are mean excesses in log units. Empty when all were hit alike.

    References
    ----------
    .. [1] Card, Krueger (1994). Minimum wages and employment. AER 84. The difference in differences.

    Examples
    --------
    >>> sums = {"n_before": np.full(2, 200.0), "n_after": np.full(2, 100.0), "sum_before": np.zeros(2),
    ...         "sum_after": np.array([80.0, 5.0]), "squares_before": np.full(2, 8.0), "squares_after": np.full(2, 68.)}
    >>> [part.where for part in find_segments(Cells(labels={"replica": ["a", "b"]}, **sums))]
    [{'replica': 'a'}]
    """
    left, found = cells.n_before > 0, []
    total = float((cells.sum_after - _expected(cells))[left].sum())
    direction = 1.0 if total >= 0 else -1.0
    for _ in range(most):
        best = max(_contrasts(cells, left, direction), key=lambda contrast: contrast.score, default=None)
        if best is None:
            break
        found.append(_segment(cells, best, total, signal))
        left = left & ~best.inside
    return tuple(found)


def _contrasts(cells: Cells, left: Mask, direction: float) -> list[_Contrast]:
    """Every part of one or two labels that was hit harder than the rest of what is left."""
    found = []
    for where in _parts(cells, left):
        inside = _mask(cells, where) & left
        outside = left & ~inside
        if not _enough(cells, inside) or not _enough(cells, outside):
            continue
        (change, variance), (rest, noise) = _change(cells, inside), _change(cells, outside)
        z = direction * (change - rest) / max((variance + noise) ** 0.5, 1e-12)
        contrast = _Contrast(where, inside, z * PARSIMONY ** (len(where) - 1), direction * change, direction * rest)
        if z >= LEAST_Z and _lift(contrast) >= LEAST_LIFT:
            found.append(contrast)
    return found


def _parts(cells: Cells, left: Mask) -> list[dict[str, str]]:
    """Values of one label, and combinations of two labels that occur."""
    seen = [int(i) for i in np.flatnonzero(left)]
    found: dict[tuple[tuple[str, str], ...], None] = {}
    for size in (1, 2):
        for keys in combinations(cells.labels, size):
            for i in seen:
                pairs = [(key, cells.labels[key][i]) for key in keys]
                named = tuple((key, value) for key, value in pairs if value is not None)
                if len(named) == size:
                    found[named] = None
    return [dict(pairs) for pairs in found]


def _mask(cells: Cells, where: Mapping[str, str]) -> Mask:
    columns = [np.asarray(cells.labels[key], object) == wanted for key, wanted in where.items()]
    return np.asarray(np.logical_and.reduce(columns))


def _enough(cells: Cells, inside: Mask) -> bool:
    return bool(min(cells.n_before[inside].sum(), cells.n_after[inside].sum()) >= LEAST_REQUESTS)


def _change(cells: Cells, inside: Mask) -> tuple[float, float]:
    """Mean excess after minus before, and its variance."""
    before, noise_before = _mean(cells.n_before, cells.sum_before, cells.squares_before, inside)
    after, noise_after = _mean(cells.n_after, cells.sum_after, cells.squares_after, inside)
    return after - before, noise_before + noise_after


def _mean(n: Floats, total: Floats, squares: Floats, inside: Mask) -> tuple[float, float]:
    count = max(float(n[inside].sum()), 1.0)
    mean = float(total[inside].sum()) / count
    return mean, max(float(squares[inside].sum()) / count - mean * mean, 0.0) / count


def _expected(cells: Cells) -> Floats:
    """The summed excess that each cell would have had if nothing had happened."""
    before = np.divide(cells.sum_before, cells.n_before, out=np.zeros_like(cells.sum_before), where=cells.n_before > 0)
    return np.asarray(before * cells.n_after)


def _lift(contrast: _Contrast) -> float:
    return min(contrast.change / max(contrast.rest, 1e-9), _MOST_LIFT)


def _segment(cells: Cells, contrast: _Contrast, total: float, signal: str) -> Segment:
    inside = contrast.inside
    own = float((cells.sum_after - _expected(cells))[inside].sum())
    return Segment(
        where=contrast.where,
        share=float(np.clip(own / total, 0.0, 1.0)) if total else 0.0,
        lift=_lift(contrast),
        signal=signal,
        before=_mean(cells.n_before, cells.sum_before, cells.squares_before, inside)[0],
        after=_mean(cells.n_after, cells.sum_after, cells.squares_after, inside)[0],
        requests=int(cells.n_after[inside].sum()),
    )

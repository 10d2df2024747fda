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
Ints = NDArray[np.int64]
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
    sums = _stacked(cells) * left
    found = []
    for size in (1, 2):
        for keys in combinations(cells.labels, size):
            number, names = _groups(cells, keys, left)
            found += _of_one_kind(sums, number, names, direction, PARSIMONY ** (size - 1))
    return found


def _stacked(cells: Cells) -> Floats:
    """All sums, shape (6, c): count, sum and squares before, and after."""
    before = (cells.n_before, cells.sum_before, cells.squares_before)
    return np.stack([*before, cells.n_after, cells.sum_after, cells.squares_after])


def _groups(cells: Cells, keys: Sequence[str], left: Mask) -> tuple[Ints, list[dict[str, str]]]:
    """Which part each cell belongs to by these labels, -1 where it lacks one; and the names of the parts."""
    found: dict[tuple[str | None, ...], int] = {}
    rows = zip(*(cells.labels[key] for key in keys), strict=True)
    number = [
        found.setdefault(values, len(found)) if some and None not in values else -1
        for values, some in zip(rows, left.tolist(), strict=True)
    ]
    return np.array(number, np.int64), [dict(zip(keys, map(str, values), strict=True)) for values in found]


def _of_one_kind(
    sums: Floats, number: Ints, names: Sequence[dict[str, str]], direction: float, weight: float
) -> list[_Contrast]:
    """Parts that differ in the same labels, each compared with all others at once."""
    within = number >= 0
    inside = np.stack([np.asarray(np.bincount(number[within], row[within], len(names)), np.float64) for row in sums])
    outside = sums.sum(axis=1)[:, None] - inside
    (change, noise), (rest, more) = _change(inside), _change(outside)
    z = direction * (change - rest) / np.sqrt(np.maximum(noise + more, 1e-24))
    enough = np.minimum.reduce([inside[0], inside[3], outside[0], outside[3]]) >= LEAST_REQUESTS
    found = [
        _Contrast(names[k], number == k, float(z[k]) * weight, direction * float(change[k]), direction * float(rest[k]))
        for k in np.flatnonzero(enough & (z >= LEAST_Z)).tolist()
    ]
    return [contrast for contrast in found if _lift(contrast) >= LEAST_LIFT]


def _change(sums: Floats) -> tuple[Floats, Floats]:
    """Mean excess after minus before, and its variance, of sums of shape (6, ...)."""
    (before, noise), (after, more) = _mean(*sums[:3]), _mean(*sums[3:])
    return after - before, noise + more


def _mean(n: Floats, total: Floats, squares: Floats) -> tuple[Floats, Floats]:
    count = np.maximum(n, 1.0)
    mean = total / count
    return mean, np.maximum(squares / count - mean * mean, 0.0) / count


def _expected(cells: Cells) -> Floats:
    """The summed excess that each cell would have had if nothing had happened."""
    before = np.divide(cells.sum_before, cells.n_before, out=np.zeros_like(cells.sum_before), where=cells.n_before > 0)
    return np.asarray(before * cells.n_after)


def _lift(contrast: _Contrast) -> float:
    return min(contrast.change / max(contrast.rest, 1e-9), _MOST_LIFT)


def _segment(cells: Cells, contrast: _Contrast, total: float, signal: str) -> Segment:
    inside = contrast.inside
    own = float((cells.sum_after - _expected(cells))[inside].sum())
    within = _stacked(cells)[:, inside].sum(axis=1)
    return Segment(
        where=contrast.where,
        share=float(np.clip(own / total, 0.0, 1.0)) if total else 0.0,
        lift=_lift(contrast),
        signal=signal,
        before=float(_mean(*within[:3])[0]),
        after=float(_mean(*within[3:])[0]),
        requests=int(cells.n_after[inside].sum()),
    )

"""Does one series follow another, when both have a memory? Block permutation of what an AR(1) leaves over.

Neighbouring ticks resemble each other, so that two unrelated series correlate by accident: at a nominal 5% a plain
correlation test of two AR(.9) series is wrong half of the time. Here the effect is whitened first, the same filter is
put on the candidates and the controls (which keeps the relation between them), and what is left is permuted in blocks
that are long against what both still remember.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Association:
    """How strongly each of k series goes up with the effect, and how often chance does as well.

    Parameters
    ----------
    correlation
        Shape (k,): the largest partial correlation over the series' views.
    view
        Shape (k,): the position of that view among the rows of ``views``.
    single
        Shape (k,): one-sided p-value of the series on its own, its choice of a view included.
    familywise
        Shape (k,): the same, the choice among all k series included (at least ``single``).
    """

    correlation: Floats
    view: Ints
    single: Floats
    familywise: Floats


def association_test(
    effect: Floats,
    views: Floats,
    series: Ints,
    *,
    controls: Floats,
    count: int,
    rng: np.random.Generator,
    healthy: int = 0,
) -> Association:
    """Test whether series go up with an effect, beyond what controls explain.

    Parameters
    ----------
    effect
        Shape (n,), without NaN.
    views
        Shape (v, n): every way in which a series is looked at (its lags), without NaN; the views of a series are
        neighbours.
    series
        Shape (v,): which series a view belongs to: 0, 0, 1, 1, 1, ..., k - 1.
    controls
        Shape (n, c): what is partialled out; a constant is always.
    count
        Permutations.
    rng
        Source of chance.
    healthy
        So many points at the beginning are of another time, and are permuted among themselves: a change of level or
        of spread between the two proves nothing.

    References
    ----------
    .. [1] Cochrane, Orcutt (1949). Application of least squares regression to relationships containing autocorrelated
       error terms. JASA 44. The filter; its coefficient is corrected for bias as in Kendall (1954).
    .. [2] Freedman, Lane (1983). A nonstochastic interpretation of reported significance levels. JBES 1. Permuting
       residuals under controls.
    .. [3] Westfall, Young (1993). Resampling-based multiple testing. The maximum over the series.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> cause = rng.normal(size=60)
    >>> views = np.stack([cause, rng.normal(size=60)])
    >>> found = association_test(cause + rng.normal(size=60), views, np.array([0, 1]),
    ...                          controls=np.empty((60, 0)), count=199, rng=rng)
    >>> bool(found.familywise[0] < 0.05), bool(found.familywise[1] > 0.05)
    (True, True)
    """
    residual, seen, basis = _whitened(effect, views, controls)
    block = block_length(residual, seen)
    shuffled = residual[_orders(len(residual), max(healthy - 1, 0), block, count, rng)]
    size = np.sqrt(np.maximum((shuffled**2).sum(1) - ((shuffled @ basis) ** 2).sum(1), 1e-300))
    starts = np.flatnonzero(np.r_[True, np.diff(series) != 0])
    by_chance = np.maximum.reduceat((shuffled @ seen.T) / size[:, None], starts, axis=1)
    each = _correlations(residual, seen)
    best = np.maximum.reduceat(each, starts)
    own = zip(starts, np.split(each, starts[1:]), strict=True)
    view = np.array([start + int(np.argmax(seen_by)) for start, seen_by in own])
    single = (1 + (by_chance >= best - 1e-12).sum(0)) / (1 + count)
    familywise = (1 + (by_chance.max(1)[:, None] >= best - 1e-12).sum(0)) / (1 + count)
    return Association(best, view, single, familywise)


def partial_correlations(effect: Floats, views: Floats, controls: Floats) -> Floats:
    """The statistic of `association_test` for each view, without the test: shape (v,)."""
    residual, seen, _ = _whitened(effect, views, controls)
    return _correlations(residual, seen)


def block_length(effect: Floats, views: Floats) -> int:
    """Three times the longest memory that the effect shares with a view; at least 2, at most a quarter of n.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=200)
    >>> block_length(noise, noise[None, ::-1])
    4
    """
    n = len(effect)
    ours, theirs = _memory(effect), _memory(views)
    together = np.cumprod((theirs > 0) & (ours > 0), axis=-1) * ours * theirs
    longest = 1.0 + 2.0 * float(together.sum(-1).max(initial=0.0))
    return int(np.clip(np.ceil(3.0 * longest), 2, max(n // 4, 2)))


def block_orders(n: int, block: int, count: int, rng: np.random.Generator) -> Ints:
    """Orders of n points in which blocks are shuffled and their borders fall at random: shape (count, n).

    Examples
    --------
    >>> orders = block_orders(7, 3, 2, np.random.default_rng(0))
    >>> [sorted(order) for order in orders.tolist()] == [list(range(7))] * 2
    True
    """
    blocks = -(-n // block)
    shuffled = np.argsort(rng.random((count, blocks)), axis=1)
    points = (shuffled[:, :, None] * block + np.arange(block)).reshape(count, -1)
    return np.asarray((points[points < n].reshape(count, n) + rng.integers(0, n, (count, 1))) % n)


def _orders(n: int, healthy: int, block: int, count: int, rng: np.random.Generator) -> Ints:
    """Orders in which the healthy points at the beginning and those after them stay apart."""
    since = healthy + block_orders(n - healthy, block, count, rng)
    return np.hstack([block_orders(healthy, block, count, rng), since]) if healthy else since


def _whitened(effect: Floats, views: Floats, controls: Floats) -> tuple[Floats, Floats, Floats]:
    """The effect and the views (unit length), filtered and freed of the controls, and the basis of these."""
    design = np.column_stack([np.ones(len(effect)), controls])
    rho = _persistence(_freed(effect, _basis(design)))
    basis = _basis(_filtered(design.T, rho).T)
    residual = _freed(_filtered(effect, rho), basis)
    seen = _freed(_filtered(views, rho), basis)
    length = np.linalg.norm(seen, axis=1, keepdims=True)
    return residual, np.divide(seen, length, out=np.zeros_like(seen), where=length > 1e-9), basis


def _correlations(residual: Floats, seen: Floats) -> Floats:
    return np.asarray(seen @ residual / max(float(np.linalg.norm(residual)), 1e-300))


def _basis(design: Floats) -> Floats:
    """An orthonormal basis of the columns; columns that add nothing are dropped."""
    left, size, _ = np.linalg.svd(design / np.maximum(np.linalg.norm(design, axis=0), 1e-300), full_matrices=False)
    return left[:, size > 1e-8]


def _freed(values: Floats, basis: Floats) -> Floats:
    return np.asarray(values - (values @ basis) @ basis.T)


def _filtered(values: Floats, rho: float) -> Floats:
    return np.asarray(values[..., 1:] - rho * values[..., :-1])


def _persistence(residual: Floats) -> float:
    """The AR(1) coefficient, corrected for short series, where white noise on top may hide it from the first lag."""
    n = len(residual)
    first, second, third = (float(residual[:-lag] @ residual[lag:]) for lag in (1, 2, 3))
    power = max(float(residual @ residual), 1e-300)
    decays = [first / power + (1.0 + 3.0 * first / power) / n]
    if first > power / n**0.5:
        decays += [second / first, (max(third, 0.0) / first) ** 0.5]
    return float(np.clip(max(decays), 0.0, 0.98))


def _memory(values: Floats) -> Floats:
    """Autocorrelations at lags 1 to n // 3 of each row."""
    n = values.shape[-1]
    power = np.abs(np.fft.rfft(values - values.mean(-1, keepdims=True), 2 * n)) ** 2
    moments = np.fft.irfft(power)[..., : n // 3 + 1]
    return np.asarray(moments[..., 1:] / np.maximum(moments[..., :1], 1e-300))

"""Least squares with coefficients that cannot be negative."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def nnls(gram: Floats, moment: Floats, *, sweeps: int = 300, tolerance: float = 1e-9) -> Floats:
    """Solve many small non-negative least squares problems at once, by coordinate descent.

    Minimises ``b'Gb / 2 - m'b`` over ``b >= 0``: least squares of y on X where ``G = X'X`` and ``m = X'y``. Taking
    the products rather than X makes a bootstrap a sum of blocks.

    Parameters
    ----------
    gram
        Shape (..., k, k): positive semi-definite.
    moment
        Shape (..., k).
    sweeps
        Passes over the coordinates, at most.
    tolerance
        Stop when a pass moves no coefficient by more than this, relative to the largest.

    Returns
    -------
    Floats
        Shape (..., k): the coefficients; 0 for a column of zeros.

    References
    ----------
    .. [1] Franc, Hlavac, Navara (2005). Sequential coordinate-wise algorithm for the non-negative least squares
       problem. CAIP 2005.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> nnls(x.T @ x, x.T @ np.array([2.0, -1.0, 1.0])).round(3).tolist()
    [1.5, 0.0]
    """
    size = np.diagonal(gram, axis1=-2, axis2=-1)
    step = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    solution = np.zeros_like(moment)
    slope = -moment.copy()
    for _ in range(sweeps):
        moved = 0.0
        for j in range(moment.shape[-1]):
            new = np.maximum(solution[..., j] - slope[..., j] * step[..., j], 0.0)
            change = np.where(step[..., j] > 0, new - solution[..., j], 0.0)
            slope += gram[..., :, j] * change[..., None]
            solution[..., j] += change
            moved = max(moved, float(np.abs(change).max(initial=0.0)))
        if moved <= tolerance * max(float(solution.max(initial=0.0)), 1e-300):
            break
    return solution

"""Matrix products of whole numbers: exact, so that no cut of the rows, library or processor leaves a trace in them.

A float64 holds whole numbers up to 2**53 exactly. Products of 16-bit numbers, summed over a few hundred columns, stay
far below that, so that the order of summation does not matter; the same product of real numbers is rounded differently
for other numbers of rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftwatch.statistics.buckets import Floats

Shorts = NDArray[np.int16]

ONE = 2.0**10
"""Fixed point of standardised values: one unit."""
_STEPS = 2.0**15 - 1.0  # of the largest entry of a matrix
_SMALL = 2**18  # multiplications at a time: a larger product wakes a pool of threads
_MANY = 4096  # rows from which that is worth it: logs, not a server's own thread


def whole(values: Floats) -> Floats:
    """Values as whole numbers of 1/1024."""
    return np.rint(values * ONE)


def whole_matrix(matrix: Floats) -> tuple[Shorts, float]:
    """A matrix as whole numbers of 16 bits, and what one step is worth.

    Examples
    --------
    >>> whole_matrix(np.array([[0.5, -2.0]]))[0].tolist()
    [[8192, -32767]]
    """
    step = float(np.abs(matrix).max(initial=0.0)) / _STEPS or 1.0
    return np.rint(matrix / step).astype(np.int16), step


def product(rows: Floats, matrix: Floats | Shorts) -> Floats:
    """Whole numbers times whole numbers, shape (n, m): exact.

    Parameters
    ----------
    rows
        Shape (n, k): whole numbers of at most 16 bits.
    matrix
        Shape (k, m): likewise.

    Examples
    --------
    >>> product(np.array([[3.0, 4.0]]), np.array([[1.0], [2.0]])).tolist()
    [[11.0]]
    """
    n, factors = len(rows), matrix.astype(np.float64, copy=False)
    found = np.empty((n, matrix.shape[1]))
    step = n if n >= _MANY else max(1, _SMALL // max(matrix.size, 1))
    for start in range(0, n, max(step, 1)):
        np.matmul(rows[start : start + step], factors, out=found[start : start + step])
    return found

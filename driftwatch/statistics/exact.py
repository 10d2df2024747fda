"""Matrix products of whole numbers: exact, so that no cut of the rows, library or processor leaves a trace in them.

A float64 holds whole numbers up to 2**53 exactly. Products of 16-bit numbers, summed over a few hundred columns, stay
far below that, so that the order of summation does not matter; the same product of real numbers is rounded differently
for other numbers of rows.
"""

from __future__ import annotations

import numpy as np

from driftwatch.statistics.buckets import Floats

ONE = 2.0**10
"""Fixed point of standardised values: one unit."""
_STEPS = 2.0**15  # of the largest entry of a matrix
_SMALL = 2**18  # multiplications at a time: a larger product wakes a pool of threads
_MANY = 4096  # rows from which that is worth it: logs, not a server's own thread


def whole(values: Floats) -> Floats:
    """Values as whole numbers of 1/1024."""
    return np.rint(values * ONE)


def whole_matrix(matrix: Floats) -> tuple[Floats, float]:
    """A matrix as whole numbers of 16 bits, and what one step is worth.

    Examples
    --------
    >>> whole_matrix(np.array([[0.5, -2.0]]))[0].tolist()
    [[8192.0, -32768.0]]
    """
    step = float(np.abs(matrix).max(initial=0.0)) / _STEPS or 1.0
    return np.rint(matrix / step), step


def product(rows: Floats, matrix: Floats) -> Floats:
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
    n, m = len(rows), matrix.shape[1]
    found = np.empty((n, m))
    step = n if n >= _MANY else max(1, _SMALL // max(matrix.size, 1))
    for start in range(0, n, max(step, 1)):
        np.matmul(rows[start : start + step], matrix, out=found[start : start + step])
    return found

"""Logarithmic buckets: values as small integers, so that counts of them merge exactly and in any order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDTH = math.log(1.02)
"""Width of a value bucket in log units: 2%, so a value is known to within 1%."""
BUCKETS = 2048
"""Value buckets span 2% steps from about 1e-9 to 1e9."""
_OFFSET = BUCKETS // 2

CELLS = 128
"""Workload cells of a token count; the last one means 'not known'."""
UNKNOWN_CELL = CELLS - 1
_CELLS_PER_OCTAVE = 4


def bucket_of(values: Floats) -> Ints:
    """Bucket of positive values; what lies outside the range goes into the end buckets.

    Examples
    --------
    >>> bucket_of(np.array([1.0, 1.02, 0.0])).tolist()
    [1024, 1025, 0]
    """
    with np.errstate(divide="ignore"):
        code = np.rint(np.log(values) / WIDTH) + _OFFSET
    return np.asarray(np.clip(code, 0, BUCKETS - 1), np.int64)


def log_value(buckets: NDArray[Any]) -> Floats:
    """Natural logarithm of a bucket's centre.

    Examples
    --------
    >>> float(np.exp(log_value(bucket_of(np.array([0.25])))[0]).round(3))
    0.25
    """
    return (np.asarray(buckets, np.float64) - _OFFSET) * WIDTH


def cell_of(tokens: Floats) -> Ints:
    """Workload cell of token counts (four to an octave); NaN has a cell of its own.

    Examples
    --------
    >>> cell_of(np.array([0.0, 1.0, 3.0, np.nan])).tolist()
    [0, 4, 8, 127]
    """
    code = np.floor(np.log2(1.0 + np.nan_to_num(tokens)) * _CELLS_PER_OCTAVE)
    return np.where(np.isnan(tokens), UNKNOWN_CELL, np.clip(code, 0, CELLS - 2)).astype(np.int64)

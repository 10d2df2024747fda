"""What an encoder is, and vectors that callers bring, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from driftwatch.errors import InputError

Matrix = NDArray[np.float32]

LONGEST = 16_384
"""No vector has more dimensions than this: what claims to is no vector."""
_SOURCE = "vectors"


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into vectors, the same text into the same vector.

    Examples
    --------
    >>> from driftwatch.embedding import HashingEncoder
    >>> isinstance(HashingEncoder(), Encoder)
    True
    """

    @property
    def name(self) -> str:
        """What tells encoders apart whose vectors cannot be compared."""

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Encode n texts: shape (n, dimensions), float32, finite."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors that callers brought.

    Parameters
    ----------
    matrix
        Shape (n, d), float32: a row of NaN where there is no usable vector; d is 0 where that is so everywhere.
    refused
        How many rows could not be used, by reason. Rows that are None, or NaN throughout, are missing, not refused.
    """

    matrix: Matrix
    refused: Mapping[str, int]


def vectors_of(value: Any, n: int, dimensions: int | None = None) -> Vectors:
    """Check vectors.

    Parameters
    ----------
    value
        n rows, each a sequence or array of numbers, or None; or an array of shape (n, d) of floats or whole numbers; or
        None where there are no vectors at all.
    n
        How many rows there must be.
    dimensions
        How many numbers a vector must have; by default as many as most rows have (the fewest, if several have most).

    Returns
    -------
    Vectors
        A row that cannot be used (other dimensions, not numbers, not finite in float32) is NaN, and counted by reason.

    Raises
    ------
    InputError
        If these are not n rows, or an array as a whole is of another kind or has other dimensions.

    Examples
    --------
    >>> found = vectors_of([[1.0, 2.0], None, [1.0], [0.5, float("inf")]], 4)
    >>> found.matrix[:2].tolist(), dict(found.refused)
    ([[1.0, 2.0], [nan, nan]], {'1 dimensions, not 2': 1, 'not finite': 1})
    """
    if value is None:
        return Vectors(np.full((n, dimensions or 0), np.nan, np.float32), {})
    if isinstance(value, np.ndarray) and value.dtype != object:
        return _finite(_whole(value, n, dimensions), Counter())
    rows = _rows(value, n)
    refused: Counter[str] = Counter(row for row in rows if isinstance(row, str))
    usable = {k: row for k, row in enumerate(rows) if isinstance(row, np.ndarray)}
    width = dimensions or _usual([len(row) for row in usable.values()])
    matrix = np.full((n, width), np.nan, np.float32)
    for k, row in usable.items():
        if len(row) == width:
            matrix[k] = row
        else:
            refused[f"{len(row)} dimensions, not {width}"] += 1
    return _finite(matrix, refused)


def _whole(value: NDArray[Any], n: int, dimensions: int | None) -> Matrix:
    if value.ndim != 2 or len(value) != n or value.dtype.kind not in "fiu":
        raise InputError(
            f"an array of shape {value.shape} and type {value.dtype} is not {n} vectors: give shape ({n}, dimensions)",
            source=_SOURCE,
        )
    width = value.shape[1]
    if not 0 < width <= LONGEST or width != (dimensions or width):
        wanted = f"{dimensions}" if dimensions else f"1 to {LONGEST}"
        raise InputError(f"they have {width} dimensions, not {wanted}: was the encoder changed?", source=_SOURCE)
    with np.errstate(over="ignore"):
        return value.astype(np.float32)


def _rows(value: Any, n: int) -> list[Matrix | str | None]:
    """Each row as an array, or why it is none, or None."""
    try:
        rows = list(value)
    except TypeError:
        raise InputError(f"{type(value).__name__} is not {n} vectors: give a list of them", source=_SOURCE) from None
    if len(rows) != n:
        raise InputError(f"{len(rows)} vectors for {n} rows: give one (or None) for each", source=_SOURCE)
    return [_row(row) for row in rows]


def _row(row: Any) -> Matrix | str | None:
    if row is None:
        return None
    try:
        found = np.asarray(row)
    except (TypeError, ValueError, OverflowError):
        return "not a list of numbers"
    if found.ndim != 1 or found.dtype.kind not in "fiu":
        return "not a list of numbers"
    if not 0 < len(found) <= LONGEST:
        return "no dimensions" if not len(found) else f"more than {LONGEST} dimensions"
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _usual(lengths: list[int]) -> int:
    """The length of most; the smaller where several are as frequent."""
    return max(sorted(set(lengths)), key=Counter(lengths).__getitem__, default=0)


def _finite(matrix: Matrix, refused: Counter[str]) -> Vectors:
    """Count and blank rows that hold something that is not finite; all NaN means missing."""
    bad = ~np.isfinite(matrix).all(axis=1) & ~np.isnan(matrix).all(axis=1)
    matrix[bad] = np.nan
    if bad.any():
        refused["not finite"] += int(bad.sum())
    return Vectors(matrix, refused)

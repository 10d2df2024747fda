"""Columns that are seldom read in as few bytes as they need: whole numbers by their differences, others to 7 digits."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]

_LARGEST = float(np.finfo(np.float32).max)
_SIZES = (("b", 7), ("h", 15), ("i", 31), ("q", 63))  # kinds of whole numbers, and the bits that they hold


def single(values: NDArray[Any]) -> Singles:
    """Numbers as they are kept: good to seven digits.

    Examples
    --------
    >>> single(np.array([0.5, 1e99])).tolist()
    [0.5, 3.4028234663852886e+38]
    """
    return np.asarray(np.minimum(np.maximum(values, -_LARGEST), _LARGEST), np.float32)


def compressed(columns: Sequence[NDArray[Any]]) -> tuple[str, bytes]:
    """Columns of the same length, compressed.

    Parameters
    ----------
    columns
        Shape (n,) each: whole numbers (int64), or numbers to seven digits (float32).

    Returns
    -------
    How each column is written, a letter each, and all of them.

    Examples
    --------
    >>> kinds, data = compressed([np.arange(5, 905), single(np.arange(900) % 3)])
    >>> kinds, len(data) < 100, [column[[0, -1]].tolist() for column in expanded(kinds, 900, data)]
    ('bf', True, [[5, 904], [0.0, 2.0]])
    """
    written = [_written(column) for column in columns]
    return sys.intern("".join(kind for kind, _ in written)), zlib.compress(b"".join(data for _, data in written), 1)


def expanded(kinds: str, n: int, data: bytes) -> list[NDArray[Any]]:
    """The inverse of `compressed`, of columns of length n."""
    every, found = memoryview(zlib.decompress(data)), []
    for kind in kinds:
        start = 0 if kind == "f" else 8
        size = np.dtype(kind).itemsize
        by_byte = np.frombuffer(every[start : start + n * size], np.uint8).reshape(size, n)
        column = np.ascontiguousarray(by_byte.T).view(kind)[:, 0]
        begin = 0 if kind == "f" else int(np.frombuffer(every[:8], np.int64)[0])
        found.append(column if kind == "f" else begin + column.cumsum(dtype=np.int64))
        every = every[start + n * size :]
    return found


def _written(column: NDArray[Any]) -> tuple[str, bytes]:
    if column.dtype == np.float32:
        return "f", _by_byte(column)
    steps = np.diff(column, prepend=column[:1])
    bits = int(np.abs(steps).max(initial=0)).bit_length()
    kind = next(kind for kind, most in _SIZES if bits <= most)
    return kind, np.array(column[:1].sum(), np.int64).tobytes() + _by_byte(steps.astype(kind))


def _by_byte(column: NDArray[Any]) -> bytes:
    """First the first byte of each number, then all the second ones: neighbours resemble each other so."""
    return np.ascontiguousarray(column).view(np.uint8).reshape(-1, column.dtype.itemsize).T.tobytes()

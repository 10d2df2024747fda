"""Values as callers have them → numbers and strings: what cannot be read is marked, never raised."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Floats

Mask = NDArray[np.bool_]

_PLAIN = {float, int, type(None), np.float64, np.float32, np.int64, np.int32}
_LONGEST = 200  # characters: more is text, not a word


def numbers(values: Sequence[Any], read: Callable[[Any], float]) -> tuple[Floats, Mask]:
    """Values as numbers, NaN where there is none, and where they hold something else.

    Parameters
    ----------
    values
        Length n, of any types.
    read
        Reads what is no plain number; raises where it cannot.

    Examples
    --------
    >>> found, bad = numbers([0.5, None, "1.5", "soon", True], float_of)
    >>> found.tolist(), bad.tolist()
    ([0.5, nan, 1.5, nan, nan], [False, False, False, True, True])
    """
    if set(map(type, values)) <= _PLAIN:
        try:
            return np.array(values, np.float64), np.zeros(len(values), np.bool_)
        except OverflowError:
            pass
    found = np.full(len(values), np.nan)
    bad = np.zeros(len(values), np.bool_)
    for k, value in enumerate(values):
        try:
            found[k] = math.nan if value is None else read(value)
        except Exception:  # whatever a caller's object raises when it is looked at
            bad[k] = True
    return found, bad


def float_of(value: Any) -> float:
    """A number that is written, or of another library."""
    if isinstance(value, bool | np.bool_):
        raise TypeError("a truth value is no number")
    return float(value)


def seconds_of(value: Any) -> float:
    """A time as seconds since the epoch; without an offset it is UTC.

    Examples
    --------
    >>> seconds_of("2026-01-01T00:00:00Z"), seconds_of(datetime(2026, 1, 1)), seconds_of(np.datetime64("2026-01-01"))
    (1767225600.0, 1767225600.0, 1767225600.0)
    """
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64)) / 1e6
    if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float_of(value)


def words(values: Iterable[Any]) -> list[str | None]:
    """Values as words; None where there is none, or a text.

    Examples
    --------
    >>> words(["a", None, "", 7, ["stop"], "x" * 1000])
    ['a', None, None, '7', 'stop', None]
    """
    read = [value if type(value) is str else _word(value) for value in values]
    return [value if value and len(value) <= _LONGEST else None for value in read]


def _word(value: Any) -> str | None:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    try:
        return None if value is None else str(value)
    except Exception:  # whatever a caller's object raises when it is looked at
        return None


def identities(values: Iterable[Any]) -> list[str | None]:
    """Request ids as strings, however long."""
    return [value if type(value) is str else _word(value) for value in values]

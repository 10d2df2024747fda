"""Arrow columns as numpy: numbers, times, coded strings, hashes. Nothing here loops over rows. Needs pyarrow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch._optional import load
from driftwatch.events.columns import Coded, Floats
from driftwatch.events.identity import Hashes, hash_bytes

pa, pc = load("pyarrow", "batch"), load("pyarrow.compute", "batch")

Mask = NDArray[np.bool_]

UNITS: dict[str, float] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
"""How many of a unit make a second."""

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(?i:[+-]?(nan|inf|infinity))$"
_MISSING = r"^(?i:|nan|null|none|na|n/a|-)$"
_ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d|[+-]\d\d))?$"
_ZONE = r"[T ].*(Z|[+-]\d\d:?\d\d|[+-]\d\d)$"


def strings(column: Any) -> Any:
    """Any column as an Arrow string array; whole numbers have no decimal point."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(column, pc.round(column)), pc.less(pc.abs(column), 2.0**53))
        column = pc.cast(column, pa.int64()) if pc.all(whole).as_py() is not False else column
    return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())


def _is_textual(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _as_floats(column: Any) -> Floats:
    """A numeric column, NaN where it is null."""
    return np.asarray(_filled(pc.cast(column, pa.float64(), safe=False), np.nan), np.float64)


def _filled(column: Any, missing: Any) -> NDArray[Any]:
    """A column of numbers as numpy; `to_numpy` and `fill_null` would import pandas, which takes long."""
    if not column.null_count:
        return np.from_dlpack(column)
    plain = pa.Array.from_buffers(column.type, len(column), [None, column.buffers()[1]], offset=column.offset)
    return np.where(_mask(column.is_valid()), np.from_dlpack(plain), missing)


def _nowhere(n: int) -> Mask:
    return np.zeros(n, np.bool_)


def _unreadable(column: Any) -> tuple[Floats, Mask]:
    """For a type that holds no numbers at all: every value is bad."""
    return np.full(len(column), np.nan), _mask(column.is_valid())


def numbers(column: Any) -> tuple[Floats, Mask]:
    """A column as numbers, and where it holds something else (not where it holds nothing).

    Examples
    --------
    >>> values, bad = numbers(pa.array(["1.5", "", "many"]))
    >>> values.tolist(), bad.tolist()
    ([1.5, nan, nan], [False, False, True])
    """
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return _as_floats(column), _nowhere(len(column))
    return _written_numbers(strings(column)) if _is_textual(kind) else _unreadable(column)


def _written_numbers(column: Any) -> tuple[Floats, Mask]:
    try:
        return _as_floats(column), _nowhere(len(column))
    except pa.ArrowInvalid:
        trimmed = pc.utf8_trim_whitespace(column)
        good = pc.match_substring_regex(trimmed, _NUMBER)
        bad = pc.invert(pc.or_(good, pc.match_substring_regex(trimmed, _MISSING)))
        return _as_floats(pc.if_else(good, trimmed, None)), _mask(bad)


def _mask(column: Any) -> Mask:
    return _filled(pc.cast(column, pa.uint8()), np.uint8(0)).astype(np.bool_)


def durations(column: Any, unit: str) -> tuple[Floats, Mask]:
    """A column as seconds, and where it holds something else; numbers are in ``unit``."""
    if pa.types.is_duration(column.type):
        return _as_floats(pc.cast(column, pa.int64())) / UNITS[column.type.unit], _nowhere(len(column))
    values, bad = numbers(column)
    return values / UNITS[unit], bad


def times(column: Any, unit: str) -> tuple[Floats, Mask, bool]:
    """A column as seconds since the epoch, where it holds something else, and whether a written time had no zone.

    Parameters
    ----------
    column
        Numbers in ``unit``, timestamps, or strings in ISO 8601 (each may have another offset; without one it is UTC).

    Examples
    --------
    >>> values, bad, naive = times(pa.array(["2026-01-01T01:00:00+01:00", "2026-01-01 00:00:00", "soon"]), "s")
    >>> values.tolist(), bad.tolist(), naive
    ([1767225600.0, 1767225600.0, nan], [False, False, True], True)
    """
    if pa.types.is_timestamp(column.type):
        naive = column.type.tz is None
        column = pc.cast(column, pa.timestamp(column.type.unit))
        return _seconds(pc.cast(column, pa.int64()), column.type.unit), _nowhere(len(column)), naive
    values, bad = numbers(column)
    values = values / UNITS[unit]
    if not bad.any() or not _is_textual(column.type):
        return values, bad, False
    written = pc.if_else(pa.array(bad), pc.utf8_trim_whitespace(strings(column)), None)
    stamps, naive = _parsed_times(written)
    return np.where(bad, stamps, values), bad & np.isnan(stamps), naive


def _parsed_times(column: Any) -> tuple[Floats, bool]:
    column = pc.if_else(pc.match_substring_regex(column, _ISO), column, None)
    zoned = pc.match_substring_regex(column, _ZONE)
    naive = bool(pc.any(pc.invert(zoned)).as_py())
    utc = pc.if_else(zoned, column, pc.binary_join_element_wise(column, "Z", "")) if naive else column
    tight = pc.replace_substring_regex(utc, r" (Z|[+-][\d:]+)$", r"\1")
    return _seconds(_cast_each(tight), "ns"), naive


def _cast_each(column: Any) -> Any:
    """Nanoseconds, null where there is no such time: halves are tried until the bad ones are alone."""
    try:
        return pc.cast(pc.cast(column, pa.timestamp("ns", "UTC")), pa.int64())
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, pa.int64())
        half = len(column) // 2
        return pa.concat_arrays([_cast_each(column[:half]), _cast_each(column[half:])])


def _seconds(column: Any, unit: str) -> Floats:
    """Whole units as seconds: exact to the last bit where microseconds are enough."""
    known = _mask(column.is_valid())
    ticks = _filled(column, 0)
    if unit == "ns":
        micro, nano = np.divmod(ticks, 1000)
        seconds = micro / 1e6 + nano * 1e-9
    else:
        seconds = ticks / UNITS[unit]
    return np.where(known, seconds, np.nan)


def coded(column: Any, most: int | None = None) -> Coded | None:
    """A column of strings, each stored once; None where more than ``most`` are distinct. Empty is missing."""
    if not pa.types.is_dictionary(column.type):
        column = strings(column).dictionary_encode()
    if most is not None and len(column.dictionary) > most:
        return None
    codes = _filled(pc.cast(column.indices, pa.int32()), np.int32(-1))
    values = strings(column.dictionary).to_pylist()
    used = np.zeros(len(values) + 1, np.bool_)
    used[codes] = True
    position: dict[str, int] = {}
    lookup = [position.setdefault(v, len(position)) if v and u else -1 for v, u in zip(values, used, strict=False)]
    return Coded(np.asarray([*lookup, -1], np.int32)[codes], tuple(position))


def hashes(column: Any) -> Hashes:
    """A 64-bit hash of each string; 0 where there is none."""
    column = strings(column)
    column = pc.fill_null(column, "") if column.null_count else column
    _, offsets, data = column.buffers()
    positions = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return hash_bytes(text, positions.astype(np.int64))

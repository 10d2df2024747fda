"""Public recordings of arrivals and lengths, read from CSV files (plain or gzip)."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.errors import InputError
from driftwatch.events.columns import Floats
from driftwatch.simulate.arrivals import Load
from driftwatch.simulate.columns import Ints

Table = Mapping[str, Sequence[str]]

MOONCAKE_BLOCK = 512  # tokens


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Requests that a real service got, in order of arrival.

    Parameters
    ----------
    at
        Shape (n,): seconds; only their differences mean anything.
    prompt_tokens, output_tokens
        Shape (n,): lengths.
    shared_tokens
        Shape (n,): leading tokens of the prompt that earlier requests had too; 0 where that is not recorded.
    """

    at: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    shared_tokens: Ints

    def __len__(self) -> int:
        return len(self.at)


def read_trace(path: Path) -> Trace:
    """Read arrivals and lengths in the form of Azure's or of Mooncake's public traces.

    Azure's [1]_ have the fields ``TIMESTAMP``, ``ContextTokens`` and ``GeneratedTokens``; Mooncake's [2]_, made a
    table, ``timestamp_ms``, ``input_length``, ``output_length`` and ``shared_prefix_blocks`` (of 512 tokens).

    Parameters
    ----------
    path
        A CSV file with a header; ``.gz`` is unpacked.

    Raises
    ------
    InputError
        The file cannot be read, has neither form, has no rows, or a field of it cannot be read.

    References
    ----------
    .. [1] Patel et al., Splitwise, ISCA 2024.
    .. [2] Qin et al., Mooncake, FAST 2025.
    """
    table = _table(path)
    if "TIMESTAMP" in table:
        at = _field(path, table, "TIMESTAMP", _stamps)
        prompt, output = (_field(path, table, name, _counts) for name in ("ContextTokens", "GeneratedTokens"))
        shared = np.zeros_like(prompt)
    elif "timestamp_ms" in table:
        at = _field(path, table, "timestamp_ms", _numbers) / 1e3
        prompt, output = (_field(path, table, name, _counts) for name in ("input_length", "output_length"))
        shared = np.minimum(_field(path, table, "shared_prefix_blocks", _counts) * MOONCAKE_BLOCK, prompt)
    else:
        raise InputError("neither a field TIMESTAMP nor timestamp_ms: no trace that is known here", source=str(path))
    order = np.argsort(at, kind="stable")
    return Trace(at[order], prompt[order], output[order], shared[order])


def read_load(path: Path) -> Load:
    """Read how the load of a service went over days: a factor on a mean rate, repeated when it is over.

    The form is that of rates summed over the clients of ServeGen [1]_: ``t_s`` (evenly spaced) and
    ``requests_per_s``. The recording begins at the epoch, and again after each of its ends.

    Parameters
    ----------
    path
        A CSV file with a header; ``.gz`` is unpacked.

    Raises
    ------
    InputError
        The file cannot be read, lacks a field, or a field of it cannot be read or used.

    References
    ----------
    .. [1] Xiang et al., ServeGen: Workload Characterization and Generation of LLM Serving in Production, 2025.
    """
    table = _table(path)
    t, rate = (_field(path, table, name, _numbers) for name in ("t_s", "requests_per_s"))
    every = t[1] - t[0] if len(t) > 1 else 0.0
    if every <= 0.0 or not np.allclose(np.diff(t), every):
        raise InputError("field t_s must be evenly spaced and ascending, with two rows or more", source=str(path))
    if rate.min() < 0.0 or rate.max() <= 0.0:
        raise InputError("field requests_per_s must be 0 or more, and not 0 throughout", source=str(path))
    factor = rate / rate.mean()
    return lambda at: factor[np.floor(at / every).astype(np.int64) % len(factor)]


def _table(path: Path) -> Table:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise InputError(f"cannot be read: {error}", source=str(path)) from error
    except ValueError as error:
        raise InputError("is empty; the first line must name the fields", source=str(path)) from error
    uneven = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if uneven is not None:
        raise InputError(f"has not {len(header)} fields as the header does", source=str(path), line=uneven + 2)
    if not rows:
        raise InputError("has a header but no rows", source=str(path))
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _field(path: Path, table: Table, name: str, read: Callable[[Sequence[str]], NDArray[Any]]) -> NDArray[Any]:
    if name not in table:
        raise InputError(f"no field {name}; there are {', '.join(table)}", source=str(path))
    try:
        return read(table[name])
    except (ValueError, OverflowError) as error:
        raise InputError(f"field {name}: {error}", source=str(path)) from error


def _stamps(texts: Sequence[str]) -> Floats:
    stamps = np.array(texts, "datetime64[ns]")
    if np.isnat(stamps).any():
        raise ValueError("a time is missing")
    seconds: Floats = (stamps - stamps[0]) / np.timedelta64(1, "s")
    return seconds


def _numbers(texts: Sequence[str]) -> Floats:
    numbers = np.array(texts, np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers


def _counts(texts: Sequence[str]) -> Ints:
    counts = np.array(texts, np.int64)
    if counts.min() < 0:
        raise ValueError(f"a count is negative: {counts.min()}")
    return counts

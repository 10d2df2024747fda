"""What a row of requests cannot be, and what whole columns give away about their units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from driftwatch.errors import InputError
from driftwatch.events.columns import Floats
from driftwatch.events.rows import CLOCK_S

Mask = NDArray[np.bool_]

_DURATIONS = ("ttft", "latency", "itl", "queue_time")
_TIMES = ("started_at", "completed_at")
_TOKENS = ("prompt_tokens", "output_tokens", "cached_tokens")
_YEAR_2200 = 7_258_118_400.0
_LONGEST_S = 1e7
_MOST_TOKENS = 1e9
_UNITS = ("s", "ms", "us", "ns")
_FEWEST = 3  # rows that say the same before it is called a wrong unit
_SAMPLE = 2000  # rows of a batch that are asked


def bad_values(numbers: Mapping[str, Floats]) -> Iterator[tuple[str, Mask]]:
    """Reasons to leave rows out for what they say, each with the rows that it holds for.

    Parameters
    ----------
    numbers
        The numeric columns of a batch as read, each of shape (n,).
    """
    for name in _TIMES:
        yield f"{name} is infinite or beyond the year 2200", np.abs(numbers[name]) > _YEAR_2200
    for name in _DURATIONS:
        yield f"{name} is infinite", np.isinf(numbers[name])
        yield f"{name} is negative", numbers[name] < 0
        yield f"{name} is longer than {_LONGEST_S:.0e} s", numbers[name] > _LONGEST_S
    for name in _TOKENS:
        yield f"{name} is negative", numbers[name] < 0
        yield f"{name} is infinite or absurd", numbers[name] > _MOST_TOKENS


def bad_times(numbers: Mapping[str, Floats]) -> Iterator[tuple[str, Mask]]:
    """Reasons to leave rows out for how their times lie, once what follows from the rest is filled in."""
    started, completed = (numbers[name] for name in _TIMES)
    yield "no time", np.isnan(started) & np.isnan(completed)
    yield "completed before it started", completed < started - CLOCK_S
    yield f"latency is longer than {_LONGEST_S:.0e} s", numbers["latency"] > _LONGEST_S


def check_time_unit(seconds: Floats, column: str, unit: str, source: str) -> None:
    """Refuse numeric times that can only be in another unit.

    Parameters
    ----------
    seconds
        Shape (n,): the times, as read in ``unit``.

    Raises
    ------
    InputError
        Says which unit they look like and which key to set.
    """
    known = seconds[np.isfinite(seconds)]
    if len(known) == 0 or np.mean(known > _YEAR_2200) <= 0.5:
        return
    steps = int(np.clip(np.ceil(np.log(np.median(known) / _YEAR_2200) / np.log(1000.0)), 1, 3))
    likely = _UNITS[min(_UNITS.index(unit) + steps, 3)]
    raise InputError(
        f"'{column}' read as {unit} is beyond the year 2200 and looks like {likely}: "
        f'set input.time_unit = "{likely}"',
        source=source,
    )


def check_duration_unit(numbers: Mapping[str, Floats], columns: Mapping[str, str], unit: str, source: str) -> None:
    """Refuse durations that contradict the times by a factor of a thousand, or a million.

    Parameters
    ----------
    numbers
        The numeric columns as read, before anything is derived.
    columns
        The source's own name of each duration that was read in ``unit``.

    Raises
    ------
    InputError
        Says which unit they look like and which key to set.
    """
    elapsed = numbers["completed_at"] - numbers["started_at"]
    for name in ("latency", "ttft"):
        if name not in columns:
            continue
        steps = _steps(numbers[name], elapsed, one_sided=name == "ttft")
        likely = _UNITS.index(unit) + steps
        if steps and 0 <= likely < len(_UNITS):
            raise InputError(
                f"'{columns[name]}' read as {unit} contradicts the times by a factor of about 1000^{abs(steps)}; "
                f'it looks like {_UNITS[likely]}: set input.duration_unit = "{_UNITS[likely]}"',
                source=source,
            )


def _steps(durations: Floats, elapsed: Floats, *, one_sided: bool) -> int:
    """By how many factors of 1000 most durations exceed the time that passed."""
    some = slice(None, None, max(1, len(elapsed) // _SAMPLE))
    durations, elapsed = durations[some], elapsed[some]
    with np.errstate(invalid="ignore", divide="ignore"):
        both = (durations > 0) & (elapsed > 0) & np.isfinite(durations) & np.isfinite(elapsed)
        steps = np.log(durations[both] / elapsed[both]) / np.log(1000.0)
    if len(steps) < _FEWEST:
        return 0
    if one_sided:  # a first token comes early, so only "far too late" is a contradiction
        return int(np.ceil(np.median(steps) - 0.1)) if np.mean(steps > 0.15) > 0.5 else 0
    nearest = int(np.round(np.median(steps)))
    return nearest if np.mean(np.abs(steps - nearest) < 0.1) > 0.5 else 0

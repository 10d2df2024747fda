"""Numbers, times and strangers' text as a person reads them. All of it is ASCII, so that any terminal can print it."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
_SIZES = {"bytes": ((2**30, "GiB"), (2**20, "MiB")), "Hz": ((1e9, "GHz"), (1e6, "MHz"))}
_SHORT = {"degC": "C", "1": "", "score": "", "sd": "sd"}
DIFFERENCES = ("sd", "score")
"""Units whose changes are told as differences: standard deviations of healthy answers, and scores."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = 60) -> str:
    r"""One line of plain text out of whatever somebody put into a label.

    Terminal sequences, control and invisible characters go; what is longer than ``limit`` is cut.

    Examples
    --------
    >>> clean("tenant\n\x1b[31mred\x1b[0m")
    'tenant red'
    >>> clean("a" * 100, 10)
    'aaaaaaa...'
    """
    text = _TERMINAL.sub("", text[: 16 * limit + 64])
    text = " ".join("".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in text).split())
    return text if len(text) <= limit else text[: max(limit - 3, 0)].rstrip() + "..."


def number(x: float | None, unit: str = "") -> str:
    """A value in its unit, to about two digits.

    Examples
    --------
    >>> number(3.08, "s"), number(0.0181, "s"), number(0.042, "share"), number(812, "tokens"), number(0.4, "1/s")
    ('3.1 s', '0.018 s', '4.2%', '812 tokens', '0.4/s')
    >>> number(8e10, "bytes"), number(1.41e9, "Hz"), number(71, "degC"), number(None, "s")
    ('75 GiB', '1.4 GHz', '71 C', 'unknown')
    """
    if x is None or not math.isfinite(x):
        return "unknown"
    if unit == "share":
        return f"{_digits(100 * x)}%"
    if unit == "1/s":
        return f"{_digits(x)}/s"
    for size, name in _SIZES.get(unit, ()):
        if abs(x) >= size:
            return f"{_digits(x / size)} {name}"
    unit = _SHORT.get(unit, unit)
    return f"{_digits(x)} {clean(unit, 16)}".rstrip()


def pair(before: float, after: float, unit: str) -> str:
    """Two values in the same unit.

    Examples
    --------
    >>> pair(0.05, 3.08, "s"), pair(0.0181, 0.0552, "s"), pair(0.01, 0.062, "share")
    ('0.05 s -> 3.1 s', '18 ms -> 55 ms', '1% -> 6.2%')
    """
    if unit == "s" and max(abs(before), abs(after)) < 0.1:
        before, after, unit = 1000 * before, 1000 * after, "ms"
    return f"{number(before, unit)} -> {number(after, unit)}"


def change(x: float, unit: str) -> str:
    """A relative change (or, for a share, a difference) as people say it.

    Examples
    --------
    >>> change(61, "s"), change(0.35, "s"), change(-0.98, "s"), change(0.042, "share"), change(-0.7, "sd")
    ('x62', '+35%', '-98%', '+4.2 points', '-0.7 sd')
    """
    if not math.isfinite(x):
        return "unknown"
    if unit == "share":
        return f"{_sign(x)}{_digits(abs(100 * x))} points"
    if unit in DIFFERENCES:
        return f"{_sign(x)}{number(abs(x), unit)}"
    return f"x{_digits(1 + x)}" if x >= 1 else f"{_sign(x)}{_digits(abs(100 * x))}%"


def span(low: float, high: float) -> str:
    """A range of shares, to whole percents.

    Examples
    --------
    >>> span(0.55, 0.85), span(0.3, 0.3)
    ('55% to 85%', '30%')
    """
    first, last = (f"{100 * x:.0f}%" if math.isfinite(x) else "unknown" for x in (low, high))
    return first if first == last else f"{first} to {last}"


def interval(low: float, high: float, unit: str) -> str:
    """An interval of a change, both ends in the same words.

    Examples
    --------
    >>> interval(0.72, 2.3, "s"), interval(-0.1, 0.2, "s"), interval(0.01, 0.05, "share")
    ('x1.7 to x3.3', '-10% to +20%', '+1 points to +5 points')
    """
    if unit not in ("share", *DIFFERENCES) and math.isfinite(low) and 1 <= high < math.inf:
        return f"x{_digits(1 + low)} to x{_digits(1 + high)}"
    return f"{change(low, unit)} to {change(high, unit)}"


def odds(evidence: float) -> str:
    """An e-value, given as its log10, as odds.

    Examples
    --------
    >>> odds(6), odds(14.2), odds(-2)
    ('1,000,000 to 1', 'more than 10^12 to 1', 'less than 1 to 1')
    """
    if math.isnan(evidence):
        return "unknown odds"
    if evidence > 12:
        return "more than 10^12 to 1"
    return f"{_digits(10**evidence)} to 1" if evidence >= 0 else "less than 1 to 1"


def lasting(seconds: float) -> str:
    """A length of time.

    Examples
    --------
    >>> lasting(4.2), lasting(64), lasting(7500), lasting(100_000)
    ('4 s', '1 min 4 s', '2 h 5 min', '1 d 3 h')
    """
    if not math.isfinite(seconds):
        return "unknown"
    whole = round(abs(seconds))
    for size, name, small, below in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {name} {rest} {below}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def utc(at: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is taken as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def clock(at: datetime) -> str:
    """Date and time, UTC."""
    return f"{utc(at):%Y-%m-%d %H:%M:%S} UTC"


def between(start: datetime, end: datetime, known: datetime) -> str:
    """An interval of times, UTC; dates only where they are not the known one.

    Examples
    --------
    >>> between(datetime(2026, 11, 23, 14, 40, 5), datetime(2026, 11, 24, 0, 1), datetime(2026, 11, 23, 14))
    '14:40:05 to 2026-11-24 00:01:00'
    """
    day = utc(known).date()
    both = (f"{at:%H:%M:%S}" if at.date() == day else f"{at:%Y-%m-%d %H:%M:%S}" for at in (utc(start), utc(end)))
    return " to ".join(both)


def _sign(x: float) -> str:
    return "-" if x < 0 else "+"


def _digits(x: float) -> str:
    if x == 0 or 1e-4 <= abs(x) < 99.5:
        return f"{x:.2g}"
    return f"{x:,.0f}" if 99.5 <= abs(x) < 1e9 else f"{x:.1e}"

"""What a kind of series is: name, role, unit, direction, and its names at the sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SeriesRole = Literal["exogenous", "mechanism", "symptom", "health", "latency"]
SeriesKind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Source:
    """One name of a series at its source.

    Parameters
    ----------
    name
        Without ``_total``, ``_bucket``, ``_sum``, ``_count``.
    scale
        Multiply by this to get to the unit of the series (a percentage becomes a share by 0.01).
    where
        Only with these labels: some names mean different things by label.
    old
        True for a name that its engine has dropped, or is about to.
    """

    name: str
    scale: float = 1.0
    where: tuple[tuple[str, str], ...] = ()
    old: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of series.

    Parameters
    ----------
    name
        Our name, such as ``kv_cache_usage``.
    title
        As a person would say it.
    kind
        ``gauge``, ``counter`` (becomes a rate per second) or ``histogram`` (its ``_bucket`` samples become ticks).
    unit
        Unit after conversion: a counter's is per second.
    role
        ``exogenous`` (what users do), ``mechanism`` (what can slow an engine), ``symptom`` (never a cause),
        ``health`` (only for checks), ``latency`` (a histogram of a signal).
    sources
        Its names at the sources, the preferred one of each engine first.
    bad
        ``up`` or ``down``: the direction that hurts.
    expected
        True where its absence should be reported for an engine that is known to have it.
    signal
        For a histogram: the signal that it measures; empty where it is shown and not judged.
    """

    name: str
    title: str
    kind: SeriesKind
    unit: str
    role: SeriesRole
    sources: tuple[Source, ...]
    bad: Literal["up", "down"] = "up"
    expected: bool = False
    signal: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A share made of two counters, such as the hit rate of a cache.

    Parameters
    ----------
    name, title
        As for a series.
    numerator, denominator
        Names of series; both are rates over the same interval when they are divided.
    role, bad
        As for a series.
    unit
        Unit of the quotient.
    """

    name: str
    title: str
    numerator: str
    denominator: str
    role: SeriesRole = "mechanism"
    bad: Literal["up", "down"] = "down"
    unit: str = "share"


def named(*names: str, scale: float = 1.0, old: bool = False) -> tuple[Source, ...]:
    """Sources that differ in nothing but their name.

    Examples
    --------
    >>> [source.name for source in named("a", "b")]
    ['a', 'b']
    """
    return tuple(Source(name, scale, old=old) for name in names)

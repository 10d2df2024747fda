"""When targets are scraped, what a scrape finds, and how a fault bends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Floats

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Sampled:
    """One time series as a scraper has stored it.

    Parameters
    ----------
    name
        As exposed, such as ``vllm:prompt_tokens_total`` or ``vllm:e2e_request_latency_seconds_bucket``.
    labels
        Its labels.
    at, value
        Shape (n,): seconds since the epoch, and what was exposed then (a counter is cumulative).
    kind
        Type of the family that it belongs to.
    """

    name: str
    labels: Mapping[str, str]
    at: Floats
    value: Floats
    kind: Kind = "gauge"

    def __len__(self) -> int:
        return len(self.at)


def scrape_times(start: float, end: float, every_s: float, rng: np.random.Generator, jitter_s: float = 0.005) -> Floats:
    """When one target is scraped: at an offset of its own within the interval, and never quite on time.

    Parameters
    ----------
    start, end
        Seconds since the epoch.
    every_s
        The scrape interval, in seconds.
    rng
        Draws the offset and the jitter.
    jitter_s
        Standard deviation of the delay of a scrape, in seconds.

    Returns
    -------
    Floats
        Shape (n,): in whole milliseconds, strictly increasing.

    Examples
    --------
    >>> at = scrape_times(100.0, 160.0, 15.0, np.random.default_rng(0))
    >>> len(at), bool((abs(np.diff(at) - 15) < 0.1).all())
    (4, True)
    """
    due = np.arange(start + rng.uniform(0, every_s), end, every_s)
    late = np.minimum(np.abs(jitter_s * rng.standard_normal(len(due))), every_s / 2)
    return np.round(due + late, 3)


@dataclass(frozen=True, slots=True)
class Sign:
    """How a fault shows in machine series: ``value * factor + plus``, straight lines between the given times.

    Parameters
    ----------
    name
        The series, as exposed.
    at, factor, plus
        Shape (k,): times, in seconds since the epoch, and what holds then; the first and last hold beyond them.
    where
        Labels that the series must have: ``{"pod": ...}`` for one replica, ``{"gpu": "1"}`` for one GPU; empty for all.
    """

    name: str
    at: Floats
    factor: Floats
    plus: Floats
    where: Mapping[str, str]

    @classmethod
    def of(
        cls,
        name: str,
        at: Sequence[float],
        factor: Sequence[float] | float = 1.0,
        plus: Sequence[float] | float = 0.0,
        where: Mapping[str, str] | None = None,
    ) -> Sign:
        """Make one of plain numbers; a single number holds throughout."""
        times = np.asarray(at, np.float64)
        wide = [np.broadcast_to(np.asarray(x, np.float64), times.shape) for x in (factor, plus)]
        return cls(name, times, wide[0], wide[1], where or {})


def bent(series: Sequence[Sampled], signs: Sequence[Sign]) -> list[Sampled]:
    """Series with the signs of faults in them; those that no sign is about stay as they are.

    Examples
    --------
    >>> clock = Sampled("DCGM_FI_DEV_SM_CLOCK", {"gpu": "0"}, np.array([0.0, 10.0, 20.0]), np.full(3, 1400.0))
    >>> slow = Sign.of("DCGM_FI_DEV_SM_CLOCK", [10.0, 20.0], factor=[1.0, 0.5])
    >>> bent([clock], [slow])[0].value.tolist()
    [1400.0, 1400.0, 700.0]
    """
    return [_bent(one, [sign for sign in signs if _about(sign, one)]) for one in series]


def _about(sign: Sign, one: Sampled) -> bool:
    return sign.name == one.name and sign.where.items() <= one.labels.items()


def _bent(one: Sampled, signs: Sequence[Sign]) -> Sampled:
    value = one.value
    for sign in signs:
        value = value * np.interp(one.at, sign.at, sign.factor) + np.interp(one.at, sign.at, sign.plus)
    return replace(one, value=value) if signs else one


def without(series: Sequence[Sampled], spans: Sequence[tuple[float, float]]) -> list[Sampled]:
    """Series that nobody could scrape in some spans of time; ``up``, which the scraper itself writes, is 0 then.

    Examples
    --------
    >>> at, value = np.array([0.0, 10.0, 20.0]), np.ones(3)
    >>> gone = without([Sampled("up", {}, at, value), Sampled("node_load1", {}, at, value)], [(5.0, 15.0)])
    >>> [one.value.tolist() for one in gone]
    [[1.0, 0.0, 1.0], [1.0, 1.0]]
    """
    return [_dark(one, spans) for one in series]


def _dark(one: Sampled, spans: Sequence[tuple[float, float]]) -> Sampled:
    dark = np.zeros(len(one), np.bool_)
    for start, end in spans:
        dark |= (one.at >= start) & (one.at < end)
    return replace(one, value=np.where(dark, 0.0, one.value)) if one.name == "up" else _kept(one, ~dark)


def by_pod(series: Sequence[Sampled], pods: Sequence[tuple[float, str]]) -> list[Sampled]:
    """Say which pod exposed each series; a replacement begins series of its own.

    Series of a host (with an ``instance``) stay as they are: a node knows of no pods, and outlives them.

    Parameters
    ----------
    series
        Those of one replica.
    pods
        From when on which pod it was, in order; the first one holds from the beginning.

    Examples
    --------
    >>> one = Sampled("up", {}, np.array([0.0, 10.0, 20.0]), np.ones(3))
    >>> [(s.labels["pod"], s.at.tolist()) for s in by_pod([one], [(0.0, "a"), (10.0, "b")])]
    [('a', [0.0]), ('b', [10.0, 20.0])]
    """
    hosts = [one for one in series if "instance" in one.labels]
    begins = [-np.inf, *(at for at, _ in pods[1:]), np.inf]
    named = [
        _kept(replace(one, labels={**one.labels, "pod": pod}), (one.at >= begins[k]) & (one.at < begins[k + 1]))
        for k, (_, pod) in enumerate(pods)
        for one in series
        if "instance" not in one.labels
    ]
    return [*(one for one in named if len(one)), *hosts]


def _kept(one: Sampled, rows: NDArray[Any]) -> Sampled:
    return replace(one, at=one.at[rows], value=one.value[rows])


def smoothed(values: Floats, keep: float) -> Floats:
    """A first-order lag: each value keeps this share of the one before it.

    Parameters
    ----------
    values
        Shape (n,): evenly spaced.
    keep
        From 0 (no lag) to below 1.

    Examples
    --------
    >>> smoothed(np.array([0.0, 1.0, 1.0]), 0.5).tolist()
    [0.0, 0.5, 0.75]
    """
    if keep <= 0:
        return values
    reach = min(int(np.ceil(np.log(1e-9) / np.log(keep))), len(values))
    kernel = (1 - keep) * keep ** np.arange(reach + 1)
    return np.asarray(np.convolve(values - values[:1], kernel)[: len(values)] + values[:1])

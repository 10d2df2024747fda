"""What may have caused an incident, as arrays by tick, and which of it is one chain rather than several causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from driftwatch.incidents.models import Cause

Floats = NDArray[np.float64]

CHAINS: tuple[tuple[str, ...], ...] = (
    ("kv_cache_usage", "preemptions"),
    ("spec_decode_accept_rate", "spec_decode_accept_length"),
    ("traffic", "held_tokens"),
)
"""Series that are one cause seen twice: from the state to what it does. They share one credit.

Of an exogenous chain the first one decides whether it moved: tokens in flight also grow because answers take longer.
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One series that may explain an incident.

    Parameters
    ----------
    name
        Its name in the catalogue, such as ``kv_cache_usage``.
    role
        ``exogenous`` (what users do), ``mechanism`` (what can slow an engine) or ``symptom`` (never a cause).
    values
        Shape (T,): one value a tick, NaN where not measured. The value of a scrape may be held until the next one.
    unit
        Of the values.
    bad
        The direction that hurts.
    scope
        Labels that it is limited to, such as ``{"tenant": "batch"}``.
    ceiling
        Its largest possible value where it is a share of something that can run out (1.0 for the KV cache): it can
        only hurt near the ceiling, and at the ceiling it says no longer how much.
    """

    name: str
    role: Literal["exogenous", "mechanism", "symptom"]
    values: Floats
    unit: str = ""
    bad: Literal["up", "down"] = "up"
    scope: Mapping[str, str] = field(default_factory=dict)
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that people or deploy systems did.

    Parameters
    ----------
    at_tick
        When, on the tick axis of the candidates.
    kind, text
        As in the marker.
    scope
        Labels of the marker.
    """

    at_tick: int
    kind: str
    text: str
    scope: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """Candidates of one chain and scope, turned so that up is worse, without gaps.

    Parameters
    ----------
    candidates
        The members as they were given.
    values
        Shape (m, T): each member's last known value, turned.
    turns
        Length m: 1.0 or -1.0, what each was multiplied by.
    """

    candidates: tuple[Candidate, ...]
    values: Floats
    turns: tuple[float, ...]

    @property
    def head(self) -> Candidate:
        """The member that gives the family its name."""
        return self.candidates[0]

    @property
    def label(self) -> str:
        """Name and scope, such as ``traffic{tenant=batch}``."""
        return label(self.head)

    @property
    def exogenous(self) -> bool:
        """Whether it is something that users do."""
        return self.head.role == "exogenous"

    @property
    def runs_out(self) -> bool:
        """Whether it hurts only while it is nearly used up, so that it acts in bursts."""
        return self.head.ceiling is not None and self.turns[0] > 0


def label(candidate: Candidate) -> str:
    """Name and scope of a candidate.

    Examples
    --------
    >>> label(Candidate("traffic", "exogenous", np.zeros(1), scope={"tenant": "batch"}))
    'traffic{tenant=batch}'
    """
    return labelled(candidate.name, candidate.scope)


def labelled(name: str, scope: Mapping[str, str]) -> str:
    """A name with its scope."""
    inside = ",".join(f"{key}={value}" for key, value in sorted(scope.items()))
    return f"{name}{{{inside}}}" if inside else name


def behind(causes: Sequence[Cause], candidates: Iterable[Candidate], most: int) -> list[tuple[Cause, Candidate]]:
    """The causes that stand and are no events, at most so many of the first, each with its series."""
    known = {label(candidate): candidate for candidate in candidates}
    named = [cause for cause in causes if cause.tier != "ruled_out" and cause.role != "event"][:most]
    return [(cause, known[name]) for cause in named if (name := labelled(cause.name, cause.scope)) in known]


def families(candidates: Sequence[Candidate], onset: int, worse: float) -> list[Family]:
    """Group candidates into chains; symptoms, and what was not measured on both sides of the onset, are left out.

    Parameters
    ----------
    candidates
        In any order.
    onset
        The first tick of the incident.
    worse
        1.0 if the effect went up, -1.0 for an improvement: what hurts must then have eased.
    """
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for candidate in sorted(candidates, key=_place):
        if candidate.role != "symptom" and _measured(candidate.values, onset):
            chain = next((i for i, names in enumerate(CHAINS) if candidate.name in names), candidate.name)
            groups.setdefault((chain, candidate.role, *sorted(candidate.scope.items())), []).append(candidate)
    return [_family(members, worse) for members in groups.values()]


def _place(candidate: Candidate) -> int:
    """Position in its chain, so that the head comes first."""
    return next((names.index(candidate.name) for names in CHAINS if candidate.name in names), 0)


def _measured(values: Floats, onset: int) -> bool:
    known = ~np.isnan(values)
    return bool(known[:onset].sum() >= 3 and known[onset:].any())


def _family(members: Sequence[Candidate], worse: float) -> Family:
    turns = tuple(worse if member.bad == "up" else -worse for member in members)
    values = np.stack([held(member.values) * turn for member, turn in zip(members, turns, strict=True)])
    return Family(tuple(members), values, turns)


def held(values: Floats) -> Floats:
    """Fill gaps with the last known value (the first known one before that).

    Examples
    --------
    >>> held(np.array([np.nan, 1.0, np.nan, 3.0])).tolist()
    [1.0, 1.0, 1.0, 3.0]
    """
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.asarray(values[np.where(last < 0, int(np.argmax(known)), last)], np.float64)

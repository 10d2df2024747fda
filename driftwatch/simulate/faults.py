"""What a fault does to a deployment: to its engines, its senders, its answers, and to what its machines show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Traffic
from driftwatch.simulate.scheduler import Plan
from driftwatch.simulate.service import Run
from driftwatch.simulate.settings import Service, Settings
from driftwatch.simulate.shapes import Course
from driftwatch.simulate.workload import Tenant, draw, merge

Engine = Callable[[Settings, float], Settings]
Senders = Callable[[Traffic, Floats, Floats], Traffic]
Spoils = Callable[[Run], Floats]


@dataclass(frozen=True, slots=True)
class Bend:
    """What a fault makes a machine's series show.

    Parameters
    ----------
    series
        Name of the series at its source.
    factor
        From amounts and seconds since the recording began, shape (n,) each, to what the series is multiplied by.
    gpu
        Only on this GPU of a replica; on all if None.
    """

    series: str
    factor: Callable[[Floats, Floats], Floats]
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of adjustable size; every part that it does not have does nothing.

    Parameters
    ----------
    engine
        From settings and an amount to the settings of the replicas that it hits.
    replicas
        Which replicas it hits; all if empty.
    senders
        From traffic, amounts and fixed random numbers, shape (n,) each, to what is sent instead.
    crowd
        From a size to a tenant who joins.
    crowd_s
        How long that tenant stays, in seconds.
    text
        How answers are spoilt: a key of `driftwatch.simulate.spoiling.FAULTS`.
    spoils
        How likely each request is to be spoilt, up to a factor, shape (n,).
    bends
        What machines show.
    """

    engine: Engine | None = None
    replicas: tuple[int, ...] = ()
    senders: Senders | None = None
    crowd: Callable[[float], Tenant] | None = None
    crowd_s: float = inf
    text: str = ""
    spoils: Spoils | None = None
    bends: tuple[Bend, ...] = ()

    def hits(self, replica: int) -> bool:
        """Whether it changes this replica."""
        return not self.replicas or replica in self.replicas

    def plans(self, service: Service, plans: Sequence[Plan], course: Course, size: float) -> tuple[Plan, ...]:
        """Settings of each replica over time, with the fault in them."""
        engine = self.engine
        if engine is None:
            return tuple(plans)
        moments = course.changes()
        amounts = size * course.at(moments)
        steps = [(float(t), float(a)) for t, a in zip(moments, amounts, strict=True)]
        return tuple(_with(plan, steps, engine) if self.hits(k) else plan for k, plan in enumerate(plans))

    def sent(self, traffic: Traffic, course: Course, size: float, model: str, end: float, seed: int) -> Traffic:
        """The traffic with the fault in it; rows that were there before keep their draws."""
        if self.senders is not None:
            fixed = np.random.default_rng([seed, 17]).random(len(traffic))
            traffic = self.senders(traffic, size * course.at(traffic.at), fixed)
        if self.crowd is not None and size > 0:
            stay = min(course.until, course.onset + self.crowd_s, end) - course.onset
            crowd = draw([self.crowd(size)], model, course.onset, stay, seed + 1)
            there = np.random.default_rng([seed, 18]).random(len(crowd)) < course.at(crowd.at)
            traffic = merge(traffic, crowd.take(there))
        return traffic


def _with(plan: Plan, steps: Sequence[tuple[float, float]], engine: Engine) -> Plan:
    """A plan whose settings are changed by the amount of each moment; what the plan changes itself stays."""
    moments = sorted({t for t, _ in plan} | {t for t, _ in steps})
    out = []
    for t in moments:
        settings = next(s for at, s in reversed(plan) if at <= t)
        amount = next((a for at, a in reversed(steps) if at <= t), 0.0)
        out.append((t, engine(settings, amount) if amount > 0 else settings))
    return out

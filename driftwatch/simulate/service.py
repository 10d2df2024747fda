"""Replicas behind a router: who is served where, and what the clients see of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Ints, Outcomes, Steps, Traffic
from driftwatch.simulate.pace import Pace
from driftwatch.simulate.scheduler import Plan, Replica
from driftwatch.simulate.settings import Service


@dataclass(frozen=True, slots=True)
class Run:
    """What a service did with its traffic.

    Parameters
    ----------
    service
        As it was built.
    traffic, outcomes
        The requests and what became of them, row by row.
    steps
        What each replica did.
    plans
        Settings of each replica over time.
    network_s
        Shape (n,): time that each request spent between client and engine, in seconds.
    start, end
        The time that was simulated.
    """

    service: Service
    traffic: Traffic
    outcomes: Outcomes
    steps: tuple[Steps, ...]
    plans: tuple[Plan, ...]
    network_s: Floats
    start: float
    end: float

    def ttft(self) -> Floats:
        """Time to first token as the client sees it, shape (n,), NaN where there was none."""
        return self.outcomes.first_token_at - self.traffic.at + self.network_s

    def latency(self) -> Floats:
        """End-to-end time as the client sees it, shape (n,), NaN where it has not ended."""
        return self.outcomes.completed_at - self.traffic.at + self.network_s

    def itl(self) -> Floats:
        """Mean gap between the tokens of each answer, shape (n,), NaN where there are not two."""
        gaps = self.outcomes.generated - 1
        spent = self.outcomes.completed_at - self.outcomes.first_token_at
        return np.where(gaps > 0, spent / np.maximum(gaps, 1), np.nan)


def serve(service: Service, traffic: Traffic, plans: Sequence[Plan], start: float, end: float, seed: int) -> Run:
    """Run all replicas.

    Parameters
    ----------
    service
        The replicas; their settings are taken from ``plans``.
    traffic
        What arrives, in order.
    plans
        Settings of each replica over time; the first of each holds from ``start`` on.
    start, end
        What is simulated, in seconds since the epoch.
    seed
        The same seed varies in the same way, whatever the settings are.
    """
    seeds = np.random.SeedSequence(seed).spawn(len(plans) + 1)
    replica = routed(traffic, len(plans), service.sticky, seed)
    parts, steps = [], []
    for k, plan in enumerate(plans):
        pace = Pace(np.random.default_rng(seeds[k]), start, end - start, service.noise)
        part, done = Replica(traffic.take(replica == k), plan, pace, end).run()
        parts.append(part)
        steps.append(done)
    network = service.network_s * np.exp(0.4 * np.random.default_rng(seeds[-1]).standard_normal(len(traffic)))
    return Run(service, traffic, _joined(parts, replica), tuple(steps), tuple(plans), network, start, end)


def routed(traffic: Traffic, replicas: int, sticky: float, seed: int) -> Ints:
    """Which replica each request goes to: that of its conversation, or any, by a share of the conversations.

    Parameters
    ----------
    traffic
        The requests.
    replicas
        How many there are.
    sticky
        Share of the conversations that stay where they began.
    seed
        Of the hash.

    Returns
    -------
    Ints
        Shape (n,).
    """
    home = hashed(traffic.session, seed)
    rows = np.arange(len(traffic)) + (traffic.at * 1e3).astype(np.int64)
    key = np.where(hashed(traffic.session, seed + 1) % 1000 < 1000 * sticky, home, hashed(rows, seed + 2))
    return np.asarray(key % replicas, np.int64)


def hashed(keys: Ints, seed: int) -> Ints:
    """Whole numbers that look drawn, the same for the same key."""
    mixed = (keys.astype(np.uint64) + np.uint64(seed % 2**31)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(33)).astype(np.int64)


def _joined(parts: Sequence[Outcomes], replica: Ints) -> Outcomes:
    """The replicas' rows in the order of the traffic."""
    order = np.argsort(np.concatenate([np.flatnonzero(replica == k) for k in range(len(parts))]))
    columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts])[order] for f in fields(Outcomes)}
    return replace(Outcomes(**columns), replica=replica)

"""What else goes on while something breaks: daily load, roll-outs, a new mix, series of neighbours."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.deployments import Deployment
from driftwatch.simulate.scheduler import Plan
from driftwatch.simulate.workload import Tenant

CONFOUNDERS: dict[str, str] = {
    "diurnal": "the load swings by a quarter within two hours",
    "deploy": "a replica is replaced at some time, by one that is the same",
    "mix": "at some time a third more documents and a few chats less",
    "decoys": "forty series of neighbours, a quarter of which step near the onset",
}
"""What can be mixed into any scenario, and what it is."""

DECOYS = 40
_SWING, _PERIOD_S = 0.25, 7200.0
_MORE, _LESS = 1.3, 0.9


@dataclass(frozen=True, slots=True)
class Confounded:
    """A deployment and what else goes on in it.

    Parameters
    ----------
    deployment
        With its tenants as they come then.
    deploys
        When which replica is replaced.
    decoys
        How many series of neighbours are scraped.
    """

    deployment: Deployment
    deploys: tuple[tuple[float, int], ...] = ()
    decoys: int = 0

    def plans(self, start: float) -> tuple[Plan, ...]:
        """Settings of each replica over time."""
        return tuple(self._plan(k, start) for k in range(len(self.deployment.service.replicas)))

    def _plan(self, replica: int, start: float) -> Plan:
        settings = self.deployment.service.replicas[replica]
        times = [at for at, k in self.deploys if k == replica]
        return [(start, settings), *((at, replace(settings, restarts=n)) for n, at in enumerate(times, 1))]


def confounded(
    deployment: Deployment, names: Collection[str], start: float, end: float, rng: np.random.Generator
) -> Confounded:
    """Let these things go on in a deployment.

    Parameters
    ----------
    deployment
        As it would be by itself.
    names
        Keys of `CONFOUNDERS`.
    start, end
        The time of the recording.
    rng
        Draws when they happen; the draws of one do not depend on the others.
    """
    phase, shift, deploy = start + (end - start) * rng.random(3)
    replica = int(rng.integers(len(deployment.service.replicas)))
    tenants = deployment.tenants
    if "diurnal" in names:
        tenants = tuple(
            replace(t, swing=_SWING, period_s=_PERIOD_S, phase=(phase - start) / (end - start)) for t in tenants
        )
    if "mix" in names:
        tenants = tuple(_shifted(t, float(shift)) for t in tenants)
    return Confounded(
        replace(deployment, tenants=tenants),
        ((round(float(deploy), 3), replica),) if "deploy" in names else (),
        DECOYS if "decoys" in names else 0,
    )


def _shifted(tenant: Tenant, at: float) -> Tenant:
    """The rate of documents goes up at this time, that of chats down."""
    factor = _LESS if tenant.turns > 1 else _MORE

    def load(times: Floats) -> Floats:
        return np.where(times < at, 1.0, factor)

    return replace(tenant, load=load)

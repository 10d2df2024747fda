"""Replicas as a cluster sees them: pods that come and go, what they expose, and who rolled them out."""

from __future__ import annotations

import numpy as np

from driftwatch.events.columns import Coded
from driftwatch.simulate.case import Case
from driftwatch.simulate.decoys import decoys
from driftwatch.simulate.engine_series import engine_series
from driftwatch.simulate.hardware import GPUS
from driftwatch.simulate.machine_series import Machine, machine_series
from driftwatch.simulate.scrapes import Sampled, Sign, bent, by_pod, scrape_times
from driftwatch.simulate.service import Run

Mark = tuple[float, str, str, dict[str, str]]
"""Time, kind, text and labels of something that people did."""


def pod_names(case: Case, replica: int) -> list[tuple[float, str]]:
    """Which pod a replica is, from when on; each roll-out replaces it by another."""
    plan = case.plans[replica]
    begun = [plan[0][0], *_rolled_out(case, replica)]
    return [(at, f"vllm-{hashed_name(case.seed, n)}-{replica}") for n, at in enumerate(begun)]


def hashed_name(seed: int, roll_out: int) -> str:
    """The part of a pod's name that says which roll-out it is of."""
    return f"{(seed * 7_919 + roll_out * 104_729 + 0x5D9C3) % 0xFFFFF:05x}"


def _rolled_out(case: Case, replica: int) -> list[float]:
    times = [at for at, k in case.world.deploys if k == replica]
    if case.scenario.marker and case.scenario.marker[0] == "deploy" and case.scenario.fault.hits(replica):
        times.append(case.course.onset)
    return sorted(times)


def pods_of(case: Case, run: Run) -> Coded:
    """The pod that served each request, shape (n,): a replaced one ends what it has begun."""
    codes = np.zeros(len(run.traffic), np.int32)
    names: list[str] = []
    for replica in range(len(run.plans)):
        pods = pod_names(case, replica)
        here = run.outcomes.replica == replica
        which = np.searchsorted([at for at, _ in pods[1:]], run.traffic.at[here], "right")
        codes[here] = len(names) + which
        names += [name for _, name in pods]
    return Coded(codes, tuple(names))


def deployed(case: Case) -> list[Mark]:
    """What people did, in order of time."""
    names = {k: pod_names(case, k) for k in range(len(case.plans))}
    marks: list[Mark] = [
        (at, "deploy", f"node drained, {dict(names[k])[at]} started", {"replica": dict(names[k])[at]})
        for at, k in case.world.deploys
    ]
    if case.scenario.marker:
        marks.append((case.course.onset, *case.scenario.marker, {}))
    return sorted(marks, key=lambda mark: mark[0])


def exposed(case: Case, run: Run, scrape_s: float) -> list[Sampled]:
    """All series of the deployment and its neighbours, as a scraper stores them.

    Parameters
    ----------
    case
        What was simulated.
    run
        What happened.
    scrape_s
        Time between scrapes, in seconds.
    """
    rng = np.random.default_rng([case.seed, 23])
    series = [one for k in range(len(run.steps)) for one in _replica(case, run, k, scrape_s, rng)]
    if case.world.decoys:
        at = scrape_times(run.start, run.end, scrape_s, rng)
        series += decoys(at, case.world.decoys, rng, case.course.onset)
    return series


def _replica(case: Case, run: Run, k: int, scrape_s: float, rng: np.random.Generator) -> list[Sampled]:
    here, steps, plan = run.outcomes.replica == k, run.steps[k], run.plans[k]
    rows = run.traffic.take(here), run.outcomes.take(here)
    replaced = _rolled_out(case, k)
    labels = {"model_name": run.service.model}
    at = scrape_times(run.start, run.end, scrape_s, rng)
    engine = engine_series(steps, rows, plan, at, labels, restarts=replaced, lean=True)
    host = {"host": f"gpu-node-{k}"}
    machine = machine_series(
        steps, plan, scrape_times(run.start, run.end, scrape_s, rng), _machine(run), host, rng, replaced=replaced
    )
    bent_ones = bent(machine, _signs(case, run)) if case.scenario.fault.hits(k) else machine
    return by_pod([*engine, *bent_ones], pod_names(case, k))


def _machine(run: Run) -> Machine:
    gpu = GPUS[run.service.gpu]
    return Machine(
        f"NVIDIA {run.service.gpu}",
        run.service.gpus_per_replica,
        round(gpu.memory / 2**20),
        watts=gpu.watts,
        idle_watts=gpu.idle_watts,
        sm_mhz=gpu.sm_mhz,
        memory_mhz=gpu.memory_mhz,
    )


def _signs(case: Case, run: Run) -> list[Sign]:
    """What the fault makes machines show, every few seconds."""
    at = np.arange(run.start, run.end, 5.0)
    amount = case.size * case.course.at(at)
    return [
        Sign(
            bend.series,
            at,
            np.broadcast_to(bend.factor(amount, at - run.start), at.shape),
            np.zeros_like(at),
            {} if bend.gpu is None else {"gpu": str(bend.gpu)},
        )
        for bend in case.scenario.fault.bends
    ]

"""Requests a second that one core simulates, by processor time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

from detecting.scale import say

from driftwatch.simulate.deployments import standard, tight
from driftwatch.simulate.service import serve
from driftwatch.simulate.workload import draw

SECONDS, REPEATS = 1800.0, 15
CASES = {
    "light": (standard, 0.25),
    "standard": (standard, 1.0),
    "full KV cache": (tight, 1.3),
    "overloaded": (standard, 3.0),
}


def speed(quick: bool) -> Iterator[dict[str, Any]]:
    """Each deployment at its load, half an hour of it, several times."""
    for name, (deployment, load) in CASES.items():
        built = deployment()
        tenants = [replace(tenant, rate=load * tenant.rate) for tenant in built.tenants]
        traffic = draw(tenants, built.service.model, 0.0, SECONDS, 1)
        plans = [[(0.0, settings)] for settings in built.service.replicas]
        took = []
        for _ in range(1 if quick else REPEATS):
            begin = time.process_time()
            run = serve(built.service, traffic, plans, 0.0, SECONDS, 1)
            took.append(time.process_time() - begin)
        row = {
            "what": name,
            "requests": len(traffic),
            "stretches": sum(len(steps) for steps in run.steps),
            "preemptions": int(run.outcomes.preemptions.sum()),
            "tokens": int(run.outcomes.generated.sum()),
            "a_second": len(traffic) / median(took),
            "fastest": len(traffic) / min(took),
        }
        say(f"speed: {name}: {row['a_second']:,.0f} requests a second")
        yield row

"""What must not alarm, or must be named as what it is: a new mix, more traffic, a roll-out that changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Traffic
from driftwatch.simulate.deployments import Deployment, standard, tenants
from driftwatch.simulate.faults import Bend, Fault
from driftwatch.simulate.harms import everyone, slowed
from driftwatch.simulate.scenario import Scenario
from driftwatch.simulate.workload import Tenant


def swinging() -> Deployment:
    """Two replicas whose load goes up and down by two fifths within an hour and a half."""
    calm = standard()
    return replace(calm, tenants=tuple(replace(t, swing=0.4, period_s=5400.0) for t in calm.tenants))


def capped() -> Deployment:
    """Two replicas that run few sequences at once, with a KV cache that they cannot fill."""
    calm = standard()
    few = tuple(replace(settings, max_num_seqs=20) for settings in calm.service.replicas)
    return replace(calm, service=replace(calm.service, replicas=few))


def more_of(name: str, share: float) -> Tenant:
    """A tenant again, with a share of its rate."""
    tenant = next(t for t in tenants() if t.name == name)
    return replace(tenant, rate=share * tenant.rate)


def fewer_chats(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """Some of the chats stay away."""
    return traffic.take(~(traffic.labels["tenant"].equals("chat") & (fixed < 0.4 * amount)))


def longer(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """Everybody has three tenths more to say at every turn, and later turns carry it along."""
    order = np.lexsort([traffic.at, traffic.session])
    said = traffic.prompt_tokens - np.maximum(traffic.history_tokens, traffic.shared_tokens)
    more = np.rint(0.3 * amount * said).astype(np.int64)[order]
    first = np.flatnonzero(np.diff(traffic.session[order], prepend=-1))
    total = np.cumsum(more)
    total -= np.repeat(total[first] - more[first], np.diff(np.append(first, len(total))))
    carried = np.empty_like(total)
    carried[order] = np.where(traffic.history_tokens[order] > 0, total - more, 0)
    added = carried + 0
    added[order] += more
    fits = traffic.prompt_tokens + added <= 7000
    prompt = traffic.prompt_tokens + np.where(fits, added, 0)
    return replace(traffic, prompt_tokens=prompt, history_tokens=traffic.history_tokens + np.where(fits, carried, 0))


# rows of a table stay rows: one field a line would be pages
# fmt: off
_TABLE: tuple[Scenario, ...] = (
    Scenario("healthy", 0, "nothing happens", "", Fault(), "ttft", kinds=(), size=0.0),
    Scenario(
        "mix_change", 0, "fewer chats, more documents", "",
        Fault(crowd=lambda x: more_of("api", 0.5 * x), senders=fewer_chats), "ttft", kinds=("workload",), size=1.0,
    ),
    Scenario("longer_prompts", 0, "prompts grow by three tenths", "", Fault(senders=longer), "ttft",
             kinds=("workload",), size=1.0),
    Scenario("more_traffic", 0, "a third more traffic, below saturation", "",
             Fault(crowd=lambda x: more_of("chat", 0.33 * x)), "ttft", kinds=("workload",), size=1.0),
    Scenario("diurnal_load", 0, "the load goes up and down", "", Fault(), "ttft", deployment=swinging, kinds=(),
             size=0.0),
    Scenario("new_topic", 0, "people ask about something else", "", Fault(text="new_topic", spoils=everyone), "answers",
             kinds=("workload",), size=1.0),
    Scenario("noisy_minute", 0, "one minute at two thirds of the speed", "", Fault(engine=slowed), "ttft", kinds=(),
             size=0.5, lasts_s=60.0),
    Scenario("benign_nondeterminism", 0, "the same prompt, another sample", "vllm-project/vllm#5543",
             Fault(text="resampled", spoils=everyone), "answers", kinds=(), size=1.0),
    Scenario(
        "harmless_deploy", 0, "a roll-out that changes nothing", "",
        Fault(engine=lambda s, x: replace(s, restarts=s.restarts + 1)), "ttft", kinds=(), size=1.0, wobble=0.0,
        marker=("deploy", "v1.4.2"),
    ),
    Scenario(
        "queue_overload", 0, "more requests than slots, an empty KV cache", "",
        Fault(crowd=lambda x: more_of("chat", 0.6 * x)), "ttft", deployment=capped, kinds=("degradation", "workload"),
        causes=("concurrency_cap", "traffic", "prompt_tokens", "requests_waiting", "requests_running"), size=1.0,
        chain=("traffic", "concurrency_cap", "ttft"),
    ),
    Scenario("full_gpu_memory", 0, "GPU memory is always full: the engine took it at its start", "",
             Fault(bends=(Bend("DCGM_FI_DEV_FB_FREE", lambda a, s: np.full_like(s, 0.2)),)), "ttft", kinds=(),
             size=1.0),
)
# fmt: on

CONTROLS: dict[str, Scenario] = {scenario.name: scenario for scenario in _TABLE}
"""All benign controls."""

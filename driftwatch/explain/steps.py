"""What to try next, by cause: engine flags by their real names, and what each costs.

The flags are those of ``vllm serve`` (https://docs.vllm.ai/en/stable/configuration/optimization/ and its
engine arguments); other engines have the same knobs under other names.
"""

from __future__ import annotations

from dataclasses import dataclass

from driftwatch.incidents.models import Cause, Incident


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to try.

    Parameters
    ----------
    do
        What to do, with ``{who}`` for the labels that the cause is limited to.
    cost
        The trade-off.
    flags
        Flags of ``vllm serve`` that do it.
    """

    do: str
    cost: str = ""
    flags: tuple[str, ...] = ()


_MEMORY = (
    Step("Limit requests or tokens in flight for {who}, at the gateway", "that traffic waits or is refused"),
    Step(
        "Schedule interactive requests first (each request then sends its 'priority')",
        "batch work waits longer and may starve",
        ("--scheduling-policy priority",),
    ),
    Step(
        "Admit fewer sequences at once, so that those admitted keep their cache",
        "more queueing, less peak throughput",
        ("--max-num-seqs",),
    ),
    Step("Cap the context length", "longer requests are refused", ("--max-model-len",)),
    Step(
        "Give the cache more memory",
        "less headroom: the engine may fail with out-of-memory at start or under load",
        ("--gpu-memory-utilization", "--tensor-parallel-size"),
    ),
    Step(
        "Store the cache in 8 bits: about twice the tokens fit",
        "may change answers; compare quality before and after",
        ("--kv-cache-dtype fp8",),
    ),
)
_CAP = (
    Step(
        "Raise the cap on sequences, where the KV cache has room",
        "more memory, slower tokens for everybody",
        ("--max-num-seqs",),
    ),
    Step("Add a replica, or move {who} to its own", "another accelerator", ("--data-parallel-size",)),
)
_TRAFFIC = (
    Step("Limit or spread the load of {who} (rate limit, quota, off-peak queue)", "that traffic waits or is refused"),
    Step("Add replicas, or route {who} to its own", "more accelerators"),
)
_PROMPTS = (
    Step("Find what made requests longer: a template, retrieved context, a new client"),
    Step(
        "Process long prompts in smaller pieces",
        "time to first token of long prompts grows; others stall less",
        ("--max-num-batched-tokens",),
    ),
)
_CACHE = (
    Step("Check whether the start of the prompt changed (a time stamp or an id there defeats prefix caching)"),
    Step(
        "Keep prefix caching on, and route by prefix so that a replica sees the same ones",
        "less even load",
        ("--enable-prefix-caching",),
    ),
)
_DRAFTS = (
    Step("Compare the draft acceptance rate before and after: a draft model no longer fits what is asked"),
    Step(
        "Draft fewer tokens, or turn drafting off",
        "slower where drafts still fit",
        ("--speculative-config",),
    ),
)
_CLOCKS = (
    Step("Read why clocks fell (nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER) on the machines named"),
    Step("Fix cooling or raise the power limit; drain the machine until then", "capacity while it is drained"),
)
_GPU = (
    Step("List who holds memory on that GPU (nvidia-smi), and stop or move what is not the engine"),
    Step("Leave the neighbours room", "a smaller KV cache", ("--gpu-memory-utilization",)),
)
_BANDWIDTH = (
    Step(
        "Decode fewer sequences at once: each token reads all of their cache",
        "more queueing, less peak throughput",
        ("--max-num-seqs",),
    ),
)
_HOST = (Step("Find what uses the CPU of that host: the engine schedules and tokenises there"),)
_EVENT = (
    Step("Roll it back on one replica and compare with the others", "the change is not live there"),
    Step("If that helps, roll back everywhere; compare its flags, weights and image with those before"),
)
_UNKNOWN = (
    Step("Check that the engine's own metrics are collected: KV cache use, preemptions, queue, running requests"),
    Step("Send markers for deploys and config changes, and label requests with tenant and replica"),
    Step("Compare one slow request with a fast one of the same prompt length (a trace, or the engine's log)"),
)
_TELEMETRY = (
    Step("Check that the exporter runs, that it is scraped, and that no upgrade renamed its series"),
    Step("Check that clients still send traffic: silence may be an outage in front of the engine"),
)
_SILENT = (
    Step("Send one request by hand, past the gateway and through it: that tells an outage from an absence of users"),
    Step("Check that the clients still send, and that the collector of the logs runs"),
)
_HUNG = (
    Step("Send one request by hand and wait for it; look for a stuck engine loop or worker in its log"),
    Step("Check whether ends are only lost on their way here (a proxy's time limit, a log shipper)"),
)
_STALE = (Step("Check that the exporter runs, that it is scraped, and that no upgrade renamed its series"),)
_LOST = (("traffic", _SILENT), ("requests", _HUNG), ("series", _STALE))
_IMPROVEMENT = (
    Step("Read some answers: faster or shorter can mean cut, cached, refused or from another model"),
    Step("If it was meant, accept it as the new normal"),
)
_WORKLOAD = (
    Step("Check whether this is expected (a launch, a new client, a batch job)"),
    Step("If it stays, accept it as the new normal, and check capacity for it"),
)
_BY_NAME: tuple[tuple[tuple[str, ...], tuple[Step, ...]], ...] = (
    (("concurrency_cap",), _CAP),
    (("prefix", "cached"), _CACHE),
    (("spec_decode",), _DRAFTS),
    (("throttl", "clock", "temperature", "power"), _CLOCKS),
    (("kv_", "preempt", "retract", "evict", "swap"), _MEMORY),
    (("gpu_memory_bandwidth",), _BANDWIDTH),
    (("gpu_memory",), _GPU),
    (("host_cpu",), _HOST),
    (("prompt", "novel"), (*_PROMPTS, *_TRAFFIC)),
    (("traffic", "held_tokens"), _TRAFFIC),
)
_MOST = 6
_BY_KIND = {"telemetry": _TELEMETRY, "improvement": _IMPROVEMENT, "workload": _WORKLOAD}


def next_steps(incident: Incident) -> list[tuple[Cause | None, Step]]:
    """Steps for the likeliest causes that are not ruled out, or for the kind, or for an unknown cause.

    Returns
    -------
    list
        At most six steps, each once, with the cause that it is for (None where it is not for one).
    """
    if incident.losses:
        lost = {loss.what for loss in incident.losses}
        return [(None, step) for what, steps in _LOST if what in lost for step in steps]
    if incident.kind in _BY_KIND:
        return [(None, step) for step in _BY_KIND[incident.kind]]
    found: dict[Step, Cause | None] = {}
    for cause in [c for c in incident.causes if c.tier != "ruled_out"][:3]:
        for step in _steps(cause):
            found.setdefault(step, cause)
    chosen = found or dict.fromkeys(_UNKNOWN)
    return [(cause, step) for step, cause in chosen.items()][:_MOST]


def _steps(cause: Cause) -> tuple[Step, ...]:
    if cause.role == "event":
        return _EVENT
    name = cause.name.lower()
    return next((steps for words, steps in _BY_NAME if any(word in name for word in words)), ())

"""What to try next, by cause: engine flags by their real names, and what each costs.

The flags are those of ``vllm serve`` (https://docs.vllm.ai/en/stable/configuration/engine_args/), of
``sglang.launch_server`` (https://docs.sglang.io/advanced_features/server_arguments.html) and of
``text-generation-launcher`` (https://huggingface.co/docs/text-generation-inference/reference/launcher).
"""

from __future__ import annotations

from dataclasses import dataclass

from driftwatch.incidents.models import Cause, Incident

Knobs = tuple[tuple[str, tuple[str, ...]], ...]
"""Flags by engine."""
_SPLIT = ("--tensor-parallel-size", "--tp-size", "--num-shard")


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
        Engines, and the flags of each that do it.
    """

    do: str
    cost: str = ""
    flags: Knobs = ()


_FEWER: Knobs = (
    ("vLLM", ("--max-num-seqs",)),
    ("SGLang", ("--max-running-requests", "--schedule-conservativeness")),
    ("TGI", ("--max-concurrent-requests",)),
)
_SHARE_OF_GPU: Knobs = (
    ("vLLM", ("--gpu-memory-utilization",)),
    ("SGLang", ("--mem-fraction-static",)),
    ("TGI", ("--cuda-memory-fraction",)),
)
_MEMORY = (
    Step("Limit requests or tokens in flight for {who}, at the gateway", "that traffic waits or is refused"),
    Step(
        "Schedule interactive requests first (each request then sends its 'priority')",
        "batch work waits longer and may starve",
        (("vLLM", ("--scheduling-policy priority",)), ("SGLang", ("--enable-priority-scheduling",))),
    ),
    Step(
        "Admit fewer sequences at once, so that those admitted keep their cache",
        "more queueing, less peak throughput",
        _FEWER,
    ),
    Step(
        "Cap the context length",
        "longer requests are refused",
        (("vLLM", ("--max-model-len",)), ("SGLang", ("--context-length",)), ("TGI", ("--max-total-tokens",))),
    ),
    Step(
        "Give the cache more memory: a larger share of the GPU, or more GPUs",
        "less headroom: the engine may fail with out-of-memory at start or under load",
        tuple((engine, (*flags, more)) for (engine, flags), more in zip(_SHARE_OF_GPU, _SPLIT, strict=True)),
    ),
    Step(
        "Store the cache in 8 bits: about twice the tokens fit",
        "may change answers; compare quality before and after",
        (
            ("vLLM", ("--kv-cache-dtype fp8",)),
            ("SGLang", ("--kv-cache-dtype fp8_e5m2",)),
            ("TGI", ("--kv-cache-dtype fp8_e5m2",)),
        ),
    ),
)
_CAP = (
    Step(
        "Raise the cap on sequences, where the KV cache has room",
        "more memory, slower tokens for everybody",
        (
            ("vLLM", ("--max-num-seqs",)),
            ("SGLang", ("--max-running-requests",)),
            ("TGI", ("--max-batch-total-tokens",)),
        ),
    ),
    Step(
        "Add a replica, or move {who} to its own",
        "another accelerator",
        (("vLLM", ("--data-parallel-size",)), ("SGLang", ("--dp-size",))),
    ),
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
        (
            ("vLLM", ("--max-num-batched-tokens",)),
            ("SGLang", ("--chunked-prefill-size",)),
            ("TGI", ("--max-batch-prefill-tokens",)),
        ),
    ),
)
_AGAIN = (
    Step("Look for requests whose prompts are computed again and again: in the engine's log, those that never answer"),
    Step("Restart one replica and compare: a loop in the engine ends with it", "its requests and its cache are lost"),
    Step("Compare the engine's version with its known issues, and go back to the one before", "its newer features"),
)
_CACHE = (
    Step("Check whether the start of the prompt changed (a time stamp or an id there defeats prefix caching)"),
    Step(
        "Keep prefix caching on, and route by prefix so that a replica sees the same ones",
        "less even load",
        (("vLLM", ("--enable-prefix-caching",)), ("SGLang", ("no --disable-radix-cache",))),
    ),
)
_BATCHED = (
    Step("Send one prompt when it is quiet and again when it is busy, at temperature 0, and compare the answers"),
    Step(
        "Let answers depend on the batch no more (batch-invariant kernels)",
        "slower; not on every GPU",
        (("vLLM", ("VLLM_BATCH_INVARIANT=1 in its environment",)), ("SGLang", ("--enable-deterministic-inference",))),
    ),
    Step("Decode fewer sequences at once until that is known", "more queueing, less peak throughput", _FEWER),
)
_REUSED = (
    Step("Send one prompt twice, the second time out of the cache, at temperature 0, and compare the answers"),
    Step(
        "Turn prefix caching off on one replica and compare its answers with the others'",
        "slower first tokens there",
        (("vLLM", ("--no-enable-prefix-caching",)), ("SGLang", ("--disable-radix-cache",))),
    ),
)
_AGED = (
    Step("Compare the answers of a replica that has just started with those of the oldest, for the same prompts"),
    Step("Restart replicas one after another until what spoils with time is found", "their requests and their caches"),
)
_DRAFTS = (
    Step("Compare the draft acceptance rate before and after: a draft model no longer fits what is asked"),
    Step(
        "Draft fewer tokens, or turn drafting off",
        "slower where drafts still fit",
        (
            ("vLLM", ("--speculative-config",)),
            ("SGLang", ("--speculative-num-draft-tokens", "--speculative-num-steps")),
            ("TGI", ("--speculate",)),
        ),
    ),
)
_CLOCKS = (
    Step("Read why clocks fell (nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER) on the machines named"),
    Step("Fix cooling or raise the power limit; drain the machine until then", "capacity while it is drained"),
)
_GPU = (
    Step("List who holds memory on that GPU (nvidia-smi), and stop or move what is not the engine"),
    Step("Leave the neighbours room", "a smaller KV cache", _SHARE_OF_GPU),
)
_PAGING = (
    Step("List who holds memory on that GPU (nvidia-smi): together they ask for more than it has"),
    Step("Take less of it, so that nothing is moved to the host", "a smaller KV cache", _SHARE_OF_GPU),
)
_BANDWIDTH = (
    Step(
        "Decode fewer sequences at once: each token reads all of their cache",
        "more queueing, less peak throughput",
        _FEWER,
    ),
)
_HOST = (Step("Find what uses the CPU of that host: the engine schedules and tokenises there"),)
_HOST_MEMORY = (
    Step("Find which process grows on that host (its resident memory); a restart of it gives the memory back"),
    Step(
        "Keep less in the host's memory: offloaded weights and caches",
        "what is offloaded must fit on the GPU, or is computed again",
        (("vLLM", ("--cpu-offload-gb",)), ("SGLang", ("--hicache-size",))),
    ),
    Step("Set a memory limit for the container, so that a leak ends in a restart and not in swapping", "a restart"),
)
_MECHANISM = (
    Step("Compare a replica that has it with one that has not, and look at what changed there at the onset"),
    Step("Drain the replica that has it until that is known", "capacity while it is drained"),
)
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
    (("concurrency",), _BATCHED),
    (("cached_share",), _REUSED),
    (("engine_age",), _AGED),
    (("prefix", "cached"), _CACHE),
    (("spec_decode",), _DRAFTS),
    (("throttl", "clock", "temperature", "power"), _CLOCKS),
    (("kv_", "preempt", "retract", "evict", "swap"), _MEMORY),
    (("gpu_memory_bandwidth",), _BANDWIDTH),
    (("gpu_memory",), _GPU),
    (("host_cpu",), _HOST),
    (("host_memory", "host_swap", "process_memory"), _HOST_MEMORY),
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
    for step in _of_memory(incident):
        found.setdefault(step, None)
    chosen = found or dict.fromkeys(_UNKNOWN)
    return [(cause, step) for step, cause in chosen.items()][:_MOST]


def _steps(cause: Cause) -> tuple[Step, ...]:
    if cause.role == "event":
        return _EVENT
    if cause.name == "prompt_tokens" and cause.role == "mechanism":
        return _AGAIN  # more of them than were asked for
    name, other = cause.name.lower(), _TRAFFIC if cause.role == "exogenous" else _MECHANISM
    return next((steps for words, steps in _BY_NAME if any(word in name for word in words)), other)


def _of_memory(incident: Incident) -> tuple[Step, ...]:
    """Steps for what the chapter on memory shows, whatever the cause."""
    memory = incident.memory
    if memory is None:
        return ()
    leaks = {forecast.name for forecast in memory.forecasts} & {"host_memory", "process_memory"}
    return (
        *(_PAGING if memory.paging else ()),
        *(_GPU if memory.takers and not memory.paging else ()),
        *(_HOST_MEMORY[:1] if leaks else ()),
    )

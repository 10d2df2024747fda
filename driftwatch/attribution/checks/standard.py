"""What a health check is, and the standard ones with the source of each threshold.

A threshold is that of its source; the time for which it must hold is mostly shorter than there, because a person who
looks at a dashboard does not wait a quarter of an hour: so a check fires sooner here, and 'silent' is harder to claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from driftwatch.config import Check
from driftwatch.events.catalogue import resolve, scale_of
from driftwatch.incidents.models import Layer

Comparison = Literal[">", "<", ">=", "<=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: ``offset + factor * series / per`` compared with a threshold.

    Parameters
    ----------
    name
        As shown.
    series
        A series of the catalogue, a metric's own name, or one of the extra series.
    comparison, threshold
        It fires where this is true.
    for_s
        It must hold this long, in seconds.
    layer
        Which layer it speaks for.
    labels
        Only series with these labels.
    unit
        Of the threshold.
    source
        Where the threshold is from.
    why
        What the check means, in a sentence.
    per
        A series to divide by, of the same labels; none if empty.
    window_s
        Average over the time before, in seconds.
    factor, offset
        From the unit of the series to that of the threshold.
    mean_over
        A label over which the mean is taken, such as ``cpu``.
    alternatives
        The same check by other series: the first that is measured counts.
    """

    name: str
    series: str
    comparison: Comparison
    threshold: float
    for_s: float = 0.0
    layer: Layer = "infrastructure"
    labels: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    source: str = "driftwatch default"
    why: str = ""
    per: str = ""
    window_s: float = 0.0
    factor: float = 1.0
    offset: float = 0.0
    mean_over: str = ""
    alternatives: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, check: Check, names: Mapping[str, str] | None = None) -> Rule:
        """A check of the configuration; ``names`` are series names of your own.

        Examples
        --------
        >>> rule = Rule.of(Check(name="busy", series="DCGM_FI_DEV_GPU_UTIL", threshold=90))
        >>> rule.series, rule.factor, rule.source
        ('gpu_utilization', 100.0, 'your configuration')
        """
        series, factor = measured_as(check.series, names or {})
        settings = check.model_dump(exclude={"labels", "series"})
        labels = tuple(sorted(check.labels.items()))
        return cls(**settings, series=series, factor=factor, labels=labels, source="your configuration")


def measured_as(name: str, names: Mapping[str, str]) -> tuple[str, float]:
    """The store's name of a series, and the factor from its unit there to that of the name.

    Examples
    --------
    >>> measured_as("host_memory_percent", {})
    ('host_memory', 100.0)
    """
    ours = names.get(name, name)
    found = resolve(ours)
    return (found[0].name if found else ours), 1 / scale_of(ours)


_NODE = "node-exporter mixin"
_KUBERNETES = "kubernetes-mixin"
_KUBE_PROMETHEUS = "kube-prometheus"
_NVIDIA = "NVIDIA GPU memory error management"
_VLLM = "vLLM example PrometheusRule"
_ROOT = (("mountpoint", "/"),)

STANDARD: tuple[Rule, ...] = (
    Rule("target up", "target_up", "<", 1, source=f"{_KUBE_PROMETHEUS} TargetDown",
         why="A scrape failed: the process is gone, hung, or cannot be reached."),
    Rule("request errors", "error_share", ">", 0.05, window_s=60, unit="share",
         why="Requests that ended in an error, over a minute."),
    Rule("host CPU", "host_cpu", ">", 0.9, for_s=60, unit="share", source=f"{_NODE} NodeCPUHighUsage",
         why="The host has no CPU left for tokenizing, scheduling and networking.",
         alternatives=(
             Rule("host CPU", "host_cpu_idle", ">", 0.9, for_s=60, unit="share", source=f"{_NODE} NodeCPUHighUsage",
                  factor=-1, offset=1, mean_over="cpu"),
         )),
    Rule("host memory", "host_memory", ">", 0.9, for_s=60, unit="share", source=f"{_NODE} NodeMemoryHighUtilization",
         why="The host is about to swap or to kill.",
         alternatives=(
             Rule("host memory", "host_memory_available", ">", 0.9, for_s=60, unit="share", factor=-1, offset=1,
                  source=f"{_NODE} NodeMemoryHighUtilization", per="host_memory_total"),
         )),
    Rule("root file system", "node_filesystem_avail_bytes", "<", 0.03, for_s=60, unit="share", labels=_ROOT,
         source=f"{_NODE} NodeFilesystemAlmostOutOfSpace", per="node_filesystem_size_bytes",
         why="Space left on the root file system."),
    Rule("out-of-memory kills", "host_oom", ">", 0, unit="1/s", why="The kernel killed a process for memory."),
    Rule("pod restarts", "pod_restarts", ">", 0, unit="1/s", source=f"{_KUBERNETES} KubePodCrashLooping",
         why="A container started again."),
    Rule("pod ready", "pod_ready", "<", 1, for_s=60, source=f"{_KUBERNETES} KubePodNotReady",
         why="Kubernetes sends it no traffic."),
    Rule("pod killed for memory", "pod_oom", ">", 0, why="The container's last end was an out-of-memory kill."),
    Rule("GPU utilisation", "gpu_utilization", "<", 0.01, for_s=300, unit="share",
         why="The GPU does nothing. High use is what one pays for, and no fault."),
    Rule("GPU memory", "gpu_memory_share", ">", 0.98, for_s=60, unit="share",
         why="Engines take most of it at start and keep it, so it is high and flat in health and in an incident alike: "
             "green says little, and what fills up is the KV cache inside.",
         alternatives=(
             Rule("GPU memory", "gpu_memory_used", ">", 0.98, for_s=60, unit="share", per="gpu_memory_total"),
             Rule("GPU memory", "gpu_memory_free", "<", 0.02, for_s=60, unit="free/used", per="gpu_memory_used"),
         )),
    Rule("GPU temperature", "gpu_temperature", ">", 85, for_s=60, unit="degC",
         why="Near the point where it slows itself down, which depends on the model of GPU."),
    Rule("GPU memory temperature", "gpu_memory_temperature", ">", 95, for_s=60, unit="degC",
         why="The same for its memory."),
    Rule("GPU XID errors", "gpu_xid", ">", 0, unit="code", source="NVIDIA XID errors",
         why="The driver reported an error; the value is the code of the last one.",
         alternatives=(Rule("GPU XID errors", "gpu_xid_count", ">", 0, source="NVIDIA XID errors"),)),
    Rule("GPU ECC errors", "gpu_ecc_double", ">", 0, unit="1/s", source=_NVIDIA, why="Memory errors beyond repair."),
    Rule("GPU row remapping", "gpu_remap_failed", ">", 0, source=_NVIDIA, why="A broken memory row has no spare."),
    Rule("GPU remapped rows", "gpu_remapped_uncorrectable", ">", 0, unit="1/s", source=_NVIDIA,
         why="A memory row was replaced after an error beyond repair."),
    Rule("hardware errors", "hardware_errors", ">", 0, unit="1/s", why="OpenTelemetry's count of hardware errors."),
    Rule("KV cache", "kv_cache_usage", ">", 0.95, for_s=60, layer="serving", unit="share",
         source=f"{_VLLM} VllmKVCacheNearFull", why="Nearly full: what comes next waits, or preempts."),
    Rule("requests waiting", "requests_waiting", ">", 50, for_s=60, layer="serving", unit="requests",
         source=f"{_VLLM} VllmHighQueueDepth", why="The queue of one engine."),
    Rule("preemptions", "preemptions", ">", 1, window_s=60, layer="serving", unit="1/s",
         source=f"{_VLLM} VllmPreemptionSpike", why="Requests thrown out of the cache, to be computed again."),
    Rule("queue time", "queue_time", ">", 1, for_s=60, layer="serving", unit="s",
         why="Mean wait before the first step."),
    Rule("corrupted requests", "corrupted_requests", ">", 0, layer="serving", unit="1/s",
         why="NaN in the logits; only where the engine looks for it."),
)  # fmt: skip
"""The standard checks, infrastructure first."""

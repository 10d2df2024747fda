"""What the exporters of a replica's machine would have shown: DCGM, node exporter, kube-state-metrics, its process.

A healthy machine whose load follows what the engine does; faults come in by `driftwatch.simulate.scrapes.bent`.

References
----------
.. [1] Patel et al. (2024). Characterizing power management opportunities for LLMs in the cloud. ASPLOS. Prefill runs
   at the power limit, decoding well below it and steadily.
.. [2] NVIDIA, DCGM exporter, ``etc/default-counters.csv`` and DCGM field identifiers: names, units, labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Steps
from driftwatch.simulate.counting import Clock, Place, Plan, held, stretch_ends
from driftwatch.simulate.noise import autoregression
from driftwatch.simulate.scrapes import Kind, Sampled, smoothed

_WINDOW_S = 1.0  # over which a driver says how busy a GPU is
_DECODING, _PREFILLING = 0.55, 0.95  # shares of the power limit, after [1]
_LAG_S = 40.0  # time constant of a heat sink
_AMBIENT_C, _RISE_C = 31.0, 36.0  # without power, and what the power limit adds
_MODES = {"user": 0.85, "system": 0.12, "iowait": 0.02, "softirq": 0.01}
_PAGE = 4096.0


@dataclass(frozen=True, slots=True)
class Machine:
    """A host and its GPUs, as plain figures.

    Parameters
    ----------
    gpu
        Name of the GPU as its driver says it.
    gpus
        How many of them the replica runs on.
    gpu_memory_mib, reserved
        Memory of one, and the share of it that the engine takes when it starts.
    watts, idle_watts
        Power limit, and power without work.
    sm_mhz, memory_mhz
        Clocks under load.
    cpus
        CPUs of the host.
    memory_bytes, disk_bytes
        Memory and root file system of the host.
    engine_bytes
        Host memory that the engine's process takes.
    """

    gpu: str = "NVIDIA A100-SXM4-40GB"
    gpus: int = 1
    gpu_memory_mib: float = 40_960.0
    reserved: float = 0.92
    watts: float = 400.0
    idle_watts: float = 55.0
    sm_mhz: float = 1410.0
    memory_mhz: float = 1215.0
    cpus: int = 8
    memory_bytes: float = 128 * 2.0**30
    disk_bytes: float = 400 * 2.0**30
    engine_bytes: float = 6 * 2.0**30


@dataclass(frozen=True, slots=True)
class _Scope:
    """What all series of one machine share."""

    clock: Clock
    labels: Mapping[str, str]
    rng: np.random.Generator

    @property
    def n(self) -> int:
        return len(self.clock.instants)

    def one(self, name: str, value: NDArray[Any] | float, kind: Kind = "gauge", **more: str) -> Sampled:
        values = np.broadcast_to(np.asarray(value, np.float64), (self.n,))
        return Sampled(name, {**self.labels, **more}, self.clock.instants, values, kind)

    def wave(self, spread: float, keep: float = 0.9) -> Floats:
        """Slow noise of about this standard deviation around 0."""
        return spread * autoregression(self.rng, self.n, keep)


def machine_series(
    steps: Steps,
    settings: Plan,
    instants: Floats,
    machine: Machine,
    labels: Mapping[str, str],
    rng: np.random.Generator,
    *,
    restarts: Sequence[float] = (),
    replaced: Sequence[float] = (),
) -> list[Sampled]:
    """Make the series of the machine that one replica runs on.

    Parameters
    ----------
    steps
        What the replica did.
    settings
        Its settings over time, the first from the beginning.
    instants
        Shape (n,): when the machine is scraped, in order.
    machine
        What it is made of.
    labels
        ``host``, ``pod`` (both optional) and whatever else all series have.
    rng
        Draws the noise.
    restarts
        When the engine's container was restarted.
    replaced
        When a new pod took its place.

    Raises
    ------
    ValueError
        If there are no steps.
    """
    if not len(steps):
        raise ValueError("a replica without a single stretch has no series; simulate it for longer than zero seconds")
    host = labels.get("host", "node-0")
    shared = {name: value for name, value in labels.items() if name not in ("host", "pod")}
    pod = {**shared, "pod": labels["pod"]} if "pod" in labels else shared
    clock = Clock.of(instants, (*restarts, *replaced))
    place = Place.of(steps, instants)
    busy = np.clip(_recent(steps, instants, np.asarray(steps.iterations > 0, np.float64)), 0.0, 1.0)
    return [
        *_gpus(_Scope(clock, {**pod, "Hostname": host}, rng), machine, busy, _computing(steps, settings, instants)),
        *_host(_Scope(clock, {**shared, "instance": host}, rng), machine, steps),
        *_process(_Scope(clock, pod, rng), machine, steps, place),
        *_pod(_Scope(Clock.of(instants, replaced), pod, rng), restarts),
    ]


def _recent(steps: Steps, instants: Floats, share: Floats) -> Floats:
    """Mean over the last second of something that each stretch is to this share."""
    amount = np.asarray(share * (stretch_ends(steps) - steps.start), np.float64)
    now, before = (Place.of(steps, times).total(amount) for times in (instants, instants - _WINDOW_S))
    return np.asarray((now - before) / _WINDOW_S)


def _computing(steps: Steps, settings: Plan, instants: Floats) -> Floats:
    """Share of the last second in which compute was the limit rather than memory: prefill."""
    a_token = held(settings, lambda s: s.timing.token_s, steps.start)
    weights = held(settings, lambda s: s.timing.weights_s, steps.start)
    tokens = (steps.prefilled + steps.generated + steps.drafted - steps.accepted) / np.maximum(steps.iterations, 1.0)
    return _recent(steps, instants, np.square(np.clip(a_token * tokens / np.maximum(weights, 1e-9), 0.0, 1.0)))


def _gpus(scope: _Scope, machine: Machine, busy: Floats, computing: Floats) -> Iterable[Sampled]:
    for index in range(machine.gpus):
        name = f"{scope.labels['Hostname']}/{index}"
        labels = {"gpu": str(index), "UUID": f"GPU-{uuid5(NAMESPACE_DNS, name)}", "device": f"nvidia{index}"}
        one = _Scope(scope.clock, {**scope.labels, **labels, "modelName": machine.gpu}, scope.rng)
        yield from _gpu(one, machine, busy, computing)


def _gpu(scope: _Scope, machine: Machine, busy: Floats, computing: Floats) -> Iterable[Sampled]:
    used = np.round(machine.gpu_memory_mib * machine.reserved)
    load = busy * (_DECODING + (_PREFILLING - _DECODING) * computing)
    load = np.clip(load * (1 + scope.wave(0.01)), 0.0, 1.0)
    power = machine.idle_watts + (machine.watts - machine.idle_watts) * load
    yield scope.one("DCGM_FI_DEV_FB_USED", used)
    yield scope.one("DCGM_FI_DEV_FB_FREE", machine.gpu_memory_mib - used)
    yield scope.one("DCGM_FI_DEV_GPU_UTIL", np.round(100 * busy))
    yield scope.one("DCGM_FI_DEV_MEM_COPY_UTIL", np.round(100 * busy * np.clip(0.75 - 0.35 * computing, 0, 1)))
    lower = 15.0 * scope.rng.binomial(1, 0.06, scope.n)  # clocks move in steps of 15 MHz
    yield scope.one("DCGM_FI_DEV_SM_CLOCK", machine.sm_mhz - lower)
    yield scope.one("DCGM_FI_DEV_MEM_CLOCK", machine.memory_mhz)
    yield scope.one("DCGM_FI_DEV_POWER_USAGE", np.round(power + scope.rng.normal(0, 1.5, scope.n), 3))
    yield scope.one("DCGM_FI_DEV_GPU_TEMP", _temperature(scope, machine, power))
    for name in ("POWER_VIOLATION", "THERMAL_VIOLATION"):
        yield scope.one(f"DCGM_FI_DEV_{name}", 0.0, "counter")
    yield scope.one("DCGM_FI_DEV_XID_ERRORS", 0.0)


def _temperature(scope: _Scope, machine: Machine, power: Floats) -> Floats:
    instants = scope.clock.instants
    every_s = float(np.median(np.diff(instants))) if len(instants) > 1 else _LAG_S
    warm = _AMBIENT_C + _RISE_C * smoothed(power, float(np.exp(-every_s / _LAG_S))) / machine.watts
    return np.round(warm + scope.wave(0.4, 0.97))


def _host(scope: _Scope, machine: Machine, steps: Steps) -> Iterable[Sampled]:
    """The node: the engine keeps a bit more than one CPU busy, and daemons a tenth of one."""
    instants = scope.clock.instants
    passed = np.diff(instants, prepend=instants[:1])
    served = np.diff(_busy_seconds(steps, instants), prepend=_busy_seconds(steps, instants[:1]))
    used = (1.2 * served + 0.1 * passed) * np.exp(scope.wave(0.05))
    yield from _cpus(scope, machine.cpus, np.minimum(used / machine.cpus, passed), passed)
    load = smoothed(used / np.maximum(passed, 1e-9), 0.8) + scope.wave(0.05)
    yield scope.one("node_load1", np.round(np.maximum(load, 0.0), 2))
    available = machine.memory_bytes - machine.engine_bytes - 6 * 2.0**30 + scope.wave(60 * 2.0**20, 0.98)
    yield scope.one("node_memory_MemTotal_bytes", machine.memory_bytes)
    yield scope.one("node_memory_MemAvailable_bytes", _pages(available))
    free = 0.65 * machine.disk_bytes - 2.0e3 * (instants - instants[:1])  # logs
    yield scope.one("node_filesystem_size_bytes", machine.disk_bytes, mountpoint="/")
    yield scope.one("node_filesystem_avail_bytes", _pages(free), mountpoint="/")


def _cpus(scope: _Scope, cpus: int, used: Floats, passed: Floats) -> Iterable[Sampled]:
    spent = {mode: used * share for mode, share in _MODES.items()} | {"idle": np.maximum(passed - used, 0.0)}
    for cpu in range(cpus):
        for mode, each in spent.items():
            yield scope.one("node_cpu_seconds_total", np.round(np.cumsum(each), 2), "counter", cpu=str(cpu), mode=mode)


def _busy_seconds(steps: Steps, times: Floats) -> Floats:
    """Seconds of iterations since the beginning."""
    return Place.of(steps, times).total((stretch_ends(steps) - steps.start) * (steps.iterations > 0))


def _process(scope: _Scope, machine: Machine, steps: Steps, place: Place) -> Iterable[Sampled]:
    clock = scope.clock
    cpu = clock.since_start(lambda times: 1.05 * _busy_seconds(steps, times) + 0.02 * (times - steps.start[0]))
    began = np.concatenate([steps.start[:1] - 60.0, clock.restarts])[clock.starts]
    connections = steps.running[place.stretch] + steps.waiting[place.stretch]
    yield scope.one("process_cpu_seconds_total", np.round(np.maximum(cpu, 0.0), 2), "counter")
    yield scope.one("process_resident_memory_bytes", _pages(machine.engine_bytes + scope.wave(8 * 2.0**20, 0.98)))
    yield scope.one("process_open_fds", 62 + np.round(connections))
    yield scope.one("process_start_time_seconds", np.round(began, 2))
    yield scope.one("up", 1.0, job="vllm")


def _pages(size: Floats) -> Floats:
    return np.asarray(np.floor(size / _PAGE) * _PAGE)


def _pod(scope: _Scope, restarts: Sequence[float]) -> Iterable[Sampled]:
    """What the cluster says; a pod that takes another's place begins without restarts."""
    times = np.sort(np.asarray(restarts, np.float64))
    count = scope.clock.since_start(lambda until: np.searchsorted(times, until, "right").astype(np.float64))
    yield scope.one("kube_pod_container_status_restarts_total", count, "counter", container="vllm")
    yield scope.one("kube_pod_status_ready", 1.0, condition="true")

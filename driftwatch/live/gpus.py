"""The GPUs of this machine, by NVML (extra ``gpu``): memory, also by process and MIG slice, clocks, heat, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import DriftwatchError
from driftwatch.events.columns import Batch
from driftwatch.live.settings import Local
from driftwatch.live.source import Samples, SourceError

_MOST_PROCESSES = 64  # of one GPU
_VIOLATIONS = ("POWER", "THERMAL", "SYNC_BOOST", "BOARD_LIMIT", "LOW_UTILIZATION", "RELIABILITY")


class Gpus:
    """All GPUs that the driver shows.

    Parameters
    ----------
    settings
        How often, with which labels.

    Raises
    ------
    DriftwatchError
        If there is no driver.
    MissingExtra
        If nvidia-ml-py is not installed.
    """

    name = "gpu"

    def __init__(self, settings: Local) -> None:
        self.every_s, self.labels = settings.every_s, settings.labels
        self._nvml = load("pynvml", "gpu")
        try:
            self._nvml.nvmlInit()
        except self._nvml.NVMLError as error:
            raise DriftwatchError(f"NVML cannot be used ({error}): is the NVIDIA driver on this machine?") from None

    def read(self, at: float) -> Iterable[Batch]:
        """Read all of them; what one does not support is left out."""
        samples = Samples(at, self.labels)
        try:
            for index in range(self._nvml.nvmlDeviceGetCount()):
                self._device(self._nvml.nvmlDeviceGetHandleByIndex(index), samples)
        except self._nvml.NVMLError as error:
            raise SourceError(f"NVML: {error}") from None
        return [samples.batch()]

    def failed(self, at: float) -> Iterable[Batch]:
        """Nothing is known then."""
        return []

    def close(self) -> None:
        """Let the driver go."""
        with suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _device(self, device: Any, samples: Samples) -> None:
        nvml = self._nvml
        gpu = {"gpu": _text(nvml.nvmlDeviceGetUUID(device))}
        for name, kind, value in self._readings(device):
            samples.add(name, value, gpu, kind)
        for policy in _VIOLATIONS:
            with suppress(nvml.NVMLError):
                spent = nvml.nvmlDeviceGetViolationStatus(device, getattr(nvml, f"NVML_PERF_POLICY_{policy}"))
                samples.add("nvml_violation_time_ns", spent.violationTime, {**gpu, "policy": policy.lower()}, "counter")
        for name, used in self._processes(device):
            samples.add("nvml_process_memory_used_bytes", used, {**gpu, "process": name})
        for number, slice_ in self._slices(device):
            self._memory(slice_, samples, {**gpu, "mig": _text(nvml.nvmlDeviceGetUUID(slice_)), "slice": str(number)})

    def _readings(self, device: Any) -> Iterator[tuple[str, str, float]]:
        """Name, kind and value of whatever the device supports."""
        nvml = self._nvml
        memory = _asked(nvml, nvml.nvmlDeviceGetMemoryInfo, device)
        if memory is not None:
            for part in ("used", "free", "total"):
                yield f"nvml_memory_{part}_bytes", "gauge", getattr(memory, part)
        use = _asked(nvml, nvml.nvmlDeviceGetUtilizationRates, device)
        if use is not None:
            yield "nvml_utilization_gpu_percent", "gauge", use.gpu
            yield "nvml_utilization_memory_percent", "gauge", use.memory
        for name, kind, ask, *arguments in (
            ("nvml_clock_sm_mhz", "gauge", nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
            ("nvml_clock_memory_mhz", "gauge", nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
            ("nvml_clocks_event_reasons", "gauge", nvml.nvmlDeviceGetCurrentClocksThrottleReasons),
            ("nvml_temperature_celsius", "gauge", nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
            ("nvml_power_usage_milliwatts", "gauge", nvml.nvmlDeviceGetPowerUsage),
            ("nvml_ecc_errors_corrected", "counter", nvml.nvmlDeviceGetTotalEccErrors, *_ecc(nvml, "CORRECTED")),
            ("nvml_ecc_errors_uncorrected", "counter", nvml.nvmlDeviceGetTotalEccErrors, *_ecc(nvml, "UNCORRECTED")),
        ):
            if (value := _asked(nvml, ask, device, *arguments)) is not None:
                yield name, kind, value
        rows = _asked(nvml, nvml.nvmlDeviceGetRemappedRows, device)
        if rows is not None:
            yield "nvml_row_remap_failure", "gauge", rows[3]

    def _memory(self, device: Any, samples: Samples, labels: dict[str, str]) -> None:
        memory = _asked(self._nvml, self._nvml.nvmlDeviceGetMemoryInfo, device)
        if memory is not None:
            samples.add("nvml_mig_memory_used_bytes", memory.used, labels)
            samples.add("nvml_mig_memory_total_bytes", memory.total, labels)

    def _processes(self, device: Any) -> Iterable[tuple[str, float]]:
        """Memory in use by program; those of one name are added up, so that a restart makes no new series."""
        used: dict[str, float] = {}
        for process in _asked(self._nvml, self._nvml.nvmlDeviceGetComputeRunningProcesses, device) or ():
            name = _program(process.pid)
            if process.usedGpuMemory is not None and (name in used or len(used) < _MOST_PROCESSES):
                used[name] = used.get(name, 0.0) + process.usedGpuMemory
        return used.items()

    def _slices(self, device: Any) -> Iterator[tuple[int, Any]]:
        """The MIG slices of a device, if it is cut."""
        nvml = self._nvml
        mode = _asked(nvml, nvml.nvmlDeviceGetMigMode, device)
        if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return
        for number in range(_asked(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, device) or 0):
            slice_ = _asked(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, device, number)
            if slice_ is not None:
                yield number, slice_


def _asked(nvml: Any, ask: Callable[..., Any], *arguments: Any) -> Any:
    """What the driver answers; None where the device does not support it."""
    try:
        return ask(*arguments)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_NotFound, nvml.NVMLError_NoPermission):
        return None
    except nvml.NVMLError_FunctionNotFound:  # an older driver
        return None


def _ecc(nvml: Any, kind: str) -> tuple[Any, Any]:
    return getattr(nvml, f"NVML_MEMORY_ERROR_TYPE_{kind}"), nvml.NVML_VOLATILE_ECC


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "unknown"

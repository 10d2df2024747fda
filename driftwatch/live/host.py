"""The machine itself by its ``/proc``, under the names that the node exporter gives the same numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from driftwatch.events.columns import Batch
from driftwatch.live.settings import Local
from driftwatch.live.source import Samples, SourceError

_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_KIB = 1024.0
_COUNTED = {"oom_kill", "pswpin"}


class Host:
    """CPU, memory, load, swapping and out-of-memory kills of this machine.

    Parameters
    ----------
    settings
        How often, with which labels.
    proc
        Where ``/proc`` is: ``/host/proc`` in a container that has the host's mounted there.

    Examples
    --------
    >>> [batch] = Host(Local()).read(10.0)
    >>> {"node_load1", "node_memory_MemAvailable_bytes"} <= {key.name for key in batch.keys}
    True
    """

    name = "host"

    def __init__(self, settings: Local, proc: Path = Path("/proc")) -> None:
        self.every_s, self.labels, self.proc = settings.every_s, settings.labels, proc
        self._before: dict[str, float] = {}

    def read(self, at: float) -> Iterable[Batch]:
        """Read it; the share of CPU time is that since the reading before."""
        samples = Samples(at, self.labels)
        self._processor(samples)
        self._memory(samples)
        samples.add("node_load1", float(self._text("loadavg").split()[0]))
        counted = dict(line.split() for line in self._text("vmstat").splitlines())
        for name in sorted(_COUNTED.intersection(counted)):
            samples.add(f"node_vmstat_{name}", float(counted[name]), kind="counter")
        return [samples.batch()]

    def failed(self, at: float) -> Iterable[Batch]:
        """Nothing is known then."""
        return []

    def close(self) -> None:
        """There is nothing to let go of."""

    def _processor(self, samples: Samples) -> None:
        ticks = self._text("stat").splitlines()[0].split()[1:]
        spent = dict(zip(_MODES, map(float, ticks), strict=False))
        share = busy_share(self._before, spent)
        self._before = spent
        if share is not None:
            samples.add("host_cpu_percent", 100.0 * share)

    def _memory(self, samples: Samples) -> None:
        found = re.findall(r"^(\w+):\s+(\d+) kB$", self._text("meminfo"), re.M)
        sizes = {name: float(size) * _KIB for name, size in found}
        total, available = sizes["MemTotal"], sizes["MemAvailable"]
        samples.add("node_memory_MemTotal_bytes", total)
        samples.add("node_memory_MemAvailable_bytes", available)
        samples.add("host_memory_percent", 100.0 * (1.0 - available / total))

    def _text(self, name: str) -> str:
        try:
            return (self.proc / name).read_text(encoding="ascii")
        except OSError as error:
            raise SourceError(f"{self.proc / name}: {error.strerror}") from None


def busy_share(before: Mapping[str, float], now: Mapping[str, float]) -> float | None:
    """Share of CPU time that was not idle between two readings; None where that cannot be told.

    Examples
    --------
    >>> busy_share({"user": 0.0, "idle": 0.0}, {"user": 25.0, "idle": 75.0})
    0.25
    """
    if before.keys() != now.keys():
        return None
    spent = {mode: now[mode] - before[mode] for mode in now}
    total = sum(spent.values())
    if total <= 0 or min(spent.values()) < 0:
        return None
    return 1.0 - (spent["idle"] + spent.get("iowait", 0.0)) / total

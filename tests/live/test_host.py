"""The real /proc of the machine that runs this, and made-up ones."""

import shutil
import time
from pathlib import Path

import pytest

from driftwatch.events.catalogue import resolve
from driftwatch.live.host import Host
from driftwatch.live.settings import Local
from driftwatch.live.source import SourceError


def read(host: Host, at: float = 1.0) -> dict[str, float]:
    (batch,) = host.read(at)
    return {key.name: value for key, value in zip(batch.keys, batch.value.tolist(), strict=True)}


def test_this_machine():
    host = Host(Local(labels={"node": "a"}))
    first = read(host)
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    second = read(host)
    assert "host_cpu_percent" not in first
    assert 0 < second["host_cpu_percent"] <= 100
    assert 0 < second["host_memory_percent"] < 100
    assert second["node_memory_MemAvailable_bytes"] < second["node_memory_MemTotal_bytes"]
    assert second["node_load1"] >= 0


def test_every_name_is_one_that_somebody_looks_at():
    host = Host(Local())
    host.read(1.0)
    time.sleep(0.1)
    (batch,) = host.read(2.0)
    assert [key.name for key in batch.keys if resolve(key.name, key.labels) is None] == []


@pytest.fixture
def proc(tmp_path) -> Path:
    for name in ("stat", "meminfo", "loadavg", "vmstat"):
        shutil.copy(f"/proc/{name}", tmp_path / name)
    (tmp_path / "stat").write_text("cpu  10 0 10 60 20 0 0 0 0 0\ncpu0 1 2 3\n")
    return tmp_path


def test_the_share_is_of_the_time_between_two_readings(proc):
    host = Host(Local(), proc)
    read(host)
    (proc / "stat").write_text("cpu  40 0 30 100 30 0 0 0 0 0\n")
    assert read(host)["host_cpu_percent"] == pytest.approx(50.0)
    (proc / "stat").write_text("cpu  39 0 40 100 30 0 0 0 0 0\n")  # Linux lets some counters go back
    assert "host_cpu_percent" not in read(host)


def test_a_kernel_without_a_count_of_kills(proc):
    (proc / "vmstat").write_text("nr_free_pages 1\n")
    assert "node_vmstat_oom_kill" not in read(Host(Local(), proc))
    (proc / "vmstat").write_text("oom_kill 3\n")
    assert read(Host(Local(), proc))["node_vmstat_oom_kill"] == 3.0


def test_no_proc_at_all(tmp_path):
    with pytest.raises(SourceError, match="stat: No such file"):
        Host(Local(), tmp_path).read(1.0)

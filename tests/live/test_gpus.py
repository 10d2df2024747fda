"""NVML by its real binding, with a driver library of the test's own: this machine need not have a GPU."""

import json
import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("pynvml")

from driftwatch.errors import DriftwatchError
from driftwatch.events.catalogue import resolve
from driftwatch.live.gpus import Gpus
from driftwatch.live.settings import Local

PROGRAM = """
import json
from driftwatch.live.gpus import Gpus
from driftwatch.live.settings import Local
gpus = Gpus(Local(labels={"node": "n"}))
[batch] = gpus.read(10.0)
gpus.close()
print(json.dumps([[k.name, dict(k.labels), k.kind, v] for k, v in zip(batch.keys, batch.value.tolist())]))
"""


@pytest.fixture(scope="module")
def rows(root, tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a driver library with")
    folder = tmp_path_factory.mktemp("nvml")
    library = [compiler, "-shared", "-fPIC", "-o", f"{folder}/libnvidia-ml.so.1", str(root / "tests/live/nvml.c")]
    subprocess.run(library, check=True)
    env = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of(rows, gpu: str) -> dict[str, float]:
    return {
        name: v for name, labels, _, v in rows if labels["gpu"] == gpu and not {"policy", "mig", "process"} & {*labels}
    }


def test_a_gpu_that_supports_everything(rows):
    assert of(rows, "GPU-a") == {
        "nvml_memory_used_bytes": 900.0, "nvml_memory_free_bytes": 100.0, "nvml_memory_total_bytes": 1000.0,
        "nvml_utilization_gpu_percent": 97.0, "nvml_utilization_memory_percent": 60.0,
        "nvml_clock_sm_mhz": 1410.0, "nvml_clock_memory_mhz": 1593.0, "nvml_clocks_event_reasons": 32.0,
        "nvml_temperature_celsius": 71.0, "nvml_power_usage_milliwatts": 412000.0,
        "nvml_ecc_errors_corrected": 5.0, "nvml_ecc_errors_uncorrected": 1.0, "nvml_row_remap_failure": 1.0,
    }  # fmt: skip
    assert all(labels["node"] == "n" for _, labels, _, _ in rows)


def test_what_a_gpu_does_not_support_is_left_out(rows):
    assert set(of(rows, "GPU-b")) == {"nvml_memory_used_bytes", "nvml_memory_free_bytes", "nvml_memory_total_bytes"}


def test_time_held_back_by_reason(rows):
    held = {labels["policy"]: (kind, v) for name, labels, kind, v in rows if name == "nvml_violation_time_ns"}
    assert held == {"power": ("counter", 1e9), "thermal": ("counter", 2e9)}


def test_memory_by_program_and_by_slice(rows):
    programs = [(labels["process"], v) for name, labels, _, v in rows if name == "nvml_process_memory_used_bytes"]
    assert programs == [(programs[0][0], 800.0)]
    assert programs[0][0].startswith("python")
    slices = {name: v for name, labels, _, v in rows if labels.get("mig") == "MIG-b1"}
    assert slices == {"nvml_mig_memory_used_bytes": 900.0, "nvml_mig_memory_total_bytes": 1002.0}


def test_the_catalogue_knows_the_names(rows):
    unknown = {name for name, *_ in rows if resolve(name) is None}
    assert unknown == {"nvml_mig_memory_total_bytes"}  # a ceiling, not a course


@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia"), reason="this machine has a driver")
def test_a_machine_without_a_driver_is_told_so():
    with pytest.raises(DriftwatchError, match="is the NVIDIA driver on this machine"):
        Gpus(Local())

"""Starts a real vLLM on one core of this machine, with driftwatch inside or without, and stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIDDLEWARE = "driftwatch.integrations.vllm.Middleware"
_STARTS_S = 180.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Parameters
    ----------
    url
        Its address.
    pid
        The process of its API server, which leads a session of its own.
    """

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU time of all its processes, in seconds: the API server's, the engine's and its workers'."""
        own = (_stat(Path(entry)) for entry in Path("/proc").glob("[0-9]*"))
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in own if fields and int(fields[3]) == self.pid)
        return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: Path) -> list[str]:
    """The fields of a process after its name; the fourth is its session."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it has just ended


@contextmanager
def serving(
    folder: Path, log: Path, *, port: int, blocks: int, core: int, config: Path | None = None
) -> Iterator[Server]:
    """Serve the small model of a testbed.

    Parameters
    ----------
    folder
        The testbed: ``venv`` with vLLM (and driftwatch, installed without dependencies), and ``model-tiny``.
    log
        Where the server's output goes.
    port, core
        Where it listens and runs; others on that core get what it leaves (which needs root).
    blocks
        Blocks of 128 tokens that its KV cache has.
    config
        The ``watch.toml`` for driftwatch; None leaves it out.
    """
    options = {
        "--served-model-name": "smollm2", "--dtype": "bfloat16", "--max-model-len": "2048", "--max-num-seqs": "64",
        "--num-gpu-blocks-override": str(blocks), "--host": "127.0.0.1", "--port": str(port),
    }  # fmt: skip
    command = [
        "nice",
        "-n",
        "-10",
        "taskset",
        "-c",
        str(core),
        str(folder / "venv/bin/vllm"),
        "serve",
        str(folder / "model-tiny"),
    ]
    command += [word for pair in options.items() for word in pair]
    command += ["--enforce-eager", "--no-enable-prefix-caching"]
    env = {
        **os.environ, "HF_HUB_OFFLINE": "1", "VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1",
        "PATH": f"{folder / 'venv/bin'}:{os.environ['PATH']}",
    }  # fmt: skip
    if config is not None:
        env["DRIFTWATCH_CONFIG"] = str(config)
        command += ["--middleware", MIDDLEWARE]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process)
            yield Server(url, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}; see its log")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(1.0)
    raise RuntimeError("the server did not start in time")

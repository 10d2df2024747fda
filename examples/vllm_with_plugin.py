"""vLLM with driftwatch inside: its stat logger and its middleware, joined request by request.

``python examples/vllm_with_plugin.py MODEL [VLLM OPTIONS]`` serves a model; without one it shows what it would do.
driftwatch must be installed where vLLM is: ``pip install "driftwatch-serving[prometheus]"``.
"""

import os
import sys
import tempfile
from pathlib import Path

SETTINGS = """
[[targets]]                     # vLLM's own page: KV cache, queue, preemptions
url = "http://127.0.0.1:8000/metrics"
every_s = 5

[host]                          # and /proc of this machine; on a GPU machine add [gpu]

[engine]
tenant_header = "x-tenant"      # who asks, if your gateway says so

[config.ticks]
lateness_s = 3                  # inside the process nothing comes late

[serve]                         # http://127.0.0.1:9469/metrics for Prometheus
"""
MIDDLEWARE = "driftwatch.integrations.vllm.Middleware"

if __name__ == "__main__":
    command = ["vllm", "serve", *(sys.argv[1:] or ["MODEL"]), "--middleware", MIDDLEWARE]
    if sys.argv[1:]:
        config = Path(tempfile.mkdtemp()) / "watch.toml"
        config.write_text(SETTINGS)
        os.execvpe(command[0], command, {**os.environ, "DRIFTWATCH_CONFIG": str(config)})
    print(f"DRIFTWATCH_CONFIG=watch.toml {' '.join(command)}\n\nwatch.toml:\n{SETTINGS}")

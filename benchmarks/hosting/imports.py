"""CPU time of importing, in fresh processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any

_CODE = "import time; a = time.process_time(); {}; print((time.process_time() - a) * 1e3)"
_BASE = "import numpy, pydantic"
CASES = {
    "numpy and pydantic": _BASE,
    "and driftwatch": f"{_BASE}, driftwatch",
    "and a model of pydantic's, without driftwatch": f"{_BASE}; type('M', (pydantic.BaseModel,), {{}})",
    "and a Monitor that was told of one request": f"{_BASE}, driftwatch; m = driftwatch.Monitor(); m.request(ttft=.1)",
}


def imports(rounds: int) -> list[dict[str, Any]]:
    """Milliseconds, the median over processes, cases interleaved; modules are compiled, as an installation has them."""
    took: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as compiled:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env = kept | {"PYTHONPYCACHEPREFIX": compiled}
        for number in range(-1, rounds):
            for name, code in CASES.items():
                command = [sys.executable, "-c", _CODE.format(code)]
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
                if number >= 0:  # the first round compiles
                    took[name].append(float(done.stdout))
    return [{"what": name, "cpu_ms": median(values)} for name, values in took.items()]

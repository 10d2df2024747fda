"""Where results were measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine(packages: Sequence[str], cores: int = 1) -> dict[str, Any]:
    """The machine and the versions of these packages, in words."""
    described = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in described if line.startswith("model name")]
    used = "one" if cores == 1 else str(cores)
    return {
        "cpu": f"{used} of {os.cpu_count()} cores of {names[0] if names else platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }

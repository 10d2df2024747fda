"""Two results are the same: structure exactly, numbers to 1e-9."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from driftwatch.incidents.models import Incident


def facts(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
    """Everything that is in the records."""
    return [incident.model_dump() for incident in incidents]


def assert_same(a: Any, b: Any, where: str = "") -> None:
    """Compare nested values."""
    if isinstance(a, dict):
        assert isinstance(b, dict), where
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), f"{where}: {len(a)} and {len(b)}"
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{k}]")
    elif isinstance(a, float) and isinstance(b, float):
        assert math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b)), f"{where}: {a}, {b}"
    else:
        assert a == b, f"{where}: {a!r} and {b!r}"

"""Watch what users of a language model feel, beside what its machine feels.

Examples
--------
>>> import driftwatch as dw
>>> dw.Config().ticks.width_s
5.0

Everything here is imported when it is first used, so that ``import driftwatch`` costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from driftwatch._version import __version__

if TYPE_CHECKING:
    from driftwatch.baseline import Baseline
    from driftwatch.config import Config
    from driftwatch.errors import ConfigError, DriftwatchError, InputError, MissingExtra, StateError
    from driftwatch.incidents.models import Cause, Finding, HealthCheck, Incident, Segment
    from driftwatch.monitor import Monitor
    from driftwatch.report import Report
    from driftwatch.scan import fit, scan

__all__ = [
    "Baseline",
    "Cause",
    "Config",
    "ConfigError",
    "DriftwatchError",
    "Finding",
    "HealthCheck",
    "Incident",
    "InputError",
    "MissingExtra",
    "Monitor",
    "Report",
    "Segment",
    "StateError",
    "__version__",
    "fit",
    "scan",
]

_HOME = {
    "baseline": ("Baseline",),
    "config": ("Config",),
    "errors": ("ConfigError", "DriftwatchError", "InputError", "MissingExtra", "StateError"),
    "incidents.models": ("Cause", "Finding", "HealthCheck", "Incident", "Segment"),
    "monitor": ("Monitor",),
    "report": ("Report",),
    "scan": ("fit", "scan"),
}


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOME.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'driftwatch' has no attribute {name!r}")
    value = getattr(import_module(f"driftwatch.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Face(ModuleType):
    """Keeps ``driftwatch.scan`` the function: importing the file of that name would put the module in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        hidden = name == "scan" and isinstance(value, ModuleType)
        super().__setattr__(name, getattr(value, name) if hidden else value)


sys.modules[__name__].__class__ = _Face

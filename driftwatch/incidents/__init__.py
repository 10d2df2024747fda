"""Evidence → incidents: one budget for all tests, grouping of what belongs together, a life from open to resolved.

The record of an incident is pydantic's, and loaded when there is one: a monitor that has none to tell does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from driftwatch.incidents.budget import log_loss_threshold, log_threshold
from driftwatch.incidents.life import Alarm, Life, join, opened

if TYPE_CHECKING:
    from driftwatch.incidents.models import Incident

__all__ = ["Alarm", "Incident", "Life", "join", "log_loss_threshold", "log_threshold", "opened"]


def __getattr__(name: str) -> Any:
    if name != "Incident":
        raise AttributeError(f"module 'driftwatch.incidents' has no attribute {name!r}")
    return import_module("driftwatch.incidents.models").Incident

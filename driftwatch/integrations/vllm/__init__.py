"""Inside vLLM: a stat logger and a middleware, which see the same requests from both ends.

Nothing here does anything unless the environment variable ``DRIFTWATCH_CONFIG`` names a ``watch.toml``::

    DRIFTWATCH_CONFIG=watch.toml vllm serve MODEL --middleware driftwatch.integrations.vllm.Middleware

vLLM finds the stat logger by itself, by its entry point.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from driftwatch.integrations.vllm.middleware import Middleware
from driftwatch.integrations.vllm.stats import Recorder

__all__ = ["Middleware", "Recorder", "StatLogger"]


def __getattr__(name: str) -> Any:
    """``StatLogger`` is made when vLLM asks for it: it must be of a class of vLLM's."""
    if name != "StatLogger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    base = import_module("vllm.v1.metrics.loggers").StatLoggerBase
    globals()[name] = type(name, (Recorder, base), {"__module__": __name__, "__doc__": Recorder.__doc__})
    return globals()[name]

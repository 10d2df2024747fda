"""What every integration keeps to: it hands facts to a monitor and never raises into the program that it visits."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("driftwatch")

failures: Counter[str] = Counter()
"""How often each function of an integration failed, by its name; the host never saw it."""


class Receiver(Protocol):
    """What an integration needs of a `driftwatch.Monitor`."""

    def request(self, **fields: Any) -> None:
        """One request, at its completion."""

    def started(self, **fields: Any) -> None:
        """One request, at its start."""

    def metric(self, name: str, value: float, *, labels: Mapping[str, str] | None = None, at: Any = None) -> None:
        """One sample of one series."""


class Nobody:
    """A receiver for where nothing is watched."""

    def request(self, **fields: Any) -> None:
        """Nothing."""

    def started(self, **fields: Any) -> None:
        """Nothing."""

    def metric(self, name: str, value: float, *, labels: Mapping[str, str] | None = None, at: Any = None) -> None:
        """Nothing."""


def quietly(function: Callable[P, T]) -> Callable[P, T | None]:
    """Make a function count its failures instead of raising them; the first of each is logged.

    Examples
    --------
    >>> @quietly
    ... def halve(n):
    ...     return n / 2
    >>> halve(4), halve("four")
    (2.0, None)
    """
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return function(*args, **kwargs)
        except Exception:
            failed(name)
            return None

    return call


def failed(name: str) -> None:
    """Count a failure; called where it is caught."""
    if not failures[name]:
        log.warning("driftwatch: %s failed; further failures are only counted", name, exc_info=True)
    failures[name] += 1

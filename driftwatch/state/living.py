"""Objects that are made from a configuration, and then filled with what was known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftwatch.errors import StateError


def keep(living: Any) -> dict[str, Any]:
    """What an object knows, by attribute: those that its class names in ``STATE``.

    An attribute that is such an object itself is kept the same way. A class with more to say has ``keep`` and ``take``
    of its own.

    Examples
    --------
    >>> class Counter:
    ...     STATE = ("seen",)
    ...     seen = 0
    >>> old, new = Counter(), Counter()
    >>> old.seen = 7
    >>> take(new, keep(old))
    >>> new.seen
    7
    """
    if hasattr(living, "keep"):
        return dict(living.keep())
    parts = {name: getattr(living, name) for name in living.STATE}
    return {name: keep(part) if is_living(part) else part for name, part in parts.items()}


def take(living: Any, state: Mapping[str, Any]) -> None:
    """Fill an object with what another one of its kind knew.

    Raises
    ------
    StateError
        If something is missing.
    """
    if hasattr(living, "take"):
        living.take(state)
        return
    for name in living.STATE:
        if name not in state:
            raise StateError(f"the saved state of the {type(living).__name__} lacks '{name}'")
        part = getattr(living, name)
        if is_living(part):
            take(part, state[name])
        else:
            setattr(living, name, state[name])


def is_living(value: object) -> bool:
    """Whether it is filled, and not made, from what was saved."""
    return hasattr(type(value), "STATE") or hasattr(type(value), "keep")

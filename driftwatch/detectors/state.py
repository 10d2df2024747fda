"""All that a detector knows as plain arrays: saved, and taken up elsewhere as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.detectors.protocol import Detector
from driftwatch.errors import StateError

Arrays = Mapping[str, NDArray[Any]]


def state_of(detector: Detector) -> dict[str, NDArray[Any]]:
    """All that a detector knows, by name; no pickle is needed to save it (``numpy.savez``).

    Examples
    --------
    >>> from driftwatch.detectors import ProportionDetector
    >>> old, new = (ProportionDetector(margin=np.array([0.01])) for _ in range(2))
    >>> _ = old.update(np.arange(9), np.ones((9, 1)), np.full((9, 1), 50.0))
    >>> old.learn(9)
    >>> take_state(new, state_of(old))
    >>> new.learnt[0].shape, bool(new.share[0] == old.share[0])
    ((9, 2), True)
    """
    return dict(_flat("", detector))


def take_state(detector: Detector, arrays: Arrays) -> None:
    """Go on where another one was; both must have been made alike.

    Raises
    ------
    StateError
        If something is missing.
    """
    try:
        _fill("", detector, arrays)
    except KeyError as error:
        raise StateError(
            f"the state of the {type(detector).__name__} lacks {error}: it was saved by another one"
        ) from None


def _flat(name: str, value: object) -> list[tuple[str, NDArray[Any]]]:
    if isinstance(value, np.ndarray | int | float):
        return [(name, np.asarray(value))]
    if isinstance(value, list):
        return [item for k, part in enumerate(value) for item in _flat(f"{name}.{k}", part)]
    parts = _parts(value)
    return [item for key, part in parts.items() for item in _flat(f"{name}.{key}" if name else key, part)]


def _fill(name: str, value: Any, arrays: Arrays) -> Any:
    """The same thing with what was saved."""
    if isinstance(value, np.ndarray):
        return arrays[name].copy()
    if isinstance(value, int | float):
        return type(value)(arrays[name])
    if isinstance(value, list):
        return [_fill(f"{name}.{k}", part, arrays) for k, part in enumerate(value)]
    filled = {key: _fill(f"{name}.{key}" if name else key, part, arrays) for key, part in _parts(value).items()}
    if is_dataclass(value):
        kind: Any = type(value)
        return kind(**filled)
    for key, part in filled.items():
        setattr(value, key, part)
    if hasattr(value, "restored"):
        value.restored()
    return value


def _parts(value: Any) -> dict[str, Any]:
    """What an object is made of, but for functions."""
    if hasattr(value, "parts"):
        return dict(value.parts())
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {key: part for key, part in vars(value).items() if not callable(part)}

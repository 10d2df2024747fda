"""Python values ↔ JSON and one block of bytes. Nothing is run to read it: a closed list of classes, no pickle."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

import numpy as np

from driftwatch.errors import StateError

Kind = TypeVar("Kind", bound=type[Any])
_KINDS: dict[str, type[Any]] = {}


def saved(kind: Kind) -> Kind:
    """Let the instances of a data class be part of a saved state, by the name of their class and of its fields.

    A field that has a default may be missing in what was saved: the default is taken then.
    """
    _KINDS[kind.__name__] = kind
    return kind


def pack(value: object) -> tuple[Any, bytes]:
    """Turn a value into JSON types, and the content of its arrays.

    Parameters
    ----------
    value
        Numbers, strings, arrays, containers of them, and instances of classes that are `saved`.

    Raises
    ------
    StateError
        If something else is in it.

    Examples
    --------
    >>> tree, data = pack({"seen": np.array([1, 2]), "last": (float("nan"), None)})
    >>> unpack(tree, data)
    {'seen': array([1, 2]), 'last': (nan, None)}
    """
    packer = _Packer()
    return packer.tree(value), b"".join(packer.blocks)


def unpack(tree: Any, data: bytes) -> Any:
    """The inverse of `pack`.

    Raises
    ------
    StateError
        If it is not what `pack` makes.
    """
    try:
        return _unpacked(tree, data)
    except StateError:
        raise
    except Exception as error:  # whatever a damaged tree makes fail
        raise StateError(f"the saved state is damaged ({type(error).__name__}: {error})") from error


class _Packer:
    """Collects the content of arrays on the way down."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.size = 0

    def tree(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        if isinstance(value, np.generic):
            return self.tree(value.item())
        if isinstance(value, list):
            return [self.tree(v) for v in value]
        for name, container in (("tuple", tuple), ("deque", deque), ("set", frozenset), ("mutable set", set)):
            if isinstance(value, container):
                return {name: [self.tree(v) for v in (sorted(value) if "set" in name else value)]}
        if isinstance(value, dict):
            return {"dict": [[self.tree(k), self.tree(v)] for k, v in value.items()]}
        return {type(value).__name__: self._fields(value)}

    def _array(self, array: Any) -> list[Any]:
        block = np.ascontiguousarray(array).tobytes()
        start, self.size = self.size, self.size + len(block)
        self.blocks.append(block)
        return [np.lib.format.dtype_to_descr(array.dtype), list(array.shape), start]

    def _fields(self, value: Any) -> dict[str, Any]:
        kind = _KINDS.get(type(value).__name__)
        if kind is not type(value):
            raise StateError(f"a {type(value).__name__} cannot be saved: its class is not marked as saved")
        return {field.name: self.tree(getattr(value, field.name)) for field in fields(kind)}


_CONTAINERS: dict[str, Any] = {"tuple": tuple, "deque": deque, "set": frozenset, "mutable set": set}


def _unpacked(tree: Any, data: bytes) -> Any:
    if isinstance(tree, list):
        return [_unpacked(part, data) for part in tree]
    if not isinstance(tree, dict):
        return tree
    ((name, content),) = tree.items()
    if name == "float":
        return float(content)
    if name == "array":
        return _array(data, *content)
    if name == "dict":
        return {_unpacked(k, data): _unpacked(v, data) for k, v in content}
    if name in _CONTAINERS:
        return _CONTAINERS[name](_unpacked(part, data) for part in content)
    if name not in _KINDS:
        raise StateError(f"the saved state holds a {name}, which is not known here: a newer version wrote it")
    return _made(_KINDS[name], {field: _unpacked(part, data) for field, part in content.items()})


def _array(data: bytes, described: Any, shape: list[int], start: int) -> Any:
    kind = np.lib.format.descr_to_dtype(_tuples(described))
    return np.frombuffer(data, kind, math.prod(shape), start).reshape(shape).copy()


def _tuples(described: Any) -> Any:
    """A description of structured rows, whose tuples JSON made lists."""
    if isinstance(described, str):
        return described
    return [(name, _tuples(kind), *map(tuple, shape)) for name, kind, *shape in described]


def _made(kind: type[Any], values: dict[str, Any]) -> Any:
    """An instance with these fields, however it is made otherwise."""
    made = object.__new__(kind)
    for field in fields(kind):
        object.__setattr__(made, field.name, values[field.name] if field.name in values else _default(field))
    return made


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    raise StateError(f"the saved state lacks '{field.name}'")

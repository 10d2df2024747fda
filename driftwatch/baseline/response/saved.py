"""What was learnt of answers as plain arrays: saved without pickle, and taken up elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.response.direction import LATELY, Direction
from driftwatch.baseline.response.evaluated import Evaluated
from driftwatch.baseline.response.model import ResponseModel
from driftwatch.baseline.response.stream import ResponseBaseline
from driftwatch.embedding.repeats import Repeats
from driftwatch.events.texts import Answers
from driftwatch.ticks.answered import KEYS, Answered, no_answers

Arrays = Mapping[str, NDArray[Any]]
_Kind = TypeVar("_Kind")
_HELD = ("known", "recent")


def arrays_of(baseline: ResponseBaseline) -> dict[str, NDArray[Any]]:
    """All that a stream's answers taught, by name; empty where nothing is judged yet (learning begins again then)."""
    if baseline.model is None:
        return {}
    found = _flat("model", baseline.model)
    if baseline.evaluated is not None:
        found |= _flat("evaluated", baseline.evaluated)
    found |= {f"usual.{name}": np.array(pair) for name, pair in baseline.usual.items()}
    for name, direction in baseline.directions.items():
        found |= {f"direction.{name}.{key}": value for key, value in direction.arrays().items()}
    found |= {f"duplicates.{key}": value for key, value in baseline.duplicates.arrays().items()}
    found |= _flat("repeats", baseline.repeats)
    for name in _HELD:
        found |= _answered(name, getattr(baseline, name))
    return found | {"counts": np.array([baseline.fitted, baseline.learnt])}


def take_arrays(baseline: ResponseBaseline, arrays: Arrays) -> None:
    """The inverse of `arrays_of`.

    Raises
    ------
    KeyError
        If something is missing.
    """
    baseline.model = _built(ResponseModel, "model", arrays)
    baseline.evaluated = Evaluated(arrays["evaluated.coefficients"]) if "evaluated.coefficients" in arrays else None
    baseline.usual = {name: (float(arrays[f"usual.{name}"][0]), float(arrays[f"usual.{name}"][1])) for name in _SIDES}
    baseline.directions = {name: Direction.of_arrays(_part(f"direction.{name}", arrays)) for name in LATELY}
    baseline.duplicates.restore(_part("duplicates", arrays))
    heard, same = (int(arrays[f"repeats.{name}"]) for name in ("heard", "same"))
    baseline.repeats = Repeats(arrays["repeats.keys"].astype(np.uint64), heard, same)
    baseline.repeating = baseline.repeats.mostly
    for name in _HELD:
        setattr(baseline, name, _answered_of(_part(name, arrays)))
    baseline.fitted, baseline.learnt = (int(count) for count in arrays["counts"])


_SIDES = ("answer", "prompt")


def _flat(name: str, value: object) -> dict[str, NDArray[Any]]:
    if not is_dataclass(value):
        return {name: np.asarray(value)}
    parts = (_flat(f"{name}.{field.name}", getattr(value, field.name)) for field in fields(value))
    return {key: array for part in parts for key, array in part.items()}


def _built(kind: type[_Kind], name: str, arrays: Arrays) -> _Kind:
    """A dataclass of arrays and numbers from what `_flat` made of one."""
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # only dataclasses come here
        hint, key = hints[field.name], f"{name}.{field.name}"
        if is_dataclass(hint):
            found[field.name] = _built(hint, key, arrays)  # type: ignore[arg-type]  # the class, not an instance
        else:
            found[field.name] = float(arrays[key]) if hint is float else arrays[key]
    return kind(**found)


def _answered(name: str, answered: Answered) -> dict[str, NDArray[Any]]:
    found = {f"{name}.{key}": getattr(answered, key) for key in KEYS}
    said = {} if answered.said is None else answered.said.arrays()
    return found | {f"{name}.said.{key}": value for key, value in said.items()}


def _answered_of(arrays: Arrays) -> Answered:
    if not len(arrays["tick"]):
        return no_answers()
    said = _part("said", arrays)
    columns: dict[str, Any] = {key: arrays[key] for key in KEYS}
    return Answered(**columns, said=Answers(**said) if said else None)


def _part(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(f"{name}."): value for key, value in arrays.items() if key.startswith(f"{name}.")}

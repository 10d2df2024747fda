"""What is held in memory, by owner: arrays and compressed columns that can be reached from an object."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from driftwatch.engine import Engine

_HEADER = 128  # bytes that an array takes beside its content
_PLAIN = (str, int, float, bool, type, type(None))
OWNERS = {
    "detector.memory": "detectors: the newest two hours",
    "detector.inner": "detectors: the slow time scale",
    "detector.healthy": "detectors: what was learnt",
    "detector.past": "detectors: what was learnt",
    "detector": "detectors: what waits, and the rest",
    "baseline.pending": "baseline: what waits",
    "baseline": "baseline: models",
    "watch.allowed": "what users alone may do",
    "watch.text": "texts",
    "history.segments": "history: segments",
    "history": "history: signals and flows",
    "telemetry": "silences and requests that hang",
    "": "the rest",
}
"""By a part of the path, the first that fits, what it is for."""
_SHARED = ("config", "settings")  # one for all streams


def held(root: object) -> Counter[str]:
    """Bytes by path of attributes; items of containers go by the path of the container.

    Examples
    --------
    >>> class Stream:
    ...     def __init__(self):
    ...         self.seen = {"ttft": np.zeros(100), "itl": np.zeros(50)}
    >>> held(Stream())["seen"] > 1200
    True
    """
    found: Counter[str] = Counter()
    met: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, one = waiting.pop()
        one = _owner(one)
        if isinstance(one, _PLAIN) or id(one) in met:
            continue
        met.add(id(one))
        found[path] += one.nbytes + _HEADER if isinstance(one, np.ndarray) else sys.getsizeof(one)
        waiting += _parts(path, one)
    return found


def of_streams(engine: Engine, streams: int = 10) -> dict[str, float]:
    """Bytes of a stream by what they are for, mean of the first so many."""
    found: Counter[str] = Counter(dict.fromkeys(OWNERS.values(), 0))
    watches = list(engine.watches.values())[:streams]
    for watch in watches:
        telemetry = [every[watch.title] for every in (engine.telemetry.silences, engine.telemetry.hanging)]
        stream = SimpleNamespace(watch=watch, history=engine.histories[watch.title], telemetry=telemetry)
        for path, size in held(stream).items():
            found[next(owner for part, owner in OWNERS.items() if part in path)] += size
    return {owner: size / max(len(watches), 1) for owner, size in found.items()}


def _owner(one: Any) -> Any:
    """Whose memory an array looks at."""
    while isinstance(one, np.ndarray) and isinstance(one.base, np.ndarray):
        one = one.base
    return one


def _parts(path: str, one: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(one, np.ndarray | bytes):
        return
    if isinstance(one, dict):
        yield from ((path, value) for value in one.values())
    elif isinstance(one, list | tuple | deque | set | frozenset):
        yield from ((path, value) for value in one)
    else:
        names = [*getattr(one, "__dict__", ()), *(n for kind in type(one).__mro__ for n in _slots(kind))]
        values = ((name, getattr(one, name, None)) for name in names if name not in _SHARED)
        yield from ((f"{path}.{name}".lstrip("."), value) for name, value in values if not callable(value))


def _slots(kind: type[Any]) -> tuple[str, ...]:
    slots = getattr(kind, "__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)

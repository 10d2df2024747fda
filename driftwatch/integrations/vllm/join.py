"""One request seen twice, by the engine and by the edge, told once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

_WAIT_S = 2.0  # less than ticks.lateness_s: what is told after that must not be late
_MOST = 10_000

Row = dict[str, Any]


class Join:
    """Joins by the id that vLLM gives a request and puts into its answer; nothing is told twice.

    The engine is done with a request before its last byte has left, so what it says waits for the edge; where that
    never comes (another route, or no middleware), it is told alone.

    Parameters
    ----------
    tell
        Takes each joined request.
    wait_s
        How long the engine's word waits, in seconds.
    clock
        Seconds of a clock that does not jump.

    Attributes
    ----------
    late
        Edges that came when the engine's word had been told alone: they are counted, and not told.

    Examples
    --------
    >>> join = Join(lambda row: print(sorted(row.items())))
    >>> join.expect_edge()
    >>> join.engine("r1", {"queue_time": 0.1, "output_tokens": 4})
    >>> join.edge("r1", {"ttft": 0.5, "output_tokens": 3})
    [('output_tokens', 4), ('queue_time', 0.1), ('ttft', 0.5)]
    """

    def __init__(
        self, tell: Callable[[Row], None], wait_s: float = _WAIT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell, self._wait_s, self._clock = tell, wait_s, clock
        self._lock = Lock()
        self._waiting: OrderedDict[str, tuple[float, Row]] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._edge, self.late = False, 0

    def expect_edge(self) -> None:
        """There is a middleware: wait for it."""
        self._edge = True

    def engine(self, request_id: str | None, facts: Row) -> None:
        """What the engine says when a request is finished; a request for several answers comes several times."""
        if request_id is None or not self._edge:
            self._tell(facts)
            return
        with self._lock:
            if request_id in self._told:
                return  # its edge was first, which is rare
            since, known = self._waiting.pop(request_id, (self._clock(), {}))
            self._waiting[request_id] = (since, _together(known, facts))
        self.expire()

    def edge(self, request_id: str | None, row: Row) -> None:
        """What the middleware saw of it; its times are those that the user felt."""
        with self._lock:
            if request_id in self._told:
                self.late += 1
                return
            _, facts = self._waiting.pop(request_id or "", (0.0, {}))
            if request_id is not None:
                self._remember(request_id)
        counts = {name: facts[name] for name in ("prompt_tokens", "output_tokens", "cached_tokens") if name in facts}
        self._tell(facts | row | counts)

    def expire(self) -> None:
        """Tell what has waited too long, or would be too much."""
        until = self._clock() - self._wait_s
        while True:
            with self._lock:
                oldest = next(iter(self._waiting.values()), None)
                if oldest is None or (oldest[0] > until and len(self._waiting) <= _MOST):
                    return
                request_id, (_, facts) = self._waiting.popitem(last=False)
                self._remember(request_id)
            self._tell(facts)

    def _remember(self, request_id: str) -> None:
        self._told[request_id] = None
        if len(self._told) > _MOST:
            self._told.popitem(last=False)


def _together(known: Mapping[str, Any], facts: Row) -> Row:
    """Several answers to one request: tokens add up, and of times the longest counts."""
    joined = dict(facts)
    for name, value in known.items():
        if name == "output_tokens":
            joined[name] = value + facts.get(name, 0)
        elif isinstance(value, float) and isinstance(facts.get(name), float):
            joined[name] = max(value, facts[name])
    return joined

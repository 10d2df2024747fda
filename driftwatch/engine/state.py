"""All that an engine knows: to go on elsewhere as if nothing had happened, or after a pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftwatch.engine.engine import Engine
from driftwatch.errors import StateError
from driftwatch.state import keep, take

_PLAIN = ("markers", "lives", "next_tick", "busy", "samples")
_PARTS = ("builder", "reader", "series", "telemetry", "measured", "muted")


def engine_state(engine: Engine) -> dict[str, Any]:
    """All that is known, as `driftwatch.state.pack` takes it."""
    kept = {name: getattr(engine, name) for name in _PLAIN}
    parts = {name: keep(getattr(engine, name)) for name in _PARTS}
    watches = {number: keep(watch) for number, watch in engine.watches.items()}
    histories = {title: keep(history) for title, history in engine.histories.items()}
    return kept | parts | {"watches": watches, "histories": histories, "from_requests": engine.from_requests}


def take_engine_state(engine: Engine, state: Mapping[str, Any]) -> None:
    """Let a new engine go on from what another one of the same configuration knew.

    Raises
    ------
    StateError
        If something is missing.
    """
    if state.get("from_requests", engine.from_requests) != engine.from_requests:
        raise StateError("the saved state was made of requests, and this is to watch histograms, or the reverse")
    try:
        for name in _PLAIN:
            setattr(engine, name, state[name])
        for name in _PARTS:
            take(getattr(engine, name), state[name])
        for number, known in state["watches"].items():
            take(engine.watch(number), known)
        for title, known in state["histories"].items():
            take(engine.histories[title], known)
    except KeyError as error:
        raise StateError(f"the saved state lacks {error}") from error


def pass_over(engine: Engine, until: float) -> None:
    """Go on at a later time: nobody listened until then, and nothing follows from the silence.

    Requests that were in flight, or that had not been judged yet, are let go.

    Parameters
    ----------
    until
        Seconds since the epoch; the past is left alone.
    """
    tick = int(until // engine.config.ticks.width_s)
    if engine.next_tick is None:
        engine.builder.pass_over(tick - 1)
        return
    pause = tick - engine.next_tick
    if pause <= 0:
        return
    engine.builder.pass_over(tick - 1)
    engine.telemetry.pass_over(tick, pause)
    for watch in engine.watches.values():
        watch.baseline.pass_over(pause)
    engine.next_tick = tick

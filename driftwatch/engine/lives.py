"""What becomes of alarms: incidents are opened, joined, looked at again, and over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftwatch.events.signals import BY_NAME
from driftwatch.incidents import Alarm, Life, join, opened
from driftwatch.incidents.watch import DOUBT, EPOCH

if TYPE_CHECKING:
    from driftwatch.engine.engine import Engine
    from driftwatch.incidents import Incident


def tell(engine: Engine, alarms: list[Alarm], last: int) -> list[Incident]:
    """What alarms, in order of time, and looks that were planned bring up to this tick."""
    found: list[Incident] = []
    for alarm in alarms:
        found += _updates(engine, alarm.tick - 1)
        life = join(engine.lives, alarm, engine.ticks(engine.config.incidents.together_s))
        enough = engine.by_title(alarm.stream).enough(alarm.test, engine.threshold)
        if life is not None and life.heard(alarm, enough):
            continue
        if life is None:
            life = opened(alarm)
            engine.lives.append(life)
        else:
            life.take(alarm)
        _companions(engine, life, alarm.tick)
        found.append(engine.record(life, alarm.tick))
    return found + _updates(engine, last)


def _updates(engine: Engine, last: int) -> list[Incident]:
    """Looks that were planned up to this tick."""
    found = []
    for life in engine.lives:
        while life.resolved is None and life.next_update <= last:
            tick = life.next_update
            life.schedule(tick)
            _companions(engine, life, tick)
            found.append(engine.record(life, tick))
    return found


def _companions(engine: Engine, life: Life, tick: int) -> None:
    """Signals of its streams that moved too, with less evidence than an alarm of their own needs."""
    for watch in engine.watches.values():
        if not any(stream == watch.title for stream, _ in life.alarms):
            continue
        for name in watch.hot:
            if watch.evidence(name, tick) < DOUBT:
                continue
            alarm = watch.look(name, tick)
            if alarm is not None and alarm.shift.onset >= life.earliest - EPOCH:
                life.alarms.setdefault((alarm.stream, alarm.signal), alarm)


def recovered(engine: Engine, life: Life, last: int) -> int:
    """For how many ticks all of its signals have been back; 0 if not."""
    same = [a for a in life.alarms.values() if BY_NAME[a.signal].workload == (life.kind == "workload")]
    if last - life.opened < engine.quiet:
        return 0  # the window would reach back to before the change
    quiet = [engine.by_title(alarm.stream).recovered(alarm, engine.quiet, last) for alarm in same]
    return max(quiet) if all(quiet) else 0


def spoilt(engine: Engine, stream: str, last: int) -> tuple[int, int] | None:
    """Ticks of a stream that belong to an incident and are not learnt as healthy (a new workload is)."""
    spans = [
        (life.earliest, life.recovered if life.recovered is not None else last)
        for life in engine.lives
        if any(title == stream and not BY_NAME[signal].workload for title, signal in life.alarms)
    ] + engine.telemetry.spans(stream, last)
    spans += engine.by_title(stream).spans()
    recent = [s for s in spans if s[1] >= last - engine.by_title(stream).guard - EPOCH]
    return (min(s[0] for s in recent), max(s[1] for s in recent)) if recent else None

"""Incidents of kind telemetry: traffic that vanished, requests that hang, metrics that went stale.

What is lost at about the same time is one story: an engine that dies takes its traffic and its metrics along, and a
collector that restarts takes everything.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from driftwatch.config import Config
from driftwatch.events.columns import Metrics
from driftwatch.incidents.hanging import Hanging
from driftwatch.incidents.life import FIRST_UPDATE, Alarm
from driftwatch.incidents.silence import Silence
from driftwatch.incidents.staleness import Stale, Staleness
from driftwatch.state import saved
from driftwatch.ticks import Ticks

if TYPE_CHECKING:
    from driftwatch.incidents.models import Status

What = Literal["traffic", "requests", "series"]
DOUBTFUL = math.log(20.0)
"""Nats from which a silence is told by its own test, and no longer as a change of the request rate."""


@saved
@dataclass(slots=True)
class Gone:
    """One thing that stopped.

    Parameters
    ----------
    what
        ``traffic``, ``requests`` (that hang) or ``series``.
    source
        The stream's title, or the labels of the exporter.
    onset, ended
        The first tick in which it was missing, and that in which it came back.
    missing, of
        Requests that did not end of those that began, or metrics that stopped of those of the source.
    rate, longest
        Requests per tick before; ticks of the longest usual silence, duration or time between samples.
    evidence
        Nats; 0 for what is a rule.
    vague
        Ticks after the onset in which it may as well have stopped, unseen, 19 times in 20.
    names, back
        The metrics that stopped, and those of them that came back.
    """

    what: What
    source: str
    onset: int
    ended: int | None = None
    missing: int = 0
    of: int = 0
    rate: float = 0.0
    longest: float = 0.0
    evidence: float = 0.0
    names: tuple[str, ...] = ()
    back: frozenset[str] = frozenset()
    vague: int = 1


@saved
@dataclass(slots=True)
class Outage:
    """A telemetry incident while it is alive; the record (`Incident`) is made from it."""

    id: str
    stream: str
    onset: int
    opened: int
    gone: list[Gone] = field(default_factory=list)
    status: Status = "open"
    seq: int = 0
    next_update: int = 0
    resolved: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def recovered(self) -> int | None:
        """When the last of it came back."""
        return None if self.resolved is None else max(gone.ended or self.onset for gone in self.gone)

    def schedule(self, tick: int) -> None:
        """Plan the next look: after twice as long."""
        while self.next_update <= tick:
            self.next_update = self.opened + 2 * (self.next_update - self.opened)


class Telemetry:
    """What is heard of each stream and each source of metrics, and the incidents that silence makes.

    Parameters
    ----------
    config
        Settings.
    threshold
        ln A of the false-alarm budget; each of the tests takes a share as large as a signal's.
    """

    STATE = ("silences", "hanging", "staleness", "outages", "found")

    def __init__(self, config: Config, threshold: float) -> None:
        self.threshold, self.width = threshold, config.ticks.width_s
        self.together = round(config.incidents.together_s / self.width)
        self.silences: dict[str, Silence] = {}
        self.hanging: dict[str, Hanging] = {}
        self.staleness = Staleness(self.width)
        self.outages: list[Outage] = []
        self.found: list[tuple[int, Gone]] = []

    def add(self, metrics: Metrics) -> None:
        """Take samples of metrics."""
        self.staleness.add(metrics)

    def watch(self, stream: str, ticks: Ticks, first: int, last: int, *, judge: bool) -> None:
        """Take the ticks of one stream from ``first`` to ``last``; ``judge`` is False while it is being learnt."""
        silence = self.silences.setdefault(stream, Silence(self.threshold))
        hanging = self.hanging.setdefault(stream, Hanging(self.threshold))
        done = np.bincount(ticks.tick - first, ticks.requests, last - first + 1).astype(np.int64)
        opened = silence.update(done, first, judge=judge)
        if opened is not None and silence.lost is not None:
            self.found.append((opened, self._vanished(stream, silence)))
        opened = hanging.update(ticks, last, judge=judge)
        if opened is not None and hanging.lost is not None:
            self.found.append((opened, self._hung(stream, hanging)))

    def _vanished(self, stream: str, silence: Silence) -> Gone:
        assert silence.lost is not None
        vague = math.ceil(DOUBTFUL / silence.hazard)
        return Gone("traffic", stream, silence.lost, rate=silence.rate, longest=silence.longest, vague=vague)

    def _hung(self, stream: str, hanging: Hanging) -> Gone:
        assert hanging.lost is not None
        count, of = hanging.opened_with
        usual = hanging.usual
        return Gone("requests", stream, hanging.lost, None, count, of, longest=usual, evidence=hanging.evidence)

    def tell(self, last: int) -> Iterator[tuple[Outage, int]]:
        """Outages that open or grow, and looks that were planned, up to this tick and in order."""
        found, self.found = sorted(self.found, key=lambda f: (f[0], f[1].what != "traffic", f[1].source)), []
        for tick in sorted({tick for tick, _ in found}):
            yield from self._planned(tick - 1)
            yield from ((outage, tick) for outage in self._opened(tick, [gone for t, gone in found if t == tick]))
        yield from self._planned(last)

    def _opened(self, tick: int, found: list[Gone]) -> list[Outage]:
        touched: list[Outage] = []
        for gone in found:
            outage = self._home(gone) or self._new(gone, tick)
            same = next((g for g in outage.gone if _same(g, gone)), None)
            if same is not None:
                same.names = tuple(sorted({*same.names, *gone.names}))
                same.missing, same.back = len(same.names), same.back - set(gone.names)
            else:
                outage.gone.append(gone)
            touched += [outage] if outage not in touched else []
        return touched

    def _new(self, gone: Gone, tick: int) -> Outage:
        digest = hashlib.sha256(f"{gone.source}|telemetry|{gone.onset}".encode()).hexdigest()[:12]
        outage = Outage(f"dw-{digest}", gone.source, gone.onset, tick, next_update=tick + FIRST_UPDATE)
        self.outages.append(outage)
        return outage

    def _home(self, gone: Gone) -> Outage | None:
        """The open outage that a loss belongs to: of the same source, or begun at about the same time."""
        alive = [outage for outage in self.outages if outage.resolved is None]
        own = [o for o in alive if any(g.source == gone.source and g.ended is None for g in o.gone)]
        near = [o for o in alive if any(abs(g.onset - gone.onset) <= self.together for g in o.gone)]
        return next(iter(near or own), None)

    def _planned(self, last: int) -> Iterator[tuple[Outage, int]]:
        due = [o for o in self.outages if o.resolved is None]
        while due := [o for o in due if o.next_update <= last]:
            outage = min(due, key=lambda o: o.next_update)
            tick = outage.next_update
            outage.schedule(tick)
            yield outage, tick

    def boundary(self, last: int, quiet: int) -> Iterator[tuple[Outage, int]]:
        """Between epochs: what went stale, what came back, and what healthy silences teach."""
        stale, returned = self.staleness.advance(last)
        if stale:
            yield from ((outage, last) for outage in self._opened(last, [_gone(s, self.width) for s in stale]))
        for outage in [o for o in self.outages if o.resolved is None]:
            for gone in [g for g in outage.gone if g.ended is None]:
                self._look(gone, returned, last, quiet)
            if all(gone.ended is not None for gone in outage.gone) and last - outage.opened >= quiet:
                outage.resolved, outage.status = last, "resolved"
                yield outage, last
        self._hear_again(quiet)
        for silence, hanging in zip(self.silences.values(), self.hanging.values(), strict=True):
            silence.learn()
            hanging.learn()

    def _hear_again(self, quiet: int) -> None:
        """Watch again what came back after its loss was accepted."""
        told = {(g.what, g.source) for o in self.outages if o.resolved is None for g in o.gone if g.ended is None}
        for title, silence in self.silences.items():
            if silence.lost is not None and ("traffic", title) not in told:
                back = silence.back(quiet)
                if back is not None:
                    silence.resume(back)
            hanging = self.hanging[title]
            if ("requests", title) not in told and hanging.back() is not None:
                hanging.resume()

    def accept(self, outage: Outage, tick: int) -> None:
        """What is lost is not expected any more; when it comes back it is watched again."""
        for gone in outage.gone:
            if gone.ended is None:
                gone.evidence, gone.ended = self.evidence(gone, tick), tick

    def pass_over(self, tick: int, pause: int) -> None:
        """Go on at a later tick: nobody listened for so many ticks."""
        for silence in self.silences.values():
            silence.pass_over(tick)
        for hanging in self.hanging.values():
            hanging.pass_over()
        self.staleness.pass_over(pause)

    def _look(self, gone: Gone, returned: list[tuple[str, str]], last: int, quiet: int) -> None:
        if gone.what == "series":
            gone.back |= {name for source, name in returned if source == gone.source}
            gone.ended = None if set(gone.names) - gone.back else last
        elif gone.what == "traffic":
            silence = self.silences[gone.source]
            gone.ended = silence.back(quiet)
            if gone.ended is not None:
                gone.evidence = silence.evidence(gone.ended - gone.onset)
                silence.resume(gone.ended)
        else:
            hanging = self.hanging[gone.source]
            gone.missing, gone.of, gone.ended = max(hanging.count - hanging.late, 0), hanging.of, hanging.back()
            if gone.ended is not None:
                hanging.resume()

    def holds(self, alarm: Alarm) -> bool:
        """Whether an alarm only says that the request rate fell, of a stream that is silent: that is told here."""
        if alarm.signal != "traffic" or alarm.shift.size > 0:
            return False
        silence = self.silences.get(alarm.stream)
        spans = self.spans(alarm.stream, alarm.tick)
        return any(a <= alarm.tick and alarm.shift.onset <= b for a, b in spans) or (
            silence is not None and silence.doubtful(alarm.tick, DOUBTFUL)
        )

    def spans(self, stream: str, last: int) -> list[tuple[int, int]]:
        """Ticks of a stream that are not healthy because nothing, or not all, was heard of it."""
        return [
            (gone.onset, last if gone.ended is None else gone.ended)
            for outage in self.outages
            for gone in outage.gone
            if gone.source == stream and outage.opened <= last
        ]

    def evidence(self, gone: Gone, tick: int) -> float:
        """Nats that speak for this loss at a tick."""
        if gone.what != "traffic" or gone.ended is not None:
            return gone.evidence
        return self.silences[gone.source].evidence(tick - gone.onset + 1)

    def alive(self, outage: Outage, tick: int) -> tuple[bool | None, bool | None]:
        """Whether other streams went on meanwhile, and whether metrics did; None where there are none, or none due."""
        names = {gone.source for gone in outage.gone if gone.what == "traffic"}
        end = min([tick, *(gone.ended - 1 for gone in outage.gone if gone.ended is not None)])
        others = any(s.busy(outage.onset, end) for title, s in self.silences.items() if title not in names)
        return others if len(self.silences) > 1 else None, self.staleness.heard(
            outage.onset + round(30.0 / self.width), end
        )

    def forget(self, before: int) -> None:
        """Forget outages that were over before this tick."""
        self.outages = [o for o in self.outages if o.resolved is None or o.resolved >= before]


def _same(a: Gone, b: Gone) -> bool:
    return a.what == b.what == "series" and a.source == b.source and a.ended is None


def _gone(stale: Stale, width: float) -> Gone:
    return Gone(
        "series",
        stale.source,
        stale.onset,
        None,
        len(stale.names),
        stale.of,
        longest=stale.every / width,
        names=stale.names,
    )

"""An incident's life: opened by an alarm, joined by what belongs to it, updated as evidence comes, resolved."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftwatch.config import Config
from driftwatch.detectors import Shift
from driftwatch.events.signals import BY_NAME, Signal
from driftwatch.state import saved

if TYPE_CHECKING:
    from driftwatch.incidents.models import Kind, Severity, Status

_RANK: dict[Kind, int] = {"degradation": 4, "change": 3, "improvement": 2, "workload": 1, "telemetry": 0}
FIRST_UPDATE = 12
"""Ticks after opening at which an incident is looked at again; then after twice as long, and so on."""


@saved
@dataclass(frozen=True, slots=True)
class Alarm:
    """One test of one stream that reached its threshold.

    Parameters
    ----------
    stream
        The stream's title.
    signal
        The signal's name.
    tick
        When the evidence sufficed.
    shift
        What moved, as seen then.
    test
        Name of the test: that of the signal, or another on the slow time scale.
    effective
        How many independent ticks its test had learnt from.
    """

    stream: str
    signal: str
    tick: int
    shift: Shift
    test: str
    effective: float = math.inf


@saved
@dataclass(slots=True)
class Life:
    """An incident while it is alive; the record (`Incident`) is made from it.

    Parameters
    ----------
    id
        Deterministic: from stream, kind and onset tick.
    stream, kind
        Where it was first seen, and what it is.
    opened
        Tick at which the evidence sufficed.
    lead
        The alarm that speaks loudest for it: causes are looked for in this signal.
    alarms
        All of its alarms, by (stream, signal).
    """

    id: str
    stream: str
    kind: Kind
    opened: int
    lead: Alarm
    alarms: dict[tuple[str, str], Alarm]
    status: Status = "open"
    seq: int = 0
    next_update: int = field(init=False)
    resolved: int | None = None
    recovered: int | None = None

    def __post_init__(self) -> None:
        self.next_update = self.opened + FIRST_UPDATE

    @property
    def onset(self) -> int:
        """Tick of the onset: that of the leading signal."""
        return self.lead.shift.onset

    @property
    def earliest(self) -> int:
        """The earliest tick that may belong to it: nothing from here on is learnt as healthy."""
        return min(alarm.shift.onset_low for alarm in self.alarms.values())

    def schedule(self, tick: int) -> None:
        """Plan the next look: after twice as long."""
        while self.next_update <= tick:
            self.next_update = self.opened + 2 * (self.next_update - self.opened)

    def heard(self, alarm: Alarm, threshold: float) -> bool:
        """Whether this test's alarm is in already, not only shown beside another's, and has nothing to add.

        One of a worse kind has: it may have been shown before it had lasted.
        """
        known = self.alarms.get((alarm.stream, alarm.signal))
        if known is None or known.shift.log_e < threshold or _widens(alarm, self.lead):
            return False
        return _RANK[kind_of(BY_NAME[alarm.signal], alarm.shift.size)] <= _RANK[self.kind]

    def take(self, alarm: Alarm) -> None:
        """Take an alarm that belongs here (stories rarely change).

        One of a worse kind leads from then on; where the slowest requests lead, so does one that says that all of them
        got slower at that time.
        """
        self.alarms[(alarm.stream, alarm.signal)] = alarm
        kind = kind_of(BY_NAME[alarm.signal], alarm.shift.size)
        if _RANK[kind] > _RANK[self.kind]:
            self.kind, self.lead = kind, alarm
        elif (alarm.stream, alarm.signal) == (self.lead.stream, self.lead.signal) or (
            kind == self.kind and _widens(alarm, self.lead)
        ):
            self.lead = alarm


def _widens(alarm: Alarm, lead: Alarm) -> bool:
    """Whether an alarm says of all requests what the leading one says of the slowest."""
    tells_of_all = BY_NAME[lead.signal].tail_of and BY_NAME[alarm.signal].shape == "duration"
    return bool(tells_of_all) and alarm.stream == lead.stream and alarm.shift.onset_low <= lead.shift.onset_high


def kind_of(signal: Signal, size: float) -> Kind:
    """What a move of this signal means for users.

    Examples
    --------
    >>> kind_of(BY_NAME["ttft"], 0.5), kind_of(BY_NAME["ttft"], -0.5), kind_of(BY_NAME["output_length"], -0.5)
    ('degradation', 'improvement', 'change')
    """
    if signal.workload:
        return "workload"
    if signal.good == "unknown":
        return "change"
    return "improvement" if (size < 0) == (signal.good == "low") else "degradation"


def severity_of(kind: Kind, change: float, share: bool, config: Config) -> Severity:
    """How loud to be: only a degradation is more than information.

    Parameters
    ----------
    change
        Relative change, or difference of a share.
    share
        Whether the signal is a share: a fifth of the answers then counts as critical.
    """
    if kind != "degradation":
        return "warning" if kind in ("change", "telemetry") else "info"
    critical = 0.2 if share else config.incidents.critical_change
    return "critical" if abs(change) >= critical else "warning"


def opened(alarm: Alarm) -> Life:
    """Begin a new incident."""
    kind = kind_of(BY_NAME[alarm.signal], alarm.shift.size)
    name = f"{alarm.stream}|{kind}|{alarm.shift.onset}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return Life(f"dw-{digest}", alarm.stream, kind, alarm.tick, alarm, {(alarm.stream, alarm.signal): alarm})


def join(lives: Iterable[Life], alarm: Alarm, together: int) -> Life | None:
    """The open incident that an alarm belongs to.

    In the same stream: any that is open. In another: one whose onset is near, for one engine's trouble shows in all of
    its streams.

    Parameters
    ----------
    together
        Onsets closer than this many ticks belong together.
    """
    alive = [life for life in lives if life.resolved is None]
    for life in alive:
        if any(stream == alarm.stream for stream, _ in life.alarms):
            return life
    near = [life for life in alive if abs(life.onset - alarm.shift.onset) <= together]
    return min(near, key=lambda life: abs(life.onset - alarm.shift.onset), default=None)

"""Who is told what, and when: by severity, stream and kind, and not at night unless it matters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import get_args

from driftwatch.incidents.models import Incident, Kind, Severity

_SEVERITIES: tuple[str, ...] = get_args(Severity)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which only what is severe enough is sent; the rest waits for their end.

    Parameters
    ----------
    start, end
        By the clock of ``zone``; a start after the end spans midnight.
    through
        The least severity that is sent meanwhile.
    """

    start: time
    end: time
    zone: tzinfo = UTC
    through: Severity = "critical"

    def until(self, at: datetime) -> datetime | None:
        """When the quiet hours that ``at`` lies in end; None outside of them.

        Examples
        --------
        >>> night = Quiet(time(22), time(7))
        >>> night.until(datetime(2026, 11, 27, 23, 30, tzinfo=UTC)).isoformat()
        '2026-11-28T07:00:00+00:00'
        >>> night.until(datetime(2026, 11, 27, 12, tzinfo=UTC))
        """
        here = at.astimezone(self.zone)
        clock = here.time()
        over = self.start > self.end
        inside = (clock >= self.start or clock < self.end) if over else self.start <= clock < self.end
        if not inside:
            return None
        day = here.date() + timedelta(days=1) if over and clock >= self.start else here.date()
        return datetime.combine(day, self.end, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Route:
    """What one sink is told.

    Parameters
    ----------
    severity
        The least severity.
    streams
        If any: only these streams; ``*`` stands for anything.
    kinds
        If any: only these kinds.
    quiet
        Quiet hours, if any.
    group_s
        Wait this long, in seconds, so that incidents that open together become one message.
    """

    severity: Severity = "info"
    streams: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    quiet: Quiet | None = None
    group_s: float = 0.0

    def takes(self, incident: Incident) -> bool:
        """Whether this sink is to hear of an incident."""
        return (
            _rank(incident.severity) >= _rank(self.severity)
            and (not self.kinds or incident.kind in self.kinds)
            and (not self.streams or any(fnmatchcase(incident.stream, pattern) for pattern in self.streams))
        )

    def due(self, incident: Incident, now: float) -> float:
        """When it may be told, in seconds since the epoch."""
        ready = now + self.group_s
        if self.quiet is None or _rank(incident.severity) >= _rank(self.quiet.through):
            return ready
        until = self.quiet.until(datetime.fromtimestamp(now, UTC))
        return ready if until is None else max(ready, until.timestamp())


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity)

"""Where events go: an engine in this process, or a collector that several workers hand theirs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from driftwatch.events.columns import Batch
from driftwatch.monitor.parcel import Parcel
from driftwatch.monitor.stats import CollectorStats, StreamStats

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

Fed = Batch | Parcel
"""What a place takes: columns of events, or what a worker made of them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to tell of the events so far, as of the newest tick; never changed, so that it may be read freely.

    Parameters
    ----------
    incidents
        Those that are open, and those of late, by opening time.
    streams
        How each stream is doing.
    judged_until
        The end of the newest judged tick, in seconds since the epoch.
    threshold
        log10 of the e-value at which an alarm is raised.
    late, duplicates
        Requests that were left out.
    told
        Incidents that were opened, by ``(kind, severity)``.
    refused
        In a collector: parcels that were left out, by reason.
    collector
        In a worker: how the handing over goes.
    """

    incidents: tuple[Incident, ...] = ()
    streams: tuple[StreamStats, ...] = ()
    judged_until: float | None = None
    threshold: float = 0.0
    late: int = 0
    duplicates: int = 0
    told: Mapping[tuple[str, str], int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    collector: CollectorStats | None = None


class Place(Protocol):
    """What takes events, and says what follows from them."""

    def add(self, batch: Fed) -> None:
        """Take events."""
        ...

    def advance(self, now: float | None) -> list[Incident]:
        """Do what has become due; returns transitions, in order.

        Parameters
        ----------
        now
            Seconds since the epoch; None where time passes only as events come in.
        """
        ...

    def finish(self) -> list[Incident]:
        """Nothing more will come: do what is left."""
        ...

    def leave(self, timeout: float) -> None:
        """Hand on what is left, if it is for others: the process ends."""
        ...

    def known(self) -> Known:
        """What there is to tell."""
        ...

    def say(self, what: str, id: str) -> Incident:
        """``acknowledge`` or ``accept`` an incident.

        Raises
        ------
        InputError
            If no such incident is open.
        """
        ...

    def pass_over(self, until: float) -> None:
        """Go on at a later time: nobody listened until then."""
        ...

    def keep(self) -> dict[str, Any]:
        """All that it knows."""
        ...

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        ...

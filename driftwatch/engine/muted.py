"""Maintenance: what begins while it lasts is not told, unless it is still there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from driftwatch.config import Config
from driftwatch.events.columns import Markers
from driftwatch.state import saved

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

MAINTENANCE = "maintenance"
"""Kind of a marker that announces one: its label ``until`` says how long, the others for which streams."""


@saved
@dataclass(frozen=True, slots=True)
class Window:
    """Some time in which nobody is to be paged.

    Parameters
    ----------
    start, end
        Seconds since the epoch.
    where
        Labels of the streams that it is for: all of them, if there are none.
    """

    start: float
    end: float
    where: Mapping[str, str]

    def covers(self, labels: Mapping[str, str], at: float) -> bool:
        """Whether a stream is under maintenance at a time."""
        return self.start <= at < self.end and self.where.items() <= labels.items()


class Muted:
    """Windows of maintenance, and the incidents that are not told because of them.

    They live on all the same: nothing of what happens meanwhile is learnt as healthy, and nothing that was learnt is
    forgotten.

    Parameters
    ----------
    config
        ``incidents.maintenance`` has windows that are known before.
    """

    STATE = ("windows", "ids")

    def __init__(self, config: Config) -> None:
        self.width, self.lateness = config.ticks.width_s, config.ticks.lateness_s
        self.windows = [
            Window(w.start.timestamp(), w.end.timestamp(), dict(w.where)) for w in config.incidents.maintenance
        ]
        self.ids: dict[str, str] = {}

    def add(self, markers: Markers) -> None:
        """Take the windows that markers announce; one without an end that can be read is none."""
        for at, kind, labels in zip(markers.at.tolist(), markers.kind, markers.labels, strict=True):
            end = _time(labels.get("until", ""))
            if kind == MAINTENANCE and end is not None and end > at:
                self.windows.append(Window(at, end, {k: v for k, v in labels.items() if k != "until"}))

    def told(self, found: list[Incident], labels: Callable[[str], Mapping[str, str]]) -> Iterator[Incident]:
        """What is to be told of some transitions.

        Parameters
        ----------
        found
            In order of time.
        labels
            The labels of a stream, by its title.
        """
        for incident in found:
            covered = self._covered(labels(incident.stream), incident.updated_at.timestamp() - self.lateness)
            if incident.seq == 1 and covered:
                self.ids[incident.id] = incident.stream
            elif incident.id not in self.ids:
                yield incident
            elif incident.status == "resolved":
                del self.ids[incident.id]
            elif not covered:
                del self.ids[incident.id]
                yield incident.model_copy(update={"transition": "open"})

    def over(self, id: str, resolved: int | None, tick: int) -> bool:
        """Whether an incident was not told, is still there, and the maintenance is over."""
        at = (tick + 1) * self.width
        return resolved is None and id in self.ids and not self._covered(labels_in(self.ids[id]), at)

    def _covered(self, labels: Mapping[str, str], at: float) -> bool:
        return any(window.covers(labels, at) for window in self.windows)


def labels_in(title: str) -> dict[str, str]:
    """The labels that a title shows.

    Examples
    --------
    >>> labels_in("model=m,route=chat")
    {'model': 'm', 'route': 'chat'}
    """
    pairs = (part.partition("=") for part in title.split(","))
    return {name: value for name, equals, value in pairs if equals}


def _time(written: str) -> float | None:
    """Seconds since the epoch, or ISO 8601."""
    try:
        return float(written)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment.astimezone().timestamp() if moment.tzinfo else None

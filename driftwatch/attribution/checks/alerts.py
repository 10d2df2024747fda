"""Alerts of a Prometheus server (``ALERTS``) as health checks: those that fired, or were about to, in an incident."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from driftwatch.config import Health
from driftwatch.incidents.models import HealthCheck, Layer
from driftwatch.ticks.series import SeriesId, SeriesStore

NAME = "ALERTS"
GUARD_S = 60.0
"""What began this shortly before the onset, which is an estimate, counts as begun with it."""


def alerts_of(
    store: SeriesStore, health: Health, first_tick: int, onset_tick: int, last_tick: int
) -> tuple[HealthCheck, ...]:
    """Every alert that fired or was pending since the onset, by name.

    An alert that is neither has no series, so that a quiet one cannot be told from one that does not exist.

    Parameters
    ----------
    store
        The series; ticks after ``last_tick`` are not looked at.
    health
        Which alerts belong to the serving layer, and which say nothing.
    first_tick, onset_tick, last_tick
        Before the incident is ``[first, onset)``, during it is ``[onset, last]``.

    Examples
    --------
    >>> from driftwatch.events.columns import Metrics, SeriesKey
    >>> key = SeriesKey("ALERTS", (("alertname", "NodeDown"), ("alertstate", "firing"), ("severity", "page")))
    >>> store = SeriesStore(5.0, 100)
    >>> store.add(Metrics(5.0 * np.arange(20, 30), np.zeros(10, np.int32), np.ones(10), (key,)))
    >>> for check in alerts_of(store, Health(), 0, 18, 29):
    ...     print(check.name, check.state, check.newly, check.layer, check.source)
    NodeDown firing True infrastructure your Prometheus server, severity page
    """
    named: dict[str, list[SeriesId]] = {}
    for series in store.ids("alert"):
        name = dict(series.labels).get("alertname", "")
        if name and not _any(health.ignored_alerts, name):
            named.setdefault(name, []).append(series)
    told = (_check(store, name, named[name], health, first_tick, onset_tick, last_tick) for name in sorted(named))
    return tuple(check for check in told if check is not None)


def _check(
    store: SeriesStore, name: str, series: list[SeriesId], health: Health, first: int, onset: int, last: int
) -> HealthCheck | None:
    firing, pending = (_present(store, series, state, first, last) for state in ("firing", "pending"))
    before = onset - first
    if not (firing[before:].any() or pending[before:].any()):
        return None
    guard = max(before - round(GUARD_S / store.width_s), 0)
    severity = next((dict(s.labels)["severity"] for s in series if "severity" in dict(s.labels)), "")
    fires = bool(firing[before:].any())
    marks = [f"severity {severity}"] if severity else []
    return HealthCheck(
        name=name,
        layer=_layer(health, name),
        state="firing" if fires else "green",
        newly=fires and not firing[:guard].any(),
        worst=1.0 if fires else 0.0,
        threshold=1.0,
        comparison=">=",
        source=", ".join(["your Prometheus server", *marks, *([] if fires else ["pending"])]),
        series=NAME,
    )


def _present(store: SeriesStore, series: list[SeriesId], state: str, first: int, last: int) -> NDArray[np.bool_]:
    """In which ticks any of these was in a state; it is held for as long as a sample is."""
    found = np.zeros(last - first + 1, np.bool_)
    for one in series:
        if dict(one.labels).get("alertstate") == state:
            found |= store.values(one, first, last, until=last) > 0
    return found


def _layer(health: Health, name: str) -> Layer:
    return "serving" if _any(health.serving_alerts, name) else "infrastructure"


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)

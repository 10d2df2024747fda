"""The live demo in plain lines: a change of state, a check that fires, an incident; and every ten minutes how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from driftwatch.demo.view import Gauge, View
from driftwatch.explain import headline, tell
from driftwatch.incidents import Incident

_EVERY_S = 600.0
_SHORT = ("since", "green", "cause")


def printed(views: Iterable[View], say: Callable[[str], None]) -> Iterator[View]:
    """Say what is worth a line, and hand each view on.

    Parameters
    ----------
    views
        In order of time.
    say
        Prints a line.
    """
    before = None
    for view in views:
        for line in told(view, before):
            say(f"{datetime.fromtimestamp(view.moment.now, UTC):%H:%M:%S}  {line}")
        before = view
        yield view


def told(view: View, before: View | None) -> list[str]:
    """What has changed since the view before; None at the beginning."""
    lines, moment = [], view.moment
    ready = view.progress >= 1
    if before is None or ready != (before.progress >= 1):
        lines.append("watching: enough was learnt" if ready else "learning what is healthy")
    if before is not None and view.firing != before.firing:
        lines.append(f"health checks: {', '.join(view.firing) or 'none'} firing, {view.green} green")
    if before is not None and _period(view) != _period(before):
        lines.append(vitals(view))
    return lines + [line for incident in moment.news for line in transition(incident)]


def _period(view: View) -> int:
    return int((view.moment.now - view.moment.start) // _EVERY_S)


def vitals(view: View) -> str:
    """How it is, on one line."""
    felt, machine = ("; ".join(map(_said, gauges)) for gauges in (view.felt[:2], view.machine[:3]))
    return f"{felt} | {machine} | {view.green} checks green"


def transition(incident: Incident) -> list[str]:
    """What has become of an incident: all in short where it opens, a line where it ends, nothing in between."""
    if incident.transition == "open":
        head = f"INCIDENT {incident.id} ({incident.kind}, {incident.severity}): {headline(incident)}"
        return [head, *(f"    {sentence}" for sentence in short(incident))]
    return [f"resolved {incident.id}: {headline(incident)}"] if incident.transition == "resolve" else []


def short(incident: Incident) -> list[str]:
    """Since when, what stayed green, and what is likely behind it: the first sentence of each."""
    sections = {section.key: section for section in tell(incident).sections}
    return [f"{sections[key].title}: {sections[key].sentences[0]}" for key in _SHORT if key in sections]


def _said(gauge: Gauge) -> str:
    against = "" if gauge.against is None else f" (x{gauge.against:.2f} of expected)"
    return f"{gauge.title} {gauge.now}{against}"

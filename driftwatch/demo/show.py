"""The live demo from end to end: watch what was simulated, and only then look at what was true."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable

from driftwatch.demo.lines import printed
from driftwatch.demo.live import paced, play
from driftwatch.demo.verdict import verdict
from driftwatch.demo.view import views
from driftwatch.simulate import Recorded
from driftwatch.simulate.summary import felt


def watch(recorded: Recorded, speed: float, say: Callable[[str], None]) -> None:
    """Watch a simulated deployment on a screen (in lines where there is no terminal), then tell what was found.

    Parameters
    ----------
    recorded
        What was simulated. Its truth is not looked at before the end.
    speed
        Simulated seconds in a second; 0 for as fast as possible.
    say
        Prints a line.
    """
    seen = views(paced(play(recorded.requests, recorded.metrics, recorded.markers), speed))
    if sys.stdout.isatty():
        from driftwatch.demo.screen import shown  # rich is not imported where nobody looks

        seen = shown(seen, _title(recorded))
    else:
        seen = printed(seen, say)
    incidents = deque(seen, maxlen=1)[0].moment.incidents
    for incident in incidents:
        say("\n" + incident.explain("text").rstrip("\n"))
    truth = recorded.truth
    say("\n" + "\n".join(verdict(truth, felt(truth), incidents)))


def _title(recorded: Recorded) -> str:
    case = recorded.case
    return f"{case.scenario.name}, {case.severity}, seed {case.seed}"

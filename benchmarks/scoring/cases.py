"""What is run: every scenario and control, with seeds that were never looked at while anything was built."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from driftwatch.simulate import CONTROLS, SCENARIOS

TELEMETRY = (1, 2, 3, 4, 5, 6, 16, 18, 19, 20, 21, 22, 23)
"""Numbers of the scenarios that are asked for: fixed before the first run, never changed after it.

What is broken in these is a time, a token count, or a series of an engine, a GPU or a host. In the others (7 to 15 and
17) it is the text of the answers: times stay as they were or nearly so, and what else there is to see (more aborted
requests in 9, more answers cut at the limit in 13) is a side effect. They are run and shown, and not asked for.
"""
SEVERITIES = ("mild", "moderate", "severe")
SCORED = "moderate"
MINUTES = 60.0
"""Length of each recording; a fault begins after about half of it."""
ORDER = (*SCENARIOS, *CONTROLS)
FIRST_SEED = {"development": 0, "score": 4000}
"""Development uses the seeds 0 to 999, the score those from 4000 on (some from 1000 to 3031 were seen)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One simulated recording.

    Parameters
    ----------
    name
        Of the scenario or control.
    severity
        A control has none, and counts as moderate.
    seed
        Of everything random.
    """

    name: str
    severity: str
    seed: int


def cases(which: str, seeds: int, others: int, controls: int, only: Collection[str] = ()) -> Iterator[Case]:
    """All cases, a seed of everything before the next one, so that a run that is cut short is a balanced one.

    Parameters
    ----------
    which
        ``development`` or ``score``.
    seeds, others
        Seeds of each scenario at the severity that is scored, and at each of the others.
    controls
        Seeds of each control: more, because false incidents are rare and must be counted all the same.
    only
        Names of scenarios and controls; none for all.
    """
    plan = [(name, SCORED, seeds if s.number in TELEMETRY else others) for name, s in SCENARIOS.items()]
    plan += [(name, SCORED, controls) for name in CONTROLS]
    plan += [(name, severity, others) for severity in SEVERITIES if severity != SCORED for name in SCENARIOS]
    first = FIRST_SEED[which]
    for seed in range(max(seeds, others, controls)):
        yield from (Case(name, s, first + seed) for name, s, n in plan if seed < n and (not only or name in only))

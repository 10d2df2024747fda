"""From the name of a scenario to what a deployment would have left behind."""

from __future__ import annotations

from collections.abc import Collection

from driftwatch.simulate.answers import Answers
from driftwatch.simulate.case import case
from driftwatch.simulate.recording import Recorded
from driftwatch.simulate.shapes import Shape


def simulate(
    scenario: str,
    severity: str = "moderate",
    seed: int = 0,
    *,
    shape: Shape | None = None,
    minutes: float = 60.0,
    scrape_s: float = 15.0,
    confounders: Collection[str] = (),
    answers: Answers | None = None,
) -> Recorded:
    """Simulate a deployment in which something breaks, or a control in which nothing does.

    Parameters
    ----------
    scenario
        A key of `SCENARIOS` or `CONTROLS`.
    severity
        ``mild``, ``moderate`` or ``severe``: the median of the affected signal moves by 10, 25 or 100%, or 2, 5 or
        20% of the answers are spoilt. The size of the fault is sought until users feel that.
    seed
        Of all draws: the same seed, the same recording.
    shape
        ``step``, ``ramp`` or ``flapping``; as the scenario has it unless given.
    minutes
        How long; the fault begins after half of it and stays.
    scrape_s
        Time between scrapes of the metrics, in seconds.
    confounders
        What else goes on: keys of `CONFOUNDERS`.
    answers
        Real answers, if the requests shall have text.

    Raises
    ------
    InputError
        If there is no such scenario, severity, shape or confounder, or the time is too short.

    Examples
    --------
    >>> recorded = simulate("kv_hog", seed=3, minutes=12)
    >>> recorded.truth["causes"][0], len(recorded.requests) > 1000
    ('kv_cache_usage', True)
    """
    drawn = case(scenario, severity, seed, shape=shape, minutes=minutes, confounders=confounders, answers=answers)
    run = drawn.run(drawn.size)
    return Recorded(drawn, run, drawn.run(0.0) if drawn.size else run, scrape_s)

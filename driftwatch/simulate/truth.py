"""What is true about a simulation: when, who, why, and how much of it, by a rerun without the fault."""

from __future__ import annotations

from typing import Any

import numpy as np

from driftwatch.simulate.case import Case
from driftwatch.simulate.pods import pod_names
from driftwatch.simulate.service import Run
from driftwatch.simulate.severity import effect, felt


def truth_of(case: Case, run: Run, healthy: Run, spoilt: np.ndarray) -> dict[str, Any]:
    """The truth as a plain mapping, as it is written beside a recording.

    Parameters
    ----------
    case
        What was simulated.
    run, healthy
        What happened, and the rerun of the same seed without the fault.
    spoilt
        Shape (n,): whose answers went wrong.
    """
    scenario, course = case.scenario, case.course
    breaks = scenario.number > 0
    inside = case.reached(run)
    return {
        "scenario": scenario.name,
        "number": scenario.number,
        "title": scenario.title,
        "source": scenario.source,
        "control": not breaks,
        "severity": case.severity if scenario.size is None else None,
        "seed": case.seed,
        "shape": course.shape,
        "started_at": case.start,
        "ended_at": case.end,
        "onset_at": course.onset if breaks or case.size else None,
        "until": course.until if breaks or case.size else None,
        "signal": scenario.signal,
        "size": case.size,
        "effect": {
            "relative": None if scenario.signal == "answers" else _rounded(effect_of(case, run, healthy)),
            "spoilt_share": _rounded(float(spoilt[inside].mean())) if inside.any() else 0.0,
        },
        "share": _rounded(share_of(case, run, healthy)) if breaks else None,
        "who": {name: _named(case, name, value) for name, value in scenario.who.items()},
        "kinds": list(scenario.kinds),
        "causes": list(scenario.causes),
        "measured": scenario.measured,
        "chain": list(scenario.chain),
        "silent": True,
        "telemetry": scenario.telemetry,
    }


def effect_of(case: Case, run: Run, healthy: Run) -> float:
    """By how much the median of the affected signal moved while the fault was there, against the rerun."""
    return effect(case.scenario.signal, run, healthy, case.reached)


def share_of(case: Case, run: Run, healthy: Run) -> float | None:
    """Which share of what users felt is due to the fault: against the rerun, of what moved against the time before.

    The rest is due to whatever else went on. None where there is no excess to share out.
    """
    signal = case.scenario.signal
    if signal == "answers":
        return None
    before = np.log(felt(signal, run, run.traffic.at < case.course.onset)).mean()
    with_it, without = (np.log(felt(signal, r, case.reached(r))).mean() for r in (run, healthy))
    excess = with_it - before
    return float(np.clip((with_it - without) / excess, 0.0, 1.0)) if abs(excess) > 0.01 else None


def _named(case: Case, label: str, value: str) -> str:
    """The value of a label as rows and series have it."""
    return pod_names(case, int(value))[-1][1] if label == "replica" else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

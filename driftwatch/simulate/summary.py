"""What was simulated, in a few lines: for the commands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

from driftwatch.simulate.controls import CONTROLS
from driftwatch.simulate.recording import Recorded
from driftwatch.simulate.scenario import Scenario
from driftwatch.simulate.scenarios import SCENARIOS

SIGNALS: dict[str, str] = {
    "ttft": "time to first token",
    "itl": "inter-token latency",
    "latency": "end-to-end latency",
    "output_length": "output length",
    "answers": "answers",
}
"""What users feel, as people say it."""


def catalogue() -> str:
    """All scenarios and controls, one a line, with what is felt.

    Examples
    --------
    >>> print(catalogue().splitlines()[1])
      preemption_cliff       time to first token  fewer KV blocks than yesterday
    """
    width = max(map(len, SCENARIOS | CONTROLS))

    def lines(scenarios: Mapping[str, Scenario]) -> str:
        return "".join(f"  {name:<{width}}  {touched(one):<20} {one.title}\n" for name, one in scenarios.items())

    return f"Scenarios, and what users feel:\n{lines(SCENARIOS)}\nControls:\n{lines(CONTROLS)}"


def touched(scenario: Scenario) -> str:
    """What users feel of a scenario; of most controls it is nothing that lasts, or what they themselves do."""
    if "degradation" in scenario.kinds:
        return SIGNALS[scenario.signal]
    return "their own workload" if "workload" in scenario.kinds else "nothing that lasts"


def felt(truth: Mapping[str, Any]) -> str:
    """How much users felt, from the truth.

    Examples
    --------
    >>> felt({"signal": "ttft", "who": {}, "effect": {"relative": 0.26, "spoilt_share": 0.0}})
    'median time to first token +26% against the same seed without it'
    >>> felt({"signal": "answers", "who": {"adapter": "legal"}, "effect": {"relative": None, "spoilt_share": 0.2}})
    '20.0% of the answers spoilt, of adapter=legal'
    """
    moved, spoilt = truth["effect"]["relative"], truth["effect"]["spoilt_share"]
    parts = [] if moved is None else [f"{_moved(truth['signal'], moved)} against the same seed without it"]
    parts += [f"{spoilt:.1%} of the answers spoilt"] if 0 < spoilt < 1 or not parts else []
    who = ", ".join(f"{label}={value}" for label, value in truth["who"].items())
    return " and ".join(parts) + (f", of {who}" if who else "")


def summary(recorded: Recorded, folder: Path) -> str:
    """What was simulated, what users feel, where the files are, and how to scan them."""
    case, truth = recorded.case, recorded.truth
    severity = f", {truth['severity']}" if truth["severity"] else ""
    minutes = (case.end - case.start) / 60
    lines = [
        f"Simulated {case.scenario.name}{severity}, seed {case.seed}: {case.scenario.title}",
        f"  {minutes:g} minutes, {len(recorded.requests):,} requests, {len(recorded.series):,} series",
        f"  {_began(truth)}",
        f"  users feel: {felt(truth)}",
        *_unseen(recorded),
        f"Written: {', '.join(sorted(path.name for path in folder.iterdir()))} in {folder}",
        f"Scan it: driftwatch scan {quote(str(folder))}",
    ]
    return "\n".join(lines)


def _moved(signal: str, by: float) -> str:
    """Shorter answers count as more: what is said is by how much they are shorter."""
    by = 1 / (1 + by) - 1 if signal == "output_length" else by
    return f"median {SIGNALS[signal]} {by:+.0%}"


def _began(truth: Mapping[str, Any]) -> str:
    if truth["onset_at"] is None:
        return "nothing happens"
    return f"from {datetime.fromtimestamp(truth['onset_at'], UTC):%Y-%m-%d %H:%M:%S} UTC on ({truth['shape']})"


def _unseen(recorded: Recorded) -> list[str]:
    if recorded.case.scenario.telemetry or recorded.case.answers is not None:
        return []
    return ["  only the text of answers shows it, and none was written (--text writes it)"]

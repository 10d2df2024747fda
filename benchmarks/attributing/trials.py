"""What is tried: incidents of every cause, beside others whose cause nobody measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from driftwatch.simulate import SCENARIOS

MEASURED = (
    *("preemption_cliff", "kv_hog", "reprefill_loop", "acceptance_collapse", "acceptance_decay"),
    *("prefix_miss", "host_memory_leak", "throttled_gpu"),
)
"""Scenarios of times and tokens whose cause is among the series; fixed before the first run."""
UNMEASURED = ("vram_overcommit", "retraction_hysteresis")
"""Those whose cause is not: whatever is claimed of them is wrong, but for the chain that leads to the signal."""
OTHERS = ("diurnal", "mix", "deploy")
"""What else goes on: each in every other incident, in turn."""
SCRAPES_S = (5.0, 15.0, 30.0)
ERRORS_S = (0.0, -60.0, 60.0, 120.0)
"""By how much the onset is wrong; the first is none."""
FIRST_SEED = {"development": 500, "score": 10000}
"""Development uses the seeds 500 to 999, the score those from 10000 on (some from 5000 to 9022 were seen)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One simulated incident.

    Parameters
    ----------
    name, severity, seed
        Of the simulation.
    withheld
        Whether the series of its cause, and of the chain from it to the signal, are left out: a hidden cause.
    scrape_s
        Time between scrapes, in seconds.
    confounders
        What else goes on.
    """

    name: str
    severity: str
    seed: int
    withheld: bool
    scrape_s: float
    confounders: tuple[str, ...]

    @property
    def measured(self) -> bool:
        """Whether a right cause is among the candidates."""
        return self.name in MEASURED and not self.withheld

    @classmethod
    def of(cls, row: dict[str, Any]) -> Trial:
        """From what a log kept of it."""
        known = {name: row[name] for name in ("name", "severity", "seed", "withheld", "scrape_s")}
        return cls(**known, confounders=tuple(row["confounders"]))

    def row(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self) | {"confounders": list(self.confounders)}


def trials(which: str, rounds: int) -> Iterator[Trial]:
    """Rounds of every scenario: two of each whose cause is measured, one without its cause, one of the unmeasured.

    Examples
    --------
    >>> a_round = list(trials("development", 1))
    >>> len(a_round), sum(trial.measured for trial in a_round)
    (26, 16)
    """
    for k in range(rounds):
        seed, scrape = FIRST_SEED[which] + 3 * k, SCRAPES_S[k % 3]
        beside = tuple(name for i, name in enumerate(OTHERS) if (k >> i) & 1)
        severe = ("moderate", "severe")[k % 2]
        for name in MEASURED:
            yield Trial(name, "moderate", seed, False, scrape, beside)
            yield Trial(name, "severe", seed + 1, False, scrape, beside)
            yield Trial(name, severe, seed + 2, True, scrape, beside)
        for name in UNMEASURED:
            yield Trial(name, severe, seed, False, scrape, beside)


assert set(MEASURED) | set(UNMEASURED) <= set(SCENARIOS)

"""What is asked of the score, and whether it is so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scoring.totals import ASKED, HEALTHY, rate

Row = dict[str, Any]
DETECTED, RIGHT, FALSE_CLAIMS, FALSE_INCIDENTS = 0.95, 0.90, 0.05, 1.0
LEAST_CASES = 400


def targets(rows: Sequence[Row]) -> Iterator[tuple[str, str, str, str]]:
    """Asked, found with its 95% interval, and a verdict, for each target whose row there is."""
    total = {row["title"]: row for row in rows if row["total"]}
    if ASKED in total:
        row = total[ASKED]
        yield _share("detected", row["detected"], DETECTED, at_least=True)
        yield _share("first cause right, where a cause is measured", row["right"], RIGHT, at_least=True)
        yield _share("first cause right, of those that are claimed", row["right_of_claims"], RIGHT, at_least=True)
        yield _enough(_share("cases with a false cause claim", row["false_any"], FALSE_CLAIMS, at_least=False), row)
    if HEALTHY in total:
        yield _rate("false incidents on controls in 30 days", total[HEALTHY]["false"])
    yield _rate("the same, and before the onset of any fault", _everywhere(total.values()))


def _everywhere(totals: Iterable[Row]) -> Row | None:
    found = [row["false"] for row in totals if row["false"]]
    return rate((each["k"], each["hours"]) for each in found)


def _share(what: str, found: Row | None, asked: float, *, at_least: bool) -> tuple[str, str, str, str]:
    wanted = f"{'≥' if at_least else '≤'} {asked:.0%}"
    if found is None:
        return what, wanted, "–", "nothing to count"
    met = found["share"] >= asked if at_least else found["share"] <= asked
    seen = f"{found['share']:.1%} ({found['low']:.1%}–{found['high']:.1%}; {found['k']} of {found['n']})"
    return what, wanted, seen, "met" if met else "**missed**"


def _enough(line: tuple[str, str, str, str], row: Row) -> tuple[str, str, str, str]:
    what, wanted, seen, verdict = line
    few = row["cases"] < LEAST_CASES
    return what, f"{wanted} of at least {LEAST_CASES}", seen, f"{verdict}, but too few cases" if few else verdict


def _rate(what: str, found: Row | None) -> tuple[str, str, str, str]:
    if found is None:
        return what, f"≤ {FALSE_INCIDENTS:g}", "–", "nothing to count"
    days = found["hours"] / 24.0
    seen = f"{found['rate']:.2g} ({found['low']:.2g}–{found['high']:.2g}; {found['k']} in {days:.1f} days)"
    met = "met" if found["rate"] <= FALSE_INCIDENTS else "**missed**"
    unsure = found["low"] <= FALSE_INCIDENTS < found["high"]
    return what, f"≤ {FALSE_INCIDENTS:g}", seen, f"{met}, within what chance allows" if unsure else met

"""Verdicts added up: one row for each scenario and control, and totals, with exact intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from intervals import binomial_interval, poisson_interval

from scoring.cases import ORDER, SCORED, SEVERITIES

Row = dict[str, Any]
MONTH_H = 720.0
_OF_FAULTS = ("detected", "delay", "onset_error")  # of single controls these can be said, of all of them not
ASKED, OTHERS, HEALTHY = "all that touch telemetry", "all others", "all controls"


def table(verdicts: Sequence[Row]) -> list[Row]:
    """At the severity that is scored: scenarios by number, controls, totals."""
    scored = [v for v in verdicts if v["severity"] == SCORED]
    rows = [summed(group, group[0]["title"]) for group in _groups(scored)]
    totals: dict[str, Callable[[Row], bool]] = {
        ASKED: lambda v: bool(v["asked"]),
        OTHERS: lambda v: not v["asked"] and not v["control"],
        HEALTHY: lambda v: bool(v["control"]),
    }
    chosen = {title: [v for v in scored if fits(v)] for title, fits in totals.items()}
    added = [summed(group, title) | {"number": None, "total": True} for title, group in chosen.items() if group]
    return rows + [row | dict.fromkeys(_OF_FAULTS) if row["control"] else row for row in added]


def by_severity(verdicts: Sequence[Row]) -> list[Row]:
    """Each scenario at each severity."""
    groups = _groups([v for v in verdicts if not v["control"]])
    split = [(group[0]["title"], [v for v in group if v["severity"] == s]) for group in groups for s in SEVERITIES]
    return [summed(group, title) for title, group in split if group]


def _groups(verdicts: Sequence[Row]) -> list[list[Row]]:
    names = dict.fromkeys(v["name"] for v in sorted(verdicts, key=_place))
    return [[v for v in verdicts if v["name"] == name] for name in names]


def _place(verdict: Row) -> tuple[bool, bool, int]:
    """What is asked for first, then the other scenarios, then controls."""
    return verdict["control"], not verdict["asked"], ORDER.index(verdict["name"])


def summed(verdicts: Sequence[Row], title: str) -> Row:
    """One row of the table."""
    first = verdicts[0]
    causes = [v["cause"] for v in verdicts if v["cause"]]
    return {
        "title": title,
        **{name: first[name] for name in ("name", "number", "severity", "control", "asked")},
        "total": False,
        "cases": len(verdicts),
        "requests": float(np.mean([v["requests"] for v in verdicts])),
        "detected": share(v["detected"] for v in verdicts),
        "delay": quantiles(v["delay"] for v in verdicts),
        "typical": typical(verdicts),
        "onset_error": quantiles(v["onset_error"] for v in verdicts),
        "false": rate((v["false"], v["hours"]) for v in verdicts),
        "kind": share(v["kind"] for v in verdicts),
        **{answer: share(cause == answer for cause in causes) for answer in ("right", "wrong", "abstained")},
        "right_of_claims": share(cause == "right" for cause in causes if cause != "abstained"),
        **{name: share(v[name] for v in verdicts) for name in ("claims", "false_first", "false_any")},
        **{name: share(v[name] for v in verdicts) for name in ("silent", "segment")},
        "cpu": {step: float(np.mean([v["cpu"][step] for v in verdicts])) for step in first["cpu"]},
        "rivals": {name: _rival([v["rivals"][name] for v in verdicts]) for name in first["rivals"]},
    }


def _rival(found: Sequence[Row]) -> Row:
    return {
        "detected": share(r["detected"] for r in found),
        "delay": quantiles(r["delay"] for r in found),
        "typical": typical(found),
        "false": rate((r["false"], r["hours"]) for r in found),
    }


def share(answers: Iterable[bool | None]) -> Row | None:
    """How many of those where the question arises, with a 95% interval; None where it never does."""
    known = [answer for answer in answers if answer is not None]
    if not known:
        return None
    low, high = binomial_interval(sum(known), len(known)).tolist()
    return {"k": sum(known), "n": len(known), "share": sum(known) / len(known), "low": low, "high": high}


def rate(counted: Iterable[tuple[int, float]]) -> Row | None:
    """Events in 30 days, with a 95% interval, from pairs of a number and the hours watched."""
    pairs = list(counted)
    count, hours = sum(k for k, _ in pairs), sum(h for _, h in pairs)
    if hours <= 0:
        return None
    low, high = (poisson_interval(count) * MONTH_H / hours).tolist()
    return {"k": count, "hours": hours, "rate": count * MONTH_H / hours, "low": low, "high": high}


def quantiles(values: Iterable[float | None]) -> Row | None:
    """Median and 90th percentile of what is known."""
    known = [value for value in values if value is not None]
    return {"median": float(np.median(known)), "p90": float(np.quantile(known, 0.9))} if known else None


def typical(found: Sequence[Row]) -> float | None:
    """Median delay over all cases, what is not detected taking for ever; None where that is the median."""
    delays = [np.inf if row["delay"] is None else row["delay"] for row in found if row["detected"] is not None]
    middle = float(np.quantile(delays, 0.5, method="higher")) if delays else np.inf
    return middle if np.isfinite(middle) else None

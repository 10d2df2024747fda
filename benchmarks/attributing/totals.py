"""Facts counted: right, wrong, abstained, and whether the ranges hold the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from intervals import binomial_interval
from scoring.judging import among

from attributing.trials import ERRORS_S, MEASURED

Row = dict[str, Any]
LEAST_SHARE = 0.2
"""Of incidents of which the fault explains less than this it cannot be said that it is the cause."""


def totals(rows: Sequence[Row]) -> Row:
    """All that the page shows.

    Parameters
    ----------
    rows
        Facts of the trials (`attributing.facts`), with the trials themselves.
    """
    measured = [row for row in rows if _measured(row)]
    hidden = [row for row in rows if not _measured(row)]
    exact = str(ERRORS_S[0])
    return {
        "incidents": len(rows),
        "measured": len(measured),
        "hidden": len(hidden),
        "first": {error: _counted(measured, error) for error in map(str, ERRORS_S)},
        "false": _share(sum(_false(row, exact) for row in rows), len(rows)),
        "false_hidden": _share(sum(_false(row, exact) for row in hidden), len(hidden)),
        "by_scenario": {name: _of(name, rows) for name in dict.fromkeys(row["name"] for row in rows)},
        "shares": _shares(measured, exact),
        "cpu": _cpu(rows, exact),
        "rivals": _rivals(measured),
    }


def _measured(row: Row) -> bool:
    return row["name"] in MEASURED and not row["withheld"]


def first_cause(row: Row, error: str) -> str:
    """``right``, ``wrong`` or ``abstained``: only a supported cause is a claim."""
    first = next(iter(row["answers"][error]["causes"]), None)
    if first is None or first["tier"] != "supported":
        return "abstained"
    return "right" if among(first, row["truth"]["causes"]) else "wrong"


def _counted(rows: Sequence[Row], error: str) -> Row:
    said = [first_cause(row, error) for row in rows]
    named = [_named(row, error) for row in rows]
    claimed = len(said) - said.count("abstained")
    return {
        "right": _share(said.count("right"), len(said)),
        "abstained": _share(said.count("abstained"), len(said)),
        "wrong": _share(said.count("wrong"), len(said)),
        "right_of_claims": _share(said.count("right"), claimed),
        "first_of_all": _share(sum(named), len(named)),
    }


def _named(row: Row, error: str) -> bool:
    """Whether a right cause comes first, whatever its tier: what the rivals are asked."""
    first = next(iter(row["answers"][error]["causes"]), None)
    return first is not None and among(first, row["truth"]["causes"])


def _false(row: Row, error: str) -> bool:
    """Whether anything is supported that is neither a right cause nor part of the chain to the signal."""
    true_names = (*row["truth"]["causes"], *row["truth"]["chain"])
    return any(c["tier"] == "supported" and not among(c, true_names) for c in row["answers"][error]["causes"])


def _of(name: str, rows: Sequence[Row]) -> Row:
    ours = [row for row in rows if row["name"] == name]
    measured, hidden = [r for r in ours if _measured(r)], [r for r in ours if not _measured(r)]
    exact = str(ERRORS_S[0])
    return {
        "title": ours[0]["truth"]["title"],
        "measured": _counted(measured, exact) if measured else None,
        "cases": len(measured),
        "hidden": len(hidden),
        "false": _share(sum(_false(row, exact) for row in ours), len(ours)),
    }


def _shares(rows: Sequence[Row], error: str) -> Row:
    """Do the ranges of right causes hold what the rerun without the fault says."""
    told = [
        (row["share"], *row["answers"][error]["causes"][0]["share"])
        for row in rows
        if row["share"] is not None and first_cause(row, error) == "right"
    ]
    held = sum(low <= true <= high for true, low, high in told)
    width = float(np.mean([high - low for _, low, high in told])) if told else None
    return {"covered": _share(held, len(told)), "width": width}


def _cpu(rows: Sequence[Row], error: str) -> Row:
    seconds = [row["answers"][error]["cpu"] for row in rows]
    many = [row["candidates"] for row in rows]
    return {
        "median": float(np.median(seconds)),
        "worst": float(np.max(seconds)),
        "candidates": [int(np.min(many)), int(np.median(many)), int(np.max(many))],
    }


def _rivals(rows: Sequence[Row]) -> Row:
    names = dict.fromkeys(name for row in rows for name in row["rivals"])
    return {
        name: {
            among_what: _share(sum(_right(row, row["rivals"][name][among_what]) for row in rows), len(rows))
            for among_what in ("all", "with roles")
        }
        for name in names
    }


def _right(row: Row, said: str) -> bool:
    name, _, scope = said.partition("{")
    labels = dict(pair.split("=", 1) for pair in scope.rstrip("}").split(",") if "=" in pair)
    return among({"name": name, "scope": labels}, row["truth"]["causes"])


def _share(count: int, of: int) -> Row:
    low, high = binomial_interval(count, of)
    return {"count": count, "of": of, "share": count / of if of else None, "interval": [float(low), float(high)]}

"""The score as a page: what was asked, one table with a legend of its columns, the severities, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from scoring.cases import SCORED
from scoring.legend import LEGEND
from scoring.targets import targets

Row = dict[str, Any]
_NONE = "–"
_MOST_ERRORS = 20

HEAD = (
    *("#", "scenario or control", "cases", "detected", "delay, s", "onset error, s", "false in 30 days", "kind"),
    *("cause right", "abstained", "right of claims", "false claims", "silent", "segment", "CPU, s"),
    *("thresholds", "ADWIN"),
)


def page(found: Row) -> str:
    """Everything on one page."""
    rows, run = found["table"], found["run"]
    parts = [
        "# Scoreboard\n",
        _what(run),
        "## Asked\n",
        _markdown(("of scenarios that touch telemetry, moderate", "asked", "found", "verdict"), targets(rows)),
        f"## Severity {SCORED}\n",
        _markdown(HEAD, (_cells(row) for row in rows)),
        LEGEND,
        *_severities(found["severities"]),
        *_errors(found["errors"]),
    ]
    return "\n".join(parts)


def _what(run: Row) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in run["machine"]["packages"].items())
    seeds = "; ".join(f"{severity}: {first} to {last}" for severity, (first, last) in run["seeds"].items())
    return (
        f"Made by `benchmarks/scoreboard.py`: {run['cases']:,} simulated recordings, {run['hours']:,.0f} hours and "
        f"{run['requests'] / 1e6:,.1f} million requests, each through `scan` with the default configuration "
        f"({run['config']}). Seeds of {run['which']}, {seeds}. Measured on {run['machine']['cpu']}; "
        f"Python {run['machine']['python']}, {versions}.\n"
    )


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---" if name in _WORDS else "---:" for name in head], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


_WORDS = (HEAD[1], "of scenarios that touch telemetry, moderate", "scenario", "verdict")


def _cells(row: Row) -> list[str]:
    total = row["total"]
    title = f"**{row['title']}**" if total else row["title"]
    number = f"**{row['number']}**" if row["asked"] else str(row["number"] or "")
    failed = f" + {row['failed']} failed" if row.get("failed") else ""
    shares = {name: _share(row[name], total) for name in ("detected", "kind", "right", "abstained", "right_of_claims")}
    return [
        *("" if total else number, title, f"{row['cases']}{failed}", shares["detected"]),
        _seconds(row["delay"]),
        _NONE if row["onset_error"] is None else f"{row['onset_error']['median']:.0f}",
        _rate(row["false"], limits=True),
        *(shares[name] for name in ("kind", "right", "abstained", "right_of_claims")),
        f"{_share(row['false_first'], False)} / {_share(row['false_any'], total)}",
        *(_share(row[name], total) for name in ("silent", "segment")),
        f"{row['cpu']['simulate']:.1f} / {row['cpu']['scan']:.1f}",
        *(_rival(found) for found in row["rivals"].values()),
    ]


def _share(found: Row | None, limits: bool) -> str:
    if found is None:
        return _NONE
    return f"{found['share']:.0%}" + (f" ({found['low']:.0%}–{found['high']:.0%})" if limits else "")


def _seconds(found: Row | None) -> str:
    return _NONE if found is None else f"{found['median']:.0f} / {found['p90']:.0f}"


def _rate(found: Row | None, *, limits: bool) -> str:
    if found is None:
        return _NONE
    between = f" ({found['low']:.1f}–{found['high']:.1f})" if limits else ""
    return f"{found['k']}: {found['rate']:.1f}{between}" if limits else f"{found['rate']:,.0f}"


def _rival(found: Row) -> str:
    delay = _NONE if found["delay"] is None else f"{found['delay']['median']:.0f} s"
    return f"{_share(found['detected'], False)}, {delay}, {_rate(found['false'], limits=False)}"


def _severities(rows: Sequence[Row]) -> Iterator[str]:
    names = list(dict.fromkeys(row["severity"] for row in rows))
    if len(names) < 2:
        return
    groups = [(name, {row["severity"]: row for row in group}) for name, group in groupby(rows, lambda r: r["name"])]
    yield "## By severity: detected, delay in seconds (median / 90th percentile)\n"
    yield _markdown(
        ("scenario", *names),
        ([next(iter(found.values()))["title"], *(_noticed(found.get(name)) for name in names)] for _, found in groups),
    )
    yield (
        "In the figure the median over all cases, with those that are never detected; ADWIN's is that of alarms which "
        "come as often without a fault.\n"
    )
    yield "![delay](scoreboard-delay.svg)\n"


def _noticed(row: Row | None) -> str:
    return _NONE if row is None else f"{_share(row['detected'], False)}, {_seconds(row['delay'])}"


def _errors(errors: Sequence[Row]) -> Iterator[str]:
    if errors:
        yield f"## Cases that failed: {len(errors)}\n"
        shown = errors[:_MOST_ERRORS]
        yield "\n".join(f"- {e['name']}, {e['severity']}, seed {e['seed']}: {e['error']}" for e in shown) + "\n"

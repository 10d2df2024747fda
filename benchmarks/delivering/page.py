"""The results as a page and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert
from detecting.figures import STYLE

Found = dict[str, Any]
_ROWS = (
    ("openings and ends that had to arrive", "asked", ",.0f"),
    ("arrived at least once", "arrived", ",.0f"),
    ("**lost**", "lost", ",.0f"),
    ("out of order within an incident", "disorder", ",.0f"),
    ("arrived again (duplicates)", "duplicates", ",.0f"),
    ("duplicates not recognisable by id", "unnamed", ",.0f"),
    ("requests that arrived", "messages", ",.0f"),
    ("requests whose sender was told so", "accepted", ",.0f"),
    ("from `put` to taken: median, s", "median_s", ".2f"),
    ("99th percentile, s", "p99_s", ".1f"),
    ("longest, s", "longest_s", ".1f"),
)


def page(found: Found) -> str:
    """Markdown."""
    here = found["machine"]
    names = list(found["sinks"])
    rows = [
        f"| {title} | {' | '.join(format(found['sinks'][name][key], shape) for name in names)} |"
        for title, key, shape in _ROWS
    ]
    return "\n".join(
        [
            "# Alerts while everything fails\n",
            f"Made by `benchmarks/delivery.py` on {here['cpu']}; Python {here['python']}. {found['incidents']:,} "
            f"incidents (open, update, resolve) in {found['seconds']:.0f} s, while the sender was killed "
            f"{found['kills']} times with SIGKILL.\n",
            f"| | {' | '.join(names)} |",
            f"|---|{'---:|' * len(names)}",
            *rows,
            "",
            *_remarks(found),
            "\n![Transitions put, and taken by each destination, over time](delivery.svg)\n",
        ]
    )


def _remarks(found: Found) -> list[str]:
    answers = ", ".join(f"{n:,} x {name}" for name, n in sorted(found["answers"].items()))
    notified = found["notified"]
    return [
        "- Alertmanager is the real one; 3% of its answers were lost on the way back. It told its own receiver that "
        f"{notified['firing']:,} incidents fire and that {notified['resolved']:,} are over; at the end it held "
        f"{found['still_firing']} alerts. What arrived there again is mostly what is repeated every minute on purpose.",
        f"- The misbehaving receiver answered: {answers}.",
        f"- Before its certificate was trusted, after the last kill, the third receiver got {found['mistrusted']} "
        "requests: its delays are mostly that wait.",
    ]


def figure(found: Found) -> str:
    """SVG: how many transitions were put and taken by then, with the kills as ticks."""
    times = dict(found["timeline"])
    killed = times.pop("killed")
    points = [point for name, at in times.items() for point in _cumulative(name, at)]
    lines = alt.Chart(alt.InlineData(values=points), width=620, height=260).mark_line(interpolate="step-after")
    x = alt.X("t:Q", title="seconds")
    colours = alt.Scale(domain=list(times), range=["#646b78", "#1d4ed8", "#b4232a", "#0f766e"])
    drawn = lines.encode(
        x,
        alt.Y("n:Q", title="transitions"),
        alt.Color("name:N", scale=colours, title=None, legend=alt.Legend(orient="bottom")),
    )
    ticks = alt.Chart(alt.InlineData(values=[{"t": at} for at in killed])).mark_tick(color="#b45309", thickness=1)
    kills = ticks.encode(alt.X("t:Q"), y=alt.value(255))
    title = f"{len(killed)} times SIGKILL (ticks), and what arrived"
    chart = alt.layer(drawn, kills, title=title)
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_dict() | {"config": STYLE}, vl_version=version))


def _cumulative(name: str, at: Sequence[float], most: int = 150) -> list[dict[str, Any]]:
    """A curve of at most so many points."""
    ordered = sorted(at)
    steps = range(0, len(ordered), max(len(ordered) // most, 1))
    return [{"name": name, "t": round(ordered[n], 2), "n": n + 1} for n in steps]

"""What was found, as a page and a figure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import altair as alt
import vl_convert
from detecting.figures import STYLE

Row = dict[str, Any]


def page(found: dict[str, Any]) -> str:
    """The results of the parts that were measured, in order."""
    where = found["machine"]
    lines = ["# A real vLLM with driftwatch inside", "", f"vLLM 0.32 on {where['cpu']}, Python {where['python']}.", ""]
    for name, write in (("pressure", _pressure), ("healthy", _healthy), ("speed", _speed)):
        if name in found:
            lines += [*write(found[name]), ""]
    return "\n".join(lines)


def _pressure(run: Row) -> list[str]:
    lines = [
        "## Pressure on the KV cache",
        "",
        "`python benchmarks/live_vllm.py pressure --testbed FOLDER`: chats at 3 a second; then another tenant keeps "
        f"{run['hogs']} long requests going. Scraped every 5 s, ticks final after 3 s (`ticks.lateness_s`), a change "
        "must last 85 s (`incidents.lasting_s`; by default 90).",
        "",
        f"- Healthy for {run['changed'] - run['began']:.0f} s, under pressure for {run['ended'] - run['changed']:.0f} "
        f"s; {run['requests']} requests, {run['failed']} failed; median TTFT of chats {run['ttft_before_s'] * 1e3:.0f} "
        f"ms before and {run['ttft_after_s'] * 1e3:.0f} ms after.",
        f"- Told {run['told_after_s']:.0f} s after the change (on disk at the alert's destination); opened "
        f"{run['opened_after_s']:.0f} s after it, in event time; onset {run['onset_error_s']:+.0f} s off.",
        "",
        "| s after the change | transition | kind | silent | first causes |",
        "|---|---|---|---|---|",
    ]
    for one in run["transitions"]:
        causes = "; ".join(f"{c['name']}: {c['tier']}" for c in one["causes"][:3])
        after = _seconds(one["updated_at"]) - run["changed"]
        row = f"{after:.0f} | {one['id']} #{one['seq']} {one['status']} | {one['kind']} | {one['silent']} | {causes}"
        lines.append(f"| {row} |")
    return [*lines, "", "![TTFT of chats](live_vllm-pressure.svg)"]


def _healthy(run: Row) -> list[str]:
    told = len({one["id"] for one in run["transitions"]})
    return [
        "## Healthy traffic",
        "",
        f"`python benchmarks/live_vllm.py healthy --testbed FOLDER`: {run['seconds'] / 60:.0f} minutes of chats at 2 a "
        f"second, {run['requests']} requests: {told} incidents. At the end: `{run['state']}`.",
    ]


def _speed(run: Row) -> list[str]:
    rate, cost = run["tokens_a_second_change"], run["cpu_a_token_change"]
    return [
        "## Speed",
        "",
        "`python benchmarks/live_vllm.py speed --testbed FOLDER`: two servers on one core take turns of "
        f"{run['seconds']:.0f} s, {run['rounds']} each, with 8 clients that ask without a pause.",
        "",
        "| with driftwatch against without | median | quartiles |",
        "|---|---|---|",
        f"| tokens a second | {rate['median']:+.1%} | {rate['low']:+.1%} to {rate['high']:+.1%} |",
        f"| CPU time of a token | {cost['median']:+.1%} | {cost['low']:+.1%} to {cost['high']:+.1%} |",
    ]


def figure(run: Row, rows: list[Row]) -> str:
    """TTFT of each chat over time, with when it changed and when that was told, as SVG."""
    chats = [
        {"minute": (row["completed_at"] - run["began"]) / 60, "ttft": max(row["ttft"], 1e-3)}
        for row in rows
        if row["tenant"] == "chat" and row["ttft"] is not None
    ]
    changed = (run["changed"] - run["began"]) / 60
    marks = [{"minute": changed, "what": "change"}]
    marks += [{"minute": changed + run["told_after_s"] / 60, "what": "told"}]
    points = (
        alt.Chart(alt.InlineData(values=chats))
        .mark_point(size=6, opacity=0.5)
        .encode(
            x=alt.X("minute:Q", title="minutes"),
            y=alt.Y("ttft:Q", title="time to first token, s").scale(type="log"),
        )
    )
    rules = (
        alt.Chart(alt.InlineData(values=marks))
        .mark_rule()
        .encode(x="minute:Q", strokeDash=alt.StrokeDash("what:N", title=""))
    )
    chart = (points + rules).properties(width=640, height=220)
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_dict() | {"config": STYLE}, vl_version=version))


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()

"""What was found, as a page and a figure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import altair as alt
import vl_convert
from detecting.figures import STYLE

Row = dict[str, Any]
_BIN_S = 5.0


def page(found: dict[str, Any]) -> str:
    """The results of the parts that were measured, in order."""
    where = found["machine"]
    lines = ["# A real vLLM with driftwatch inside", "", f"vLLM 0.32 on {where['cpu']}, Python {where['python']}.", ""]
    parts = (("hour", _hour), ("pressure", _pressure), ("pressure-baseline", _pressure), ("speed", _speed))
    for name, write in parts:
        if name in found:
            lines += [*write(found[name]), ""]
    return "\n".join(lines)


def _hour(run: Row) -> list[str]:
    quiet = run["changed"] - run["began"]
    evidence = dict(run["evidence"])
    threshold, since = evidence.pop("threshold", float("nan")), evidence.pop("watching since", run["changed"])
    name, most = max(evidence.items(), key=lambda item: item[1], default=("none", 0.0))
    return [
        "## A quiet hour, and then pressure on the KV cache",
        "",
        f"`python benchmarks/live_vllm.py hour --testbed FOLDER --healthy {quiet:.0f}`: "
        f"chats at {run['load']['rate']:.0f} a second, up and down by {run['load']['swing']:.0%} every 20 minutes.",
        "",
        f"- Quiet for {quiet / 60:.0f} minutes, the last {(run['changed'] - since) / 60:.0f} of them watched (before "
        f"that it learnt): {run['told_before']} incidents. The most evidence that any signal had was 10^{most:.1f} "
        f"({name}); it takes 10^{threshold:.1f}.",
        *_caught(run),
        "",
        "![TTFT of chats](live_vllm-hour.svg)",
    ]


def _pressure(run: Row) -> list[str]:
    lines = [
        f"## Pressure on the KV cache{_known(run)}",
        "",
        f"`{'BASELINE=FILE ' if run.get('baseline') else ''}python benchmarks/live_vllm.py pressure --testbed FOLDER "
        f"--healthy {run['changed'] - run['began']:.0f}`: chats at 3 a second.",
        "",
        *_caught(run),
    ]
    return lines if run.get("baseline") else [*lines, "", "![TTFT of chats](live_vllm-pressure.svg)"]


def _caught(run: Row) -> list[str]:
    """From the change on: another tenant's long requests."""
    told = "Not told."
    if run["told_after_s"] is not None:
        told = (
            f"Told {run['told_after_s']:.0f} s after the change (on disk at the alert's destination); opened "
            f"{run['opened_after_s']:.0f} s after it, in event time; onset {run['onset_error_s']:+.0f} s off."
        )
    lines = [
        f"- Then, for {run['ended'] - run['changed']:.0f} s, another tenant keeps "
        f"{run['load']['hogs'] if 'load' in run else run['hogs']} long requests going. In all {run['requests']} "
        f"requests, {run['failed']} failed; median TTFT of chats {run['ttft_before_s'] * 1e3:.0f} ms before and "
        f"{run['ttft_after_s'] * 1e3:.0f} ms after.",
        f"- Scraped every 5 s, ticks final after 3 s (`ticks.lateness_s`), a change must last {run['lasting_s']:.0f} s "
        "(`incidents.lasting_s`; by default 90).",
        f"- {told}",
        "",
        "| s after the change | transition | kind | silent | first causes |",
        "|---|---|---|---|---|",
    ]
    for one in run["transitions"]:
        causes = "; ".join(f"{c['name']}: {c['tier']}" for c in one["causes"][:3])
        after = _seconds(one["updated_at"]) - run["changed"]
        row = f"{after:.0f} | {one['id']} #{one['seq']} {one['status']} | {one['kind']} | {one['silent']} | {causes}"
        lines.append(f"| {row} |")
    return lines


def _known(run: Row) -> str:
    return ", what is healthy learnt before" if run.get("baseline") else ", what is healthy learnt live"


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
    """TTFT of chats over time, with when it changed and when that was told, as SVG."""
    changed = (run["changed"] - run["began"]) / 60
    marks = [{"minute": changed, "what": "change"}]
    if run["told_after_s"] is not None:
        marks.append({"minute": changed + run["told_after_s"] / 60, "what": "told"})
    chats = (
        alt.Chart(alt.InlineData(values=[*_binned(run["began"], rows)]))
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("minute:Q", title="minutes"),
            y=alt.Y("ttft:Q", title="time to first token, s").scale(type="log"),
            color=alt.Color("what:N", title=""),
        )
    )
    dash = alt.StrokeDash("what:N", title="")
    rules = alt.Chart(alt.InlineData(values=marks)).mark_rule().encode(x="minute:Q", strokeDash=dash)
    chart = (chats + rules).properties(width=640, height=220)
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_dict() | {"config": STYLE}, vl_version=version))


def _binned(began: float, rows: list[Row]) -> Iterator[Row]:
    """Median and slowest chat of every five seconds."""
    bins: dict[int, list[float]] = {}
    for row in rows:
        if row["tenant"] == "chat" and row["ttft"] is not None:
            bins.setdefault(int((row["completed_at"] - began) // _BIN_S), []).append(max(row["ttft"], 1e-3))
    for number, values in sorted(bins.items()):
        for what, value in (("median", statistics.median(values)), ("slowest", max(values))):
            yield {"minute": number * _BIN_S / 60, "ttft": round(value, 4), "what": what}


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()

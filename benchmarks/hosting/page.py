"""The results as a page, and memory as a figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from detecting.figures import STYLE

_DAY_H = 30.0
HEAD = """# What a monitor costs its host

Reprinted by `python benchmarks/overhead.py` ({cpu}; Python {python}).
Waiting times were taken {priority}.
"""


COST = """
## One call

Asked: a median of 1.0 us at most.

| call | median, us | 99%, us (with the clock) |
|---|---|---|
"""
BESIDE = """
## Beside {threads} threads and an event loop

{rate:.0f} requests a second together, {pairs} pairs of {seconds:.0f} s with and without a monitor that judges
({state}); {told} requests told, {shed} shed. Background work: {cpu_us_a_request:.1f} us of CPU a request.

Asked: nothing shed, a call of 50 us at most at 99.9%, the loop's lag 1 ms longer at most at 99.9%, 15 us of CPU a
request at most.

| | 50% | 99% | 99.9% |
|---|---|---|---|
"""
IMPORTS = """
## Import

Asked: 40 ms of CPU at most above numpy and pydantic. pydantic loads most of itself when the first model is
made; the engine is loaded by the first Monitor, what explains an incident by the first incident. Modules are compiled,
as an installation has them.

| | CPU, ms | more |
|---|---|---|
"""
MEMORY = """
## Memory

*In use* is what the allocator holds less what is free in it: buffers of many sizes leave holes, and room for rows to
come is in use before it is resident. What is learnt is the newest 17,280 ticks that had requests: a day where each tick
has some, more than a week where a model has a request every 40 s (a thousand models, 16 of them watched). A thousand
models that are all watched have a request every 2.5 s each; twenty such models are watched for longer, until all
windows are full: two hours of rows, four of silences, six of history, and what is learnt.

![Memory](overhead.svg)

| requests | models | watched | hours | MB at 1% | at half | at the end | in use | CPU, us each | shed | incidents |
|---|---|---|---|---|---|---|---|---|---|---|
"""
GROWTH = """
With {watched} streams watched, from the 30th hour on: {resident} MB resident a million requests, {used} MB in use
(slope, and twice its standard error).
"""


OWNERS = """
What is held of a stream, in kB (arrays, compressed columns and their containers), {watched} streams watched:

| what | at 1% | at half | at the end, {hours:.1f} h |
|---|---|---|---|
"""


def page(found: dict[str, Any]) -> str:
    """All sections that were measured."""
    sections: dict[str, Any] = {"cost": _cost, "beside": _beside, "imports": _imports, "memory": _memory}
    head = HEAD.format(**found["machine"], priority=found.get("priority", "beside other work"))
    return head + "".join(line for name, write in sections.items() if found.get(name) for line in write(found[name]))


def _cost(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield COST
    for row in rows:
        yield f"| {row['what']} | {row['median_us']:.2f} | {row['p99_us']:.1f} |\n"


def _beside(found: dict[str, Any]) -> Iterator[str]:
    yield BESIDE.format(**found)
    for name, key, digits in (("a call, us", "call_us", 1), ("lag of the loop, ms", "lag_ms", 3)):
        for which in ("without", "with"):
            cells = " | ".join(f"{value:.{digits}f}" for value in found[which][key])
            yield f"| {name}, {which} | {cells} |\n"


def _imports(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield IMPORTS
    for row in rows:
        yield f"| {row['what']} | {row['cpu_ms']:.0f} | {row['cpu_ms'] - rows[0]['cpu_ms']:+.0f} |\n"


def _memory(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield MEMORY
    for row in rows:
        curve = row["curve"]
        places = (1, len(curve) // 2, -1)
        at = " | ".join(f"{curve[k]['mb']:.0f}" for k in places)
        used = ", ".join(f"{curve[k]['used_mb']:.0f}" for k in places) if "used_mb" in curve[0] else ""
        yield (
            f"| {row['requests']:,} | {row['names']:,} | {row['watched']:,} | {curve[-1]['hours']:.1f} | {at} | {used} "
            f"| {row['cpu_us_a_request']:.0f} | {row['shed']} | {row['incidents']} |\n"
        )
    for row in rows:
        if row.get("owners"):
            yield from _owners(row)
    for row in rows:
        late = [point for point in row["curve"] if point["hours"] > _DAY_H]
        if len(late) > 10:
            yield GROWTH.format(watched=row["watched"], resident=_slope(late, "mb"), used=_slope(late, "used_mb"))


def _owners(row: dict[str, Any]) -> Iterator[str]:
    """What is held of a stream, and for what."""
    yield OWNERS.format(watched=f"{row['watched']:,}", hours=row["curve"][-1]["hours"])
    whole = [{"all": sum(each.values())} | each for each in row["owners"]]
    for owner in whole[0]:
        yield f"| {owner} | " + " | ".join(f"{each[owner] / 1e3:.0f}" for each in whole) + " |\n"


def _slope(points: list[dict[str, Any]], key: str) -> str:
    """Growth a million requests, and twice its standard error."""
    x, y = (np.array([float(point[name]) for point in points]) for name in ("requests", key))
    x = (x - x.mean()) / 1e6
    slope = float((x * y).sum() / (x * x).sum())
    error = float(np.sqrt(((y - y.mean() - slope * x) ** 2).sum() / (len(x) - 2) / (x * x).sum()))
    return f"{slope:+.1f} (± {2 * error:.1f})"


def figure(rows: list[dict[str, Any]]) -> str:
    """Memory over requests."""
    points = [
        {"requests": p["requests"], "mb": p[key], "case": f"{row['watched']:,} streams watched, {words}"}
        for row in rows
        for p in row["curve"]
        for key, words in (("mb", "resident"), ("used_mb", "in use"))
        if key in p
    ]
    chart: Any = (
        alt.Chart({"values": points})
        .mark_line()
        .encode(
            x=alt.X("requests:Q", title="requests"),
            y=alt.Y("mb:Q", title="memory, MB"),
            color=alt.Color("case:N", title=None),
        )
        .properties(width=520, height=220)
    )
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_dict() | {"config": STYLE}, vl_version=version))

"""Two figures: recorded and simulated distributions, and both over time."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert
from detecting.figures import STYLE

Row = dict[str, Any]
SEEN = ("recorded", "simulated")
COLOURS = ("#1f2430", "#e8710a")
SIGNALS = {"ttft": "time to first token, s", "itl": "mean gap between tokens, s", "latency": "end to end, s"}
OVER_TIME = {
    "kv": "KV blocks in use, share",
    "running": "running",
    "waiting": "waiting",
    "preempted": "preempted so far",
}
WIDTH, HEIGHT = 210, 130


def figures(found: dict[str, Any]) -> dict[str, str]:
    """SVG by name, of the engines that were validated."""
    drawn = {"cpu": _cpu, "gpu": _gpu}
    return {name: _svg(draw(found[name]["rows"])) for name, draw in drawn.items() if name in found}


def _svg(chart: Any) -> str:
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return str(vl_convert.vegalite_to_svg(chart.to_dict() | {"config": STYLE}, vl_version=version))


def _cpu(rows: list[Row]) -> Any:
    shown = {(r["recording"], r["part"]): r for r in rows if r["speed"] == "measured"}
    hog = shown["kv_hog", "after"]
    distributions = [
        _distributions("fitted: healthy", shown["healthy", ""], SIGNALS),
        _distributions("predicted: kv_hog, before", shown["kv_hog", "before"], SIGNALS),
        _distributions("predicted: kv_hog, after", hog, SIGNALS),
        _distributions("predicted: diurnal peak", shown["vllm_cpu_diurnal_peak", ""], SIGNALS),
    ]
    time = alt.hconcat(*(_over_time(hog, name) for name in ("kv", "waiting", "preempted")))
    return alt.vconcat(*distributions, time).resolve_scale(color="shared")


def _gpu(rows: list[Row]) -> Any:
    shown = {r["recording"]: r for r in rows}
    names = ("scale500", "scale100", "scale1000", "scale2000")
    said = {name: f"{'fitted' if shown[name]['fitted'] else 'predicted'}: {name}" for name in names}
    distributions = [_distributions(text, shown[name], SIGNALS) for name, text in said.items()]
    time = alt.hconcat(*(_over_time(shown["scale2000"], name) for name in ("kv", "running", "waiting")))
    return alt.vconcat(*distributions, time).resolve_scale(color="shared")


def _distributions(title: str, row: Row, signals: dict[str, str]) -> Any:
    return alt.hconcat(*(_distribution(title, row["signals"][name], words) for name, words in signals.items()))


def _distribution(title: str, signal: Row, words: str) -> Any:
    n = len(signal["real"])
    points = [
        {"seconds": value, "share": (k + 0.5) / n, "who": who}
        for who, key in zip(SEEN, ("real", "simulated"), strict=True)
        for k, value in enumerate(signal[key])
    ]
    heading = alt.Title(f"{title}: KS {signal['ks']:.2f}, W {signal['wasserstein']:.2f}", anchor="start", fontSize=11)
    x = alt.X(
        "seconds:Q",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(tickCount=5, format="~g", grid=False),
        title=words,
    )
    y = alt.Y("share:Q", axis=alt.Axis(format="%", tickCount=4), title=None)
    chart = alt.Chart(alt.InlineData(values=points), width=WIDTH, height=HEIGHT, title=heading)
    return chart.mark_line(interpolate="step-after", strokeWidth=1.8).encode(x, y, _colour(), order="share:Q")


def _over_time(row: Row, name: str) -> Any:
    drawn = row["lines"]
    points = [
        {"minutes": t / 60, "value": value, "who": who}
        for who, values in zip(SEEN, drawn[name], strict=True)
        for t, value in zip(drawn["t"], values, strict=True)
    ]
    x, y = alt.X("minutes:Q", title="minutes"), alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=4))
    heading = alt.Title(f"{row['recording']}: {OVER_TIME[name]}", anchor="start", fontSize=11)
    chart = alt.Chart(alt.InlineData(values=points), width=WIDTH, height=HEIGHT, title=heading)
    return chart.mark_line(strokeWidth=1.2, opacity=0.85).encode(x, y, _colour())


def _colour() -> Any:
    return alt.Color(
        "who:N",
        sort=list(SEEN),
        title=None,
        scale=alt.Scale(domain=list(SEEN), range=list(COLOURS)),
        legend=alt.Legend(orient="top"),
    )

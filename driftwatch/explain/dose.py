"""The dose-response: how much worse each tick was at what level of a candidate cause."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from driftwatch._optional import load
from driftwatch.explain.drawing import MUTED, OTHER, SIGNAL, SUPPORTED, Drawing, Rows
from driftwatch.explain.facts import cause_title, title
from driftwatch.explain.numbers import clean, lasting, number
from driftwatch.explain.story import Table
from driftwatch.incidents.models import Dose

_HEIGHT = 210
_SHOWN = {"healthy": (OTHER, 0.55), "during": (SIGNAL, 0.7)}
_MOST = 200  # points of each kind


def drawing(dose: Dose, width: int) -> Drawing | None:
    """Ticks as points (healthy ones grey), and the fitted ramp; nothing where no point is a number.

    Parameters
    ----------
    dose
        What is drawn.
    width
        Of the plot area, in pixels.
    """
    points = {kind: _rows(getattr(dose, kind), dose) for kind in _SHOWN}
    if not all(points.values()):
        return None
    alt = load("altair", "report")
    reach = [row["x"] for kind in _SHOWN for row in points[kind]]
    frame = [min(reach), max(reach)] if min(reach) < max(reach) else [min(reach) - 1, max(reach) + 1]
    corners = _rows(_extended(dose, frame), dose)
    x, y = _axes(alt, dose, frame, points)
    layers = [
        alt.Chart(alt.NamedData(kind)).mark_circle(size=22, color=colour, opacity=opacity, stroke=None).encode(x, y)
        for kind, (colour, opacity) in _SHOWN.items()
    ]
    if corners:
        layers.append(alt.Chart(alt.NamedData("ramp")).mark_line(color=SUPPORTED, strokeWidth=2.2).encode(x, y))
    layers += _saturation(alt, dose, frame, x)
    words = alt.TitleParams(_heading(dose), anchor="start", offset=18)
    whole = alt.layer(*layers, width=width, height=_HEIGHT, title=words)
    return Drawing((whole,), points | ({"ramp": corners} if corners else {}))


def described(dose: Dose) -> str:
    """The picture in words: the level and the excess at both ends of the ramp, and where it saturates."""
    name = cause_title(dose.name)
    said = f"{title(dose.signal)} against {name}: {len(dose.healthy)} healthy ticks and {len(dose.during)} since"
    if len(dose.ramp) > 1:
        (low, start), (high, end) = dose.ramp[0], dose.ramp[-1]
        said += (
            f"; the fitted ramp goes from {_excess(start, dose)} at {number(low, dose.unit)} "
            f"to {_excess(end, dose)} at {number(high, dose.unit)}"
        )
    if dose.saturates is not None:
        said += f" and is flat from {number(dose.saturates, dose.unit)} on"
    return said


def numbers(dose: Dose) -> Table:
    """The corners of the ramp, for those who cannot see it."""
    rows = tuple((number(level, dose.unit), _excess(excess, dose)) for level, excess in dose.ramp)
    return Table("The ramp in numbers", (clean(cause_title(dose.name), 40), "excess"), rows)


def legend(dose: Dose) -> str:
    """What the marks mean."""
    behind = f"; its level {lasting(dose.lag_s)} before" if dose.lag_s >= 0.5 else ""
    return f"Each dot is a tick: grey before the onset, red since{behind}. Line: the monotone ramp fitted to them."


def _heading(dose: Dose) -> list[str]:
    return [clean(title(dose.signal), 46), clean(f"against {cause_title(dose.name)}", 46)]


def _excess(value: float, dose: Dose) -> str:
    return f"x{number(value)}" if dose.excess_unit == "times" else number(value, dose.excess_unit)


def _rows(points: tuple[tuple[float, float], ...], dose: Dose) -> Rows:
    """Those that can be drawn: finite, and where the axis is logarithmic positive."""
    least = 1e-12 if dose.excess_unit == "times" else -math.inf
    known = [(x, y) for x, y in points[:_MOST] if math.isfinite(x) and math.isfinite(y) and y > least]
    return [{"x": x, "y": y} for x, y in known if abs(x) < 1e15 and abs(y) < 1e15]


def _extended(dose: Dose, frame: list[float]) -> tuple[tuple[float, float], ...]:
    """The ramp with its flat ends, as far as there are points."""
    if len(dose.ramp) < 2:
        return ()
    ordered = sorted(dose.ramp)
    return ((min(frame[0], ordered[0][0]), ordered[0][1]), *ordered, (max(frame[1], ordered[-1][0]), ordered[-1][1]))


def _axes(alt: Any, dose: Dose, frame: list[float], points: dict[str, Rows]) -> tuple[Any, Any]:
    share = {"format": ".0%"} if dose.unit == "share" else {"format": "~s"}
    unit = "" if dose.unit in ("share", "") else f", {clean(dose.unit, 20)}"
    below = alt.Axis(title=clean(f"{cause_title(dose.name)}{unit}", 52), tickCount=5, grid=False, **share)
    x = alt.X("x:Q", scale=alt.Scale(domain=frame, zero=False, nice=True), axis=below)
    values = [row["y"] for rows in points.values() for row in rows]
    if dose.excess_unit == "times":
        domain = [min(values) / 1.15, max(values) * 1.15]
        beside = alt.Axis(title="times what was expected", values=_ticks(*domain), format="~r", minExtent=34)
        return x, alt.Y("y:Q", scale=alt.Scale(type="log", domain=domain, clamp=True), axis=beside)
    shape = {"format": "+.0%"} if dose.excess_unit == "share" else {"format": "~g"}
    beside = alt.Axis(title="above what was expected", tickCount=5, minExtent=34, **shape)
    return x, alt.Y("y:Q", scale=alt.Scale(zero=False, nice=True), axis=beside)


def _ticks(low: float, high: float) -> list[float]:
    """Round values in a range, few enough to be read.

    Examples
    --------
    >>> _ticks(0.7, 60.0), _ticks(0.6, 250.0), _ticks(1.2, 1.4)
    ([1.0, 2.0, 5.0, 10.0, 20.0, 50.0], [1.0, 10.0, 100.0], [1.2, 1.4])
    """
    powers = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    fine = [factor * power for power in powers for factor in (1, 2, 5)]
    inside = [v for v in (fine if high / low < 200 else powers) if low <= v <= high]
    return inside[:: -(-len(inside) // 8)] if len(inside) > 1 else [low, high]


def _saturation(alt: Any, dose: Dose, frame: list[float], x: Any) -> Iterator[Any]:
    if dose.saturates is None or not frame[0] <= dose.saturates <= frame[1]:
        return
    words = f"saturates at {number(dose.saturates, dose.unit)}"
    mark = alt.Chart(alt.InlineData(values=[{"x": dose.saturates, "words": words}]))
    yield mark.mark_rule(color=MUTED, strokeDash=[2, 3]).encode(x)
    late = dose.saturates > sum(frame) / 2
    text = mark.mark_text(align="right" if late else "left", dx=-4 if late else 4, fontSize=11, color=MUTED)
    yield text.encode(x, y=alt.value(-6), text="words:N")

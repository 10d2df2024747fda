"""The live demo on a terminal: one calm screen. Imported only where somebody looks, for it needs rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from driftwatch.demo.lines import short
from driftwatch.demo.view import Gauge, View
from driftwatch.events.columns import Floats
from driftwatch.explain import headline
from driftwatch.incidents import Incident

BARS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"critical": "red", "warning": "yellow", "info": "cyan"}
_SHOWN = 3  # incidents: the newest


def shown(views: Iterable[View], title: str, console: Console | None = None) -> Iterator[View]:
    """Draw each view, and hand it on; the terminal is as before when it ends, however it ends.

    Parameters
    ----------
    views
        In order of time.
    title
        What is simulated.
    console
        Where to draw; standard output if left out.
    """
    with Live(console=console or Console(), screen=True, auto_refresh=False) as live:
        for view in views:
            live.update(drawn(view, title), refresh=True)
            yield view


def drawn(view: View, title: str) -> RenderableType:
    """All of it at one moment."""
    sides = Table.grid(expand=True, padding=(0, 1))
    sides.add_column(ratio=1)
    sides.add_column(ratio=1)
    sides.add_row(
        _panel("what users feel", _gauges(view.felt)),
        _panel("what the machine shows", _gauges(view.machine)),
    )
    return Group(
        _head(view, title),
        sides,
        _panel("the usual dashboard", _dashboard(view)),
        _panel("driftwatch", _state(view)),
        *(_incident(incident) for incident in reversed(view.moment.incidents[-_SHOWN:])),
    )


def sparkline(values: Floats) -> str:
    """Values as bars, from nothing to the largest.

    Parameters
    ----------
    values
        Shape (n,), 0 or more; NaN is left empty.

    Examples
    --------
    >>> sparkline(np.array([0.0, 2.0, np.nan, 4.0]))
    '▁▄ █'
    """
    top = np.nanmax(values) if np.isfinite(values).any() else 0.0
    steps = np.nan_to_num(values / top if top > 0 else 0 * values, nan=-1.0)
    return "".join(BARS[0] if x < 0 else BARS[max(round(8 * x), 1)] for x in steps.tolist())


def _head(view: View, title: str) -> RenderableType:
    moment = view.moment
    row = Table.grid(expand=True, padding=(0, 1))
    row.add_column()
    row.add_column(ratio=1)
    row.add_column(justify="right")
    row.add_row(
        Text.assemble((" driftwatch ", "bold reverse"), "  ", title),
        ProgressBar(total=moment.end - moment.start, completed=moment.now - moment.start),
        Text(f"{datetime.fromtimestamp(moment.now, UTC):%H:%M:%S}", style="bold"),
    )
    return row


def _panel(title: str, inside: RenderableType, colour: str = "bright_black") -> Panel:
    return Panel(inside, title=Text(title), title_align="left", border_style=colour, box=box.ROUNDED)


def _gauges(gauges: Sequence[Gauge]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, justify="right", overflow="crop")
    for gauge in gauges:
        table.add_row(gauge.title, Text(gauge.now, style="bold"), _against(gauge), _line(gauge))
    return table


def _line(gauge: Gauge) -> Text:
    return Text(sparkline(gauge.values[-20:]), style="cyan")


def _against(gauge: Gauge) -> Text:
    """How far from what is expected of this workload, where that is known."""
    if gauge.against is None:
        return Text("")
    colour = "green" if gauge.against < 1.1 else "yellow" if gauge.against < 1.5 else "red"
    return Text(f"x{gauge.against:.2f}", style=colour)


def _dashboard(view: View) -> Text:
    """A dot for each check that is measured; those that fire by name."""
    dots = Text("● " * view.green, style="green")
    fires = Text("".join(f"▲ {name} " for name in view.firing), style="red")
    return Text.assemble(dots, fires, (f"{view.green} of {view.green + len(view.firing)} green", "bright_black"))


def _state(view: View) -> RenderableType:
    if view.progress < 1:
        return Text(f"learning what is healthy: {view.progress:.0%}")
    incidents = view.moment.incidents
    open_ = sum(incident.status != "resolved" for incident in incidents)
    return Text(f"watching; {open_} open, {len(incidents) - open_} resolved" if incidents else "watching; all is well")


def _incident(incident: Incident) -> Panel:
    resolved = incident.status == "resolved"
    colour = "green" if resolved else _COLOURS[incident.severity]
    words = Text("\n").join([Text(headline(incident), style="bold"), *map(Text, short(incident))])
    silent = ", silent" if incident.silent else ""
    return _panel(f"{incident.kind}, {incident.severity}, {incident.status}{silent}", words, colour)

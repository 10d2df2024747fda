"""The commands on the outbox: what waits, what was given up, send it again, throw it away."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import get_args

import click

import driftwatch as dw
from driftwatch.errors import InputError
from driftwatch.sinks import Entry, Outbox, Outcome, configured
from driftwatch.sinks.letters import Status

STATUS = click.option("--status", type=click.Choice(get_args(Status)), help="Only letters in this state.")
SINK = click.option("--sink", metavar="NAME", help="Only letters for this destination.")
INCIDENT = click.option("--incident", metavar="ID", help="Only letters about this incident.")
_COLUMNS = ("sink", "incident", "update", "what", "state", "attempts", "due (UTC)", "reason")


@click.group()
@click.option("--file", "file", metavar="FILE", help="The outbox, instead of that of the configuration.")
@click.option("--config", metavar="FILE", help="Configuration (TOML) with a section [alerts].")
@click.pass_context
def outbox(ctx: click.Context, file: str | None, config: str | None) -> None:
    """Look after alerts that could not be delivered yet."""
    ctx.obj = opened(file, config)
    ctx.call_on_close(ctx.obj.close)


def opened(file: str | None, config: str | None) -> Outbox:
    """The outbox that is meant; one that is not there is not made.

    Raises
    ------
    InputError
        If there is none.
    """
    made = configured(dw.Config.load(config).alerts, path=file)
    if not made.path.exists():
        raise InputError("there is no outbox here; --file names it", source=str(made.path))
    return made


@outbox.command(name="list")
@STATUS
@SINK
@INCIDENT
@click.option("--json", "json_", is_flag=True, help="As JSON.")
@click.pass_obj
def list_(box: Outbox, status: Status | None, sink: str | None, incident: str | None, json_: bool) -> int:
    """List letters: those that wait, stand or were given up, unless --status says which."""
    found = [e for e in box.entries(status, sink=sink, incident=incident) if status or e.status != "done"]
    if json_:
        click.echo(json.dumps([asdict(entry) for entry in found], default=str, indent=2))
    else:
        click.echo("\n".join(table(found)) if found else "Nothing waits, and nothing was given up.")
    return 0


@outbox.command()
@SINK
@INCIDENT
@click.pass_obj
def replay(box: Outbox, sink: str | None, incident: str | None) -> int:
    """Let dead letters wait again. With destinations in --config they are tried at once."""
    click.echo(f"{box.replay(sink=sink, incident=incident)} letters wait again.")
    outcomes = box.deliver()
    if outcomes:
        click.echo(summary(outcomes))
    return 0


@outbox.command()
@STATUS
@SINK
@INCIDENT
@click.option("--all", "all_", is_flag=True, help="All of them.")
@click.pass_obj
def drop(box: Outbox, status: Status | None, sink: str | None, incident: str | None, all_: bool) -> int:
    """Give letters up for good."""
    if not (status or sink or incident or all_):
        raise click.UsageError("say which: --status, --sink, --incident, or --all")
    click.echo(f"{box.drop(status, sink=sink, incident=incident)} letters were given up.")
    return 0


def summary(outcomes: Iterable[Outcome]) -> str:
    """What became of letters, in a sentence.

    Examples
    --------
    >>> summary([Outcome("slack", "dw-1", 1, "delivered"), Outcome("hook", "dw-1", 1, "again", "timeout", "no answer")])
    'Alerts: 1 delivered, 1 will be tried again (hook: timeout); driftwatch outbox list'
    """
    outcomes = list(outcomes)
    counts = Counter[str](o.result for o in outcomes)
    why = ", ".join(sorted({f"{o.sink}: {o.reason}" for o in outcomes if o.reason}))
    words = {"delivered": "delivered", "again": "will be tried again", "dead": "given up"}
    said = ", ".join(f"{counts[result]} {word}" for result, word in words.items() if counts[result])
    return f"Alerts: {said or 'none were due'}" + (f" ({why}); driftwatch outbox list" if why else "")


def table(found: list[Entry]) -> list[str]:
    """Letters as lines."""
    rows = [
        (
            e.sink,
            e.incident,
            str(e.seq),
            e.transition,
            e.status,
            str(e.attempts),
            f"{e.due:%Y-%m-%d %H:%M:%S}",
            e.reason,
        )
        for e in found
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    return ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in (_COLUMNS, *rows)]

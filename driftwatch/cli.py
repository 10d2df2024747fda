"""The commands. Each is a thin layer over the Python functions: read options, call, print, choose the exit status.

Exit status: 0 nothing found, 1 incidents at or above ``--fail-on``, 2 bad usage or input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

import click
from click.core import ParameterSource

import driftwatch as dw
from driftwatch import sinks
from driftwatch._settings import default_toml
from driftwatch.cli_outbox import outbox
from driftwatch.cli_outbox import summary as delivered
from driftwatch.cli_stored import stored_report
from driftwatch.collector.command import collect
from driftwatch.demo import recording
from driftwatch.demo.show import watch
from driftwatch.errors import DriftwatchError, InputError
from driftwatch.explain import html
from driftwatch.incidents.models import Format, Severity
from driftwatch.live.command import watch as watch_live
from driftwatch.price import delays
from driftwatch.simulate import CONFOUNDERS, SHAPES
from driftwatch.simulate import SEVERITIES as FELT
from driftwatch.simulate import simulate as simulation
from driftwatch.simulate.answers import Answers
from driftwatch.simulate.summary import catalogue, summary

SEVERITIES: tuple[str, ...] = get_args(Severity)
FORMATS: tuple[str, ...] = get_args(Format)


class Output(click.Path):
    """A file to write, refused before the work and not after it if it cannot be written."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the folder as well as the file."""
        path = Path(value)
        if not path.parent.is_dir():
            self.fail(f"the folder '{path.parent}' does not exist", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A finite number within limits: every comparison with NaN is false, so that limits alone let it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check that it is finite as well."""
        found = super().convert(value, param, ctx)
        return found if isfinite(found) else self.fail(f"{value} is not a finite number", param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(dw.__version__, prog_name="driftwatch")
def app() -> None:
    """Find the incidents of language-model serving that dashboards stay green about."""


app.add_command(outbox)


@app.command()
@click.argument("requests", nargs=-1)
@click.option("--metrics", multiple=True, metavar="FILE", help="Metrics: OpenMetrics text or a table. Repeatable.")
@click.option("--markers", metavar="FILE", help="Markers: roll-outs, config changes, restarts.")
@click.option("--config", metavar="FILE", help="Configuration (TOML); see: driftwatch config.")
@click.option("--baseline", metavar="FILE", help="What is healthy, learnt before by: driftwatch fit.")
@click.option("--html", "page", type=Output(), metavar="FILE", help="Write a report with charts.")
@click.option("--json", "json_", type=Output(), metavar="FILE", help="Write all facts as JSON.")
@click.option("--send", is_flag=True, help="Tell the destinations in the configuration's section [alerts].")
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), default="warning", show_default=True, help="Exit with 1 from here."
)
def scan(
    requests: tuple[str, ...],
    metrics: tuple[str, ...],
    markers: str | None,
    config: str | None,
    baseline: str | None,
    page: Path | None,
    json_: Path | None,
    send: bool,
    fail_on: str,
) -> int:
    """Look for incidents in REQUESTS: log files, globs, or recording folders."""
    if not requests and not metrics:
        raise click.UsageError("nothing to scan: give request logs, a recording folder, or --metrics")
    alerts = dw.Config.load(config).alerts
    if send and not alerts.destinations:
        raise click.UsageError("--send needs a --config with [[alerts.destinations]]")
    learnt = dw.Baseline.load(baseline) if baseline else None
    with progress_bar() as progress:
        report = dw.scan(
            list(requests) or None,
            metrics=list(metrics) or None,
            markers=markers,
            config=config,
            baseline=learnt,
            progress=progress,
        )
    click.echo(str(report))
    if page:
        report.to_html(page)
    if json_:
        report.to_json(json_)
    if send:
        with closing(sinks.configured(alerts)) as box:
            click.echo(delivered(report.send(box)))
    return int(any(SEVERITIES.index(i.severity) >= SEVERITIES.index(fail_on) for i in report.incidents))


SCENARIO = click.option("--scenario", metavar="NAME", help="A scenario or control; see: driftwatch simulate --list.")
SEVERITY = click.option("--severity", type=click.Choice(FELT), default="moderate", show_default=True, help="How bad.")
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all draws.")
MINUTES = click.option("--minutes", type=Number(min=0), default=60.0, show_default=True, help="How long.")


@app.command()
@click.option("--html", "page", type=Output(), metavar="FILE", help="The report (driftwatch-demo.html).")
@click.option("--live", is_flag=True, help="Watch a simulated deployment break, in accelerated time.")
@SCENARIO
@SEVERITY
@SEED
@MINUTES
@click.option("--speed", type=Number(min=0), default=60.0, show_default=True, help="0: as fast as possible.")
@click.pass_context
def demo(ctx: click.Context, /, page: Path | None, live: bool, speed: float, **simulated: Any) -> int:
    """Scan the real recording that comes with the package, and write a report of it; or, with --live, watch one.

    All options but --html are for --live.
    """
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if live and page:
        raise click.UsageError("--html writes no report of what is watched live; leave out one of the two")
    if not live and (extra := sorted({*given} - {"page"})):
        raise click.UsageError(f"--{extra[0]} is for --live, which is not given")
    if live:
        return demo_live(speed, **simulated)
    page = page or Path("driftwatch-demo.html")
    click.echo(f"Scanning {recording()} (its README says how it was made) ...\n")
    with progress_bar() as progress:
        report = dw.scan(recording(), progress=progress)
    click.echo(str(report))
    report.to_html(page)
    click.echo(f"\nReport with charts: {page}")
    return 0


def demo_live(speed: float, scenario: str | None, severity: str, seed: int, minutes: float) -> int:
    """Watch a simulated deployment."""
    name = scenario or "kv_hog"
    click.echo(f"Simulating {minutes:g} minutes of {name}, {severity}, seed {seed} ...")
    watch(simulation(name, severity, seed, minutes=minutes), speed, click.echo)
    return 0


@app.command()
@SCENARIO
@SEVERITY
@SEED
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Where to write it.")
@click.option("--shape", type=click.Choice(SHAPES), help="How it comes; as the scenario has it unless given.")
@MINUTES
@click.option(
    "--scrape",
    type=Number(min=1, max=300),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between scrapes of the metrics.",
)
@click.option(
    "--with", "confounders", multiple=True, type=click.Choice([*CONFOUNDERS]), help="What else goes on. Repeatable."
)
@click.option("--text/--no-text", default=None, help="Give the requests real prompts and answers, or none (default).")
@click.option("--answers", metavar="FILE", help="Other answers than the bundled ones, for --text.")
@click.option("--list", "listing", is_flag=True, help="List all scenarios and controls, and stop.")
def simulate(
    scenario: str | None,
    severity: str,
    seed: int,
    out: Path | None,
    scrape: float,
    text: bool | None,
    answers: str | None,
    listing: bool,
    **options: Any,
) -> int:
    """Write a recording of a simulated deployment in which something breaks, and the truth about it."""
    if listing:
        click.echo(catalogue(), nl=False)
        return 0
    if scenario is None or out is None:
        raise click.UsageError("give --scenario NAME and --out FOLDER; --list shows the names")
    if text is False and answers:
        raise click.UsageError("--answers are of no use with --no-text")
    real = Answers.load(Path(answers) if answers else None) if text or answers else None
    recorded = simulation(scenario, severity, seed, scrape_s=scrape, answers=real, **options)
    click.echo(summary(recorded, recorded.write(out)))
    return 0


@app.command()
@click.argument("requests", nargs=-1, required=True)
@click.option("--metrics", multiple=True, metavar="FILE", help="Metrics of the same time. Repeatable.")
@click.option("--config", metavar="FILE", help="Configuration (TOML).")
@click.option("--out", type=Output(), required=True, metavar="FILE", help="Where to save the baseline.")
def fit(requests: tuple[str, ...], metrics: tuple[str, ...], config: str | None, out: Path) -> int:
    """Learn what is healthy from REQUESTS, and save it for scan --baseline."""
    dw.fit(list(requests), metrics=list(metrics) or None, config=config).save(out)
    click.echo(f"Baseline saved: {out}")
    return 0


@app.command()
@click.argument("requests", nargs=-1)
@click.option("--config", metavar="FILE", help="Configuration (TOML).")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="R", help="Without a log: requests a second (1)."
)
@click.option("--json", "json_", type=Output(), metavar="FILE", help="Write all of it as JSON.")
def budget(requests: tuple[str, ...], config: str | None, rate: float | None, json_: Path | None) -> int:
    """Say what the false-alarm budget costs: how long changes take to be noticed.

    REQUESTS are logs of healthy traffic; without them, typical noise is assumed.
    """
    if requests and rate is not None:
        raise click.UsageError("give either request logs, which have a rate of their own, or --rate")
    with progress_bar() as progress:
        learnt = dw.fit(list(requests), config=config, progress=progress) if requests else None
    price = delays(config, learnt, rate=rate or 1.0)
    click.echo(str(price), nl=False)
    if json_ is not None:
        price.to_json(json_)
    return 0


@app.command()
@click.argument("incidents", metavar="INCIDENTS.JSON", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice((*FORMATS, "json")),
    default="text",
    show_default=True,
    help="How to say it.",
)
@click.option("--id", "id_", metavar="ID", help="Only this incident.")
@click.option("--out", type=Output(), metavar="FILE", help="Write it there instead of printing it.")
def explain(incidents: Path, format_: Format | Literal["json"], id_: str | None, out: Path | None) -> int:
    """Say in words what is in INCIDENTS.JSON: what scan --json wrote, one incident, or an alert's lines."""
    stored = stored_report(incidents)
    chosen = [i for i in stored.incidents if id_ in (None, i.id)]
    if id_ and not chosen:
        raise InputError(f"there is no incident '{id_}'", source=str(incidents))
    if format_ == "json":
        said = json.dumps([i.to_dict() for i in chosen], indent=2)
    elif format_ == "html":
        said = html.page(chosen) if id_ or not stored.version else stored.page()
    else:
        said = "\n\n".join(i.explain(format_) for i in chosen) or "No incidents."
    if out is None:
        click.echo(said)
    else:
        out.write_text(said, encoding="utf-8")
    return 0


@app.command()
def config() -> int:
    """Print the default configuration, every key with its meaning."""
    click.echo(default_toml(), nl=False)
    return 0


app.add_command(watch_live)
app.add_command(collect)


@contextmanager
def progress_bar() -> Iterator[Any]:
    """Show how far the reading is, on a terminal; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


def run(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        return int(app.main(args, prog_name="driftwatch", standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
    except (DriftwatchError, OSError) as error:
        click.echo(f"driftwatch: {error}", err=True)
    except click.Abort:
        return 130
    return 2

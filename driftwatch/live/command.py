"""The command ``driftwatch watch``."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterable
from types import FrameType

import click

from driftwatch.errors import DriftwatchError
from driftwatch.explain import tell
from driftwatch.incidents import Incident
from driftwatch.live.settings import Settings
from driftwatch.live.sources import sources_of
from driftwatch.live.watch import Watch
from driftwatch.readers.quarantine import Quarantine


@click.command()
@click.option("--config", "path", required=True, metavar="WATCH.TOML", help="What to read, and whom to tell.")
@click.option("--check", is_flag=True, help="Read every source once, say how it went, and stop.")
def watch(path: str, check: bool) -> int:
    """Watch live: scrape metrics, follow request logs, detect, explain and alert, until it is told to stop.

    Each transition of an incident is one line on standard output.
    """
    settings = Settings.load(path)
    return checked(settings) if check else watched(settings)


def watched(settings: Settings) -> int:
    """Watch until SIGTERM or SIGINT."""
    logging.basicConfig(format="%(levelname)s %(message)s")
    service = Watch(settings, news=lambda incident: click.echo(line(incident)))

    def stop(number: int, frame: FrameType | None) -> None:
        service.ask_to_stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with service:
        page = f"; its page: http://{settings.serve.host}:{service.port}/metrics" if settings.serve else ""
        click.echo(f"Watching {', '.join(service.health()) or 'nothing'}{page}")
        service.wait()
    return 0


def checked(settings: Settings) -> int:
    """Read every source once; 2 if one cannot be read."""
    outcomes = [*_outcomes(settings)]
    for name, outcome in outcomes:
        click.echo(f"{name}: {outcome}")
    return 2 if any(outcome.startswith("cannot") for _, outcome in outcomes) else 0


def _outcomes(settings: Settings) -> Iterable[tuple[str, str]]:
    for source in sources_of(settings, Quarantine()):
        try:
            rows = sum(len(batch) for batch in source.read(time.time()) if batch is not None)
        except DriftwatchError as error:
            yield source.name, f"cannot be read: {error}"
        else:
            yield source.name, f"{rows} rows"
        finally:
            source.close()


def line(incident: Incident) -> str:
    """A transition in one line: when, which, and what is said of it."""
    when = incident.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    told = tell(incident)
    return f"{when} {incident.id} #{incident.seq} [{' | '.join(told.badges)}] {told.headline}"

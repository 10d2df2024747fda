"""``driftwatch collect``."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

from driftwatch.collector.collector import Collector
from driftwatch.errors import ConfigError


@click.command()
@click.option("--listen", required=True, metavar="ADDRESS", help="unix:///path or http://host:port.")
@click.option("--config", type=click.Path(path_type=Path), help="The same file as the workers'.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Holds the token; by default $DRIFTWATCH_TOKEN.")
def collect(listen: str, config: Path | None, token_file: Path | None) -> int:
    """Watch several workers of one service as one: take their ticks, judge them, alert.

    Serves GET /metrics and /incidents (with the token), and /healthz. Ends with SIGTERM or SIGINT.
    """
    secret = os.environ.get("DRIFTWATCH_TOKEN", "") if token_file is None else _read(token_file)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Collector(listen, secret, config) as collector:
        click.echo(f"listening at {collector.address}")
        ended.wait()
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the token cannot be read ({error})") from error

"""From settings to the sources that they name."""

from __future__ import annotations

from collections.abc import Iterator

from driftwatch.live.gpus import Gpus
from driftwatch.live.host import Host
from driftwatch.live.pages import Page
from driftwatch.live.prometheus import PrometheusServer
from driftwatch.live.settings import Settings
from driftwatch.live.source import Source
from driftwatch.readers.quarantine import Quarantine


def sources_of(settings: Settings, quarantine: Quarantine) -> Iterator[Source]:
    """Every source that the settings name, ready to be read.

    Raises
    ------
    MissingExtra
        If one needs a package that is not installed.
    DriftwatchError
        If GPUs are asked for and there is no driver.

    Examples
    --------
    >>> [source.name for source in sources_of(Settings.parse({"host": {}}), Quarantine())]
    ['host']
    """
    for target in settings.targets:
        yield Page(target, settings.config, quarantine)
    for server in settings.servers:
        yield PrometheusServer(server, settings.config, quarantine)
    if settings.host is not None:
        yield Host(settings.host)
    if settings.gpu is not None:
        yield Gpus(settings.gpu)

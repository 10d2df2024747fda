"""The service's own page: how its sources are doing, for whoever watches the watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from driftwatch._optional import load
from driftwatch.errors import ConfigError
from driftwatch.live.settings import Serve
from driftwatch.live.source import Health

_COUNTERS = (
    ("reads", "Readings of a source that went well."),
    ("failures", "Readings of a source that failed."),
    ("overdue", "Readings that were left out because the one before had not come back."),
    ("rows", "Samples or requests that a source gave."),
)


class Sources:
    """A collector of prometheus_client for the sources of a watch.

    Parameters
    ----------
    health
        Gives the health of each source by its name.
    """

    def __init__(self, health: Callable[[], Mapping[str, Health]]) -> None:
        self._health = health
        self._core = load("prometheus_client.core", "prometheus")

    def collect(self) -> Iterator[Any]:
        """One family a count, a sample a source."""
        sources = self._health()
        for name, meaning in _COUNTERS:
            family = self._core.CounterMetricFamily(f"driftwatch_source_{name}", meaning, labels=["source"])
            for source, health in sources.items():
                family.add_metric([source], getattr(health, name))
            yield family
        up = self._core.GaugeMetricFamily(
            "driftwatch_source_up", "Whether the newest reading went well.", labels=["source"]
        )
        for source, health in sources.items():
            up.add_metric([source], float(health.last_read_at is not None and not health.last_error))
        yield up


@contextmanager
def served(settings: Serve | None, collectors: Iterable[Any]) -> Iterator[int]:
    """Serve the collectors' page while inside; gives the port (0 where nothing is to be served).

    Raises
    ------
    ConfigError
        If the port is taken.
    """
    if settings is None:
        yield 0
        return
    client = load("prometheus_client", "prometheus")
    registry = client.CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    try:
        server, thread = client.start_http_server(settings.port, settings.host, registry)
    except OSError as error:
        raise ConfigError(f"serve: {settings.host}:{settings.port} cannot be listened on ({error.strerror})") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

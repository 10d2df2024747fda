"""The service: sources into a monitor, and what it finds to whom it concerns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from driftwatch.incidents import Incident
from driftwatch.live.alerts import sinks_of
from driftwatch.live.exposition import Sources, served
from driftwatch.live.poller import Poller
from driftwatch.live.settings import Settings
from driftwatch.live.source import Health
from driftwatch.live.sources import sources_of
from driftwatch.monitor import Monitor
from driftwatch.readers.quarantine import Quarantine
from driftwatch.sinks import Outbox

_LONGEST_REST_S = 1.0

log = logging.getLogger("driftwatch")

News = Callable[[Incident], None]
"""Told of each transition of an incident."""


class Watch:
    """Reads the sources of its settings into a monitor, in threads of its own.

    Parameters
    ----------
    settings
        What to read and how to judge.
    monitor
        Who judges. By default one is made, which judges requests from the logs, or, where there is none, by the
        engines' latency histograms.
    news
        Called with each transition of an incident, from the watching thread.

    Attributes
    ----------
    port
        Where its page is served; 0 before it runs, and where there is none.

    Raises
    ------
    DriftwatchError
        If a source cannot be used on this machine at all.

    Examples
    --------
    >>> with Watch(Settings.parse({"host": {"every_s": 1.0}})) as watch:
    ...     sorted(watch.health())
    ['host']
    """

    def __init__(self, settings: Settings, monitor: Monitor | None = None, news: News | None = None) -> None:
        self.settings, self.news, self.port = settings, news, 0
        self.quarantine = Quarantine()
        sources = tuple(sources_of(settings, self.quarantine))
        destinations = tuple(sinks_of(settings))
        self._outbox = Outbox(settings.outbox or None, destinations) if destinations else None
        self.monitor = monitor or Monitor(settings.judging())
        self._poller = Poller(sources, self.monitor.feed)
        self._told: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._turns, name="driftwatch-watch", daemon=True)
        self._open = ExitStack()

    def health(self) -> dict[str, Health]:
        """How each source is doing."""
        return self._poller.health()

    def start(self) -> None:
        """Watch in a thread.

        Raises
        ------
        ConfigError
            If its page cannot be served.
        """
        self.port = self._open.enter_context(served(self.settings.serve, [Sources(self.health)]))
        if self._outbox is not None:
            self._open.enter_context(self._outbox)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the watch end soon; may be called from a signal handler."""
        self._stopping.set()

    def wait(self) -> None:
        """Return when it was asked to stop."""
        while not self._stopping.wait(_LONGEST_REST_S):
            pass

    def stop(self) -> None:
        """End the watch, and the monitor."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(2 * _LONGEST_REST_S)
        self._poller.stop()
        self.monitor.close()
        self._tell()
        self._open.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: Any) -> None:
        self.stop()

    def _turns(self) -> None:
        while not self._stopping.is_set():
            try:
                rest = self._poller.turn()
                self._tell()
            except Exception:  # a full disk, say: the next turn may go better
                log.exception("driftwatch: a turn of the watch failed")
                rest = _LONGEST_REST_S
            self._stopping.wait(min(rest, _LONGEST_REST_S))

    def _tell(self) -> None:
        known = self.monitor.incidents()
        new = [incident for incident in known if self._told.get(incident.id, -1) < incident.seq]
        if self._outbox is not None and new:
            self._outbox.put(new)
        if self.news is not None:
            for incident in new:
                self.news(incident)
        self._told = {incident.id: incident.seq for incident in known}

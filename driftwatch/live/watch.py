"""The service: sources into a monitor, and what it finds to whom it concerns."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

from driftwatch.baseline import Baseline
from driftwatch.events.columns import Batch, Requests
from driftwatch.incidents import Incident
from driftwatch.live.alerts import sinks_of
from driftwatch.live.exposition import exposition, served
from driftwatch.live.logs import Followed
from driftwatch.live.poller import Poller
from driftwatch.live.settings import Settings
from driftwatch.live.source import Health, Source
from driftwatch.live.sources import sources_of
from driftwatch.monitor import Monitor
from driftwatch.monitor.clock import SteadyClock
from driftwatch.readers.quarantine import Quarantine

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
    inside
        Whether somebody in this process tells the monitor of requests; otherwise they come from the logs, or, where
        there is none, the engines' latency histograms stand for them.
    news
        Called with each transition of an incident, from the watching thread.

    Attributes
    ----------
    monitor
        Who judges.
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

    def __init__(self, settings: Settings, *, inside: bool = False, news: News | None = None) -> None:
        self.settings, self.news, self.port = settings, news, 0
        self.quarantine = Quarantine()
        self._clock = SteadyClock()
        learnt = Baseline.load(settings.baseline) if settings.baseline else None
        self.monitor = Monitor(settings.judging(inside=inside), tuple(sinks_of(settings)), baseline=learnt)
        sources = tuple(sources_of(settings, self.quarantine, self.monitor.offsets))
        for source in sources:
            self._feed(source, None)  # before time passes: what a log holds already is not late
        self._poller = Poller(sources, self._feed, self._clock.now)
        self._told: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._turns, name="driftwatch-watch", daemon=True)
        self._page = ExitStack()

    def health(self) -> dict[str, Health]:
        """How each source is doing."""
        return self._poller.health()

    def start(self, *, page: bool = True) -> None:
        """Watch in a thread.

        Parameters
        ----------
        page
            Serve the page, if the settings ask for one.

        Raises
        ------
        ConfigError
            If its page cannot be served.
        """
        self.port = self._page.enter_context(served(self.settings.serve if page else None, self.page))
        self._thread.start()

    def page(self) -> str:
        """What is served: how the monitor and the sources are doing, and what is wrong."""
        return self.monitor.metrics_text() + exposition(self.health())

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
        self._page.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: Any) -> None:
        self.stop()

    def _turns(self) -> None:
        while not self._stopping.is_set():
            try:
                self._clock.look()
                rest = self._poller.turn()
                self._tell()
            except Exception:  # a full disk, say: the next turn may go better
                log.exception("driftwatch: a turn of the watch failed")
                rest = _LONGEST_REST_S
            self._stopping.wait(min(rest, _LONGEST_REST_S))

    def _feed(self, source: Source, batch: Batch | None) -> None:
        if isinstance(source, Followed):
            batch = moved(batch, self._clock.offset) if isinstance(batch, Requests) else batch
            self.monitor.feed(batch, source.name, source.offset, more=source.more)
        elif batch is not None and len(batch):
            self.monitor.feed(batch)

    def _tell(self) -> None:
        known = self.monitor.incidents()
        for incident in known:
            if self.news is not None and self._told.get(incident.id, -1) < incident.seq:
                self.news(incident)
        self._told = {incident.id: incident.seq for incident in known}


def moved(requests: Requests, offset: float) -> Requests:
    """Requests whose times are of a wall clock that jumped, by a clock that did not.

    Parameters
    ----------
    requests
        As logged.
    offset
        Seconds by which the steady clock is ahead of the wall clock.
    """
    if not offset:
        return requests
    return replace(requests, started_at=requests.started_at + offset, completed_at=requests.completed_at + offset)

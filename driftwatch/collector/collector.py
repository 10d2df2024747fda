"""A collector: a server for workers, a journal, and one monitor of all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from driftwatch.baseline import Baseline
from driftwatch.collector.journal import Journal
from driftwatch.collector.merged import Merged
from driftwatch.collector.server import Server, bound
from driftwatch.config import Config
from driftwatch.errors import ConfigError, StateError
from driftwatch.monitor import Monitor
from driftwatch.monitor.parcel import opened
from driftwatch.monitor.post import Sinks

_SOURCE = "journal"


class Collector:
    """Takes the ticks of several workers of a service, and watches it as one.

    Parameters
    ----------
    listen
        ``unix:///path`` or ``http://host:port`` (port 0 takes any that is free).
    token
        What workers must know.
    config
        The same file as the workers'. With ``monitor.folder`` nothing that a worker was thanked for is lost in a crash.
    sinks, baseline, clock
        As for `driftwatch.Monitor`.

    Raises
    ------
    ConfigError
        If the address is none or cannot be bound, or there is no token.

    Examples
    --------
    >>> import driftwatch as dw
    >>> with Collector("http://127.0.0.1:0", "secret") as collector:
    ...     with dw.Monitor(collector=collector.address, token="secret") as monitor:
    ...         monitor.request(model="m", ttft=0.41, latency=6.2)
    ...     sent = monitor.stats().collector
    >>> sent.delivered > 0, sent.pending
    (True, 0)
    """

    def __init__(
        self,
        listen: str,
        token: str,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        sinks: Sinks = (),
        *,
        baseline: Baseline | None = None,
        clock: Callable[[], float] | Literal["events"] | None = None,
    ) -> None:
        if not token:
            raise ConfigError("a collector needs a token: whoever can reach it could tell it anything")
        self.config = Config.load(config)
        folder = self.config.monitor.folder
        self.monitor = Monitor(self.config, sinks, clock=clock, place=lambda: Merged(self.config, baseline))
        self.journal = Journal(Path(folder) / "journal" if folder else None)
        self._taking = threading.Lock()
        self._go_on()
        self._server: Server = bound(listen, token, self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="driftwatch-collector", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        """Take what came after the checkpoint that is gone on from."""
        for number, content in self.journal.after(self.monitor.offsets.get(_SOURCE, 0)):
            try:
                self.monitor.feed(opened(content, self.config), _SOURCE, number, more=True)
            except StateError:
                continue  # its worker was thanked under other settings: nothing can be done about it
        self.monitor.feed(None, _SOURCE, self.journal.newest)

    @property
    def address(self) -> str:
        """Where workers reach it."""
        return self._server.address

    def take(self, content: bytes) -> None:
        """Take a parcel: it is on disk when this returns.

        Raises
        ------
        StateError
            If it is none, or does not fit.
        OSError
            If it cannot be written.
        """
        parcel = opened(content, self.config)
        with self._taking:
            number = self.journal.add(content)
            self.monitor.feed(parcel, _SOURCE, number)
            self.journal.prune(self.monitor.offsets.get(_SOURCE, 0))

    def close(self, timeout: float = 5.0) -> None:
        """Take nothing more, save, and end.

        Parameters
        ----------
        timeout
            Seconds that each of these may take.
        """
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout)
        self.monitor.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

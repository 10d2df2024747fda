"""The face in serving code: calls that cost next to nothing, and one thread that does the rest."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from driftwatch.config import Config
from driftwatch.errors import StateError
from driftwatch.monitor import checkpoint
from driftwatch.monitor.background import Background
from driftwatch.monitor.clock import GivenClock, SteadyClock
from driftwatch.monitor.exposition import exposition
from driftwatch.monitor.handoff import HEAVY
from driftwatch.monitor.place import Fed, Place
from driftwatch.monitor.post import Sinks
from driftwatch.monitor.stats import Stats
from driftwatch.monitor.work import Work

if TYPE_CHECKING:
    from driftwatch.baseline import Baseline
    from driftwatch.incidents import Incident


class Monitor:
    """Watches the requests of a serving process from within.

    `request` and its siblings may be called from any thread or event loop: they append to a queue, take no lock, look
    at nothing and never raise. One background thread, started by the first call, does everything else; after a fork
    the child has its own, and begins with an empty queue.

    Parameters
    ----------
    config
        A TOML file, a mapping, or a `Config`.
    sinks
        Where incidents are sent (`driftwatch.sinks`).
    baseline
        What is healthy, from `driftwatch.fit`; without it, it is learnt from the first requests.
    clock
        For replays: a function that returns the time in seconds since the epoch, or ``"events"`` to let time pass only
        as events come in. By default the time passes evenly from the wall clock's when the monitor is made.
    collector, token
        In one of several workers: where to hand its ticks (``unix:///path`` or ``http://host:port``; by default
        ``monitor.collector``), and the secret that is asked for there (by default ``$DRIFTWATCH_TOKEN``).
    place
        Makes what takes the events, where that is neither the engine nor a collector.

    Raises
    ------
    ConfigError
        If the configuration is wrong. Nothing else raises, later.

    Examples
    --------
    >>> with Monitor(clock="events") as monitor:
    ...     monitor.request(model="m", ttft=0.41, latency=6.2, at=1767225600.0)
    ...     monitor.flush()
    ...     monitor.stats().state, monitor.incidents()
    ('learning', ())
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        sinks: Sinks = (),
        *,
        baseline: Baseline | None = None,
        clock: Callable[[], float] | Literal["events"] | None = None,
        collector: str | None = None,
        token: str | None = None,
        place: Callable[[], Place] | None = None,
    ) -> None:
        self.config = Config.load(config)
        if collector is not None:
            self.config = self.config.model_copy(
                update={"monitor": self.config.monitor.model_copy(update={"collector": collector})}
            )
        self._sinks, self._given_clock = sinks, clock
        self._place = place or self._usual_place(baseline, token)
        self._begin()
        self._background = Background(lambda: self._work.turn(), self._begin, self.close, lambda: self._work.lock)

    def _usual_place(self, baseline: Baseline | None, token: str | None) -> Callable[[], Place]:
        config = self.config
        if not config.monitor.collector:
            from driftwatch.monitor.local import Local

            return lambda: Local(config, baseline)
        from driftwatch.monitor.remote import Remote  # a worker of a collector judges nothing: it loads no engine

        secret = os.environ.get("DRIFTWATCH_TOKEN", "") if token is None else token
        return lambda: Remote(config, secret)

    @classmethod
    def load(
        cls,
        path: str | Path,
        sinks: Sinks = (),
        config: Config | Mapping[str, Any] | str | Path | None = None,
        **settings: Any,
    ) -> Self:
        """Go on from what `save` wrote; where that cannot be read, begin anew and say so in `stats`.

        Parameters
        ----------
        path
            The file; if it is damaged, the one before it is used.
        sinks, **settings
            As for `Monitor`.
        config
            By default the one that was saved.
        """
        given = None if config is None else Config.load(config)
        try:
            known, state = checkpoint.latest(Path(path), given)
        except StateError as error:
            monitor = cls(given, sinks, **settings)
            monitor._work.fault("checkpoint", error)
            return monitor
        monitor = cls(known, sinks, **settings)
        monitor._begin(state)
        return monitor

    def _begin(self, state: Mapping[str, Any] | None = None) -> None:
        clock = (lambda: math.nan) if self._given_clock == "events" else self._given_clock
        steady = SteadyClock() if clock is None else GivenClock(clock)
        self._work = Work(self.config, self._place, self._sinks, steady, state)
        self._room = self.config.monitor.text_mb << 20
        self._stamp, self._handoff, self._calls = steady.stamp, self._work.handoff, self._work.handoff.calls

    def request(self, /, *wrong: object, **fields: Any) -> None:
        """Tell of a request that ended.

        Parameters
        ----------
        **fields
            What is known of it: ``request_id, started_at, completed_at, model, route, tenant, replica, prompt_tokens,
            output_tokens, cached_tokens, ttft, latency, itl_mean, queue_time, finish_reason, status, error, labels``.
            Durations are in seconds, times in seconds since the epoch (or datetimes, or ISO 8601). ``at`` is when it
            ended, by default now. Names that others use for these are understood. What cannot be used is counted by
            reason in `stats`.
        """
        calls = self._calls
        if wrong or len(calls) >= self._handoff.limit:
            return self._handoff.refuse(wrong)
        if not HEAVY.isdisjoint(fields):
            self._handoff.lighten(fields, self._room)
        calls.append(("request", self._stamp(), fields))
        if not self._background.running:
            self._background.start()

    def started(self, /, *wrong: object, **fields: Any) -> None:
        """Tell of a request that began: those that never end, and those in flight, become visible.

        Parameters
        ----------
        **fields
            ``request_id``, the labels, and ``at``, by default now.
        """
        self._append("started", fields, wrong)

    def metric(
        self,
        name: str = "",
        value: float = math.nan,
        labels: Mapping[str, str] | None = None,
        at: Any = None,
        *wrong: object,
        **more: object,
    ) -> None:
        """Tell of a sample of a time series, under the name that its source gives it.

        Parameters
        ----------
        name, value
            As exposed: a counter is cumulative. Series that nobody asks for are ignored.
        labels
            Its labels.
        at
            When it was measured, by default now.
        *wrong, **more
            Arguments that there are not: the call is shed, and counted.
        """
        self._append("metric", {"name": name, "value": value, "labels": labels, "at": at}, wrong or more)

    def marker(
        self,
        kind: str = "event",
        text: str = "",
        labels: Mapping[str, str] | None = None,
        at: Any = None,
        *wrong: object,
        **more: object,
    ) -> None:
        """Tell of something that people or a deploy system did.

        Parameters
        ----------
        kind, text
            ``deploy``, ``config``, ``restart``, ... and what it says.
        labels
            What it concerns, such as a replica.
        at
            When it happened, by default now.
        *wrong, **more
            Arguments that there are not: the call is shed, and counted.
        """
        self._append("marker", {"kind": kind, "text": text, "labels": labels, "at": at}, wrong or more)

    def _append(self, kind: Literal["started", "metric", "marker"], fields: Mapping[str, Any], wrong: object) -> None:
        if wrong or len(self._calls) >= self._handoff.limit:
            return self._handoff.refuse(wrong)
        self._calls.append((kind, self._stamp(), fields))
        if not self._background.running:
            self._background.start()

    def maintenance(self, duration_s: float, text: str = "", **where: str) -> None:
        """From now on, page nobody about these streams for a while; what is still wrong after that is told then.

        Parameters
        ----------
        duration_s
            How long, in seconds.
        text
            Why.
        **where
            Labels of the streams, such as ``model="m"``; all of them if there are none.
        """
        now = self._work.clock.now() - self._work.clock.offset
        until = datetime.fromtimestamp(now, UTC) + timedelta(seconds=duration_s)
        self.marker("maintenance", text, {**where, "until": until.isoformat()}, at=now)

    def feed(self, batch: Fed | None, source: str | None = None, offset: Any = None, *, more: bool = False) -> None:
        """Take a whole batch of columns, as readers make them; unlike a call it is never shed.

        For sources that can be read again: what is told of a source is saved with what was made of its batch, so that
        it can be read from there (see `offsets`).

        Parameters
        ----------
        batch
            `Requests`, `Metrics` or `Markers`; None where there is only something to tell of the source.
        source
            Its name.
        offset
            Where to go on, as JSON types.
        more
            Whether there is more to be read at once. While there is, time passes only as events come in: what happened
            long ago and is read late is not late.
        """
        self._work.add(batch, source, offset, more=more)
        if not self._background.running:
            self._background.start()

    @property
    def offsets(self) -> Mapping[str, Any]:
        """By source, how far it had been read when the newest checkpoint was written: where to go on after a crash."""
        self._work.begin()
        return self._work.saved_offsets

    def incidents(self) -> tuple[Incident, ...]:
        """Incidents that are open, and those that ended of late, by opening time; each as of its newest transition."""
        return self._work.known.incidents

    def acknowledge(self, id: str) -> Incident:
        """Take note that somebody knows of an incident; it goes on being watched.

        Raises
        ------
        InputError
            If no such incident is open.
        """
        return self._work.say("acknowledge", id)

    def accept(self, id: str) -> Incident:
        """Take what an incident brought as the new normal: it is over, and what is healthy is learnt anew from here.

        Raises
        ------
        InputError
            If no such incident is open.
        """
        return self._work.say("accept", id)

    def stats(self) -> Stats:
        """How the monitor is doing; of what takes long to find out, as of the newest tick."""
        return self._work.stats()

    def metrics_text(self) -> str:
        """The same as a Prometheus page, with the incidents that are open (`driftwatch.monitor.CONTENT_TYPE`)."""
        return exposition(self.stats(), self.incidents(), self._work.sinks())

    def flush(self) -> None:
        """Take in all that waits and judge every tick that is final, before it returns."""
        self._work.flush()

    def finish(self) -> None:
        """Judge what is left, as at the end of a log: nothing more will come."""
        self._work.finish()

    def save(self, path: str | Path) -> None:
        """Write all that is known to a file (``.npz``), whole or not at all; the one before is kept beside it.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        self._work.save(Path(path))

    def close(self, timeout: float = 5.0) -> None:
        """Take in all that waits, save, and end the background thread; calls after this are shed, and counted.

        Parameters
        ----------
        timeout
            Seconds that each of these may take.
        """
        self._handoff.close()
        self._background.stop(timeout)
        self._work.end(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

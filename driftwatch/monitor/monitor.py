"""The face in serving code: calls that cost next to nothing, and one thread that does the rest."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.events.columns import Batch
from driftwatch.incidents import Incident
from driftwatch.monitor.background import Background
from driftwatch.monitor.clock import GivenClock, SteadyClock
from driftwatch.monitor.handoff import Call, Handoff
from driftwatch.monitor.intake import SOURCE, Intake
from driftwatch.monitor.local import Known, Local
from driftwatch.monitor.stats import Stats
from driftwatch.readers import Quarantine

_LOG = logging.getLogger("driftwatch")
_SLICE = 128  # calls that are read at once: the thread holds the interpreter for less than a millisecond
_BREATH_S = 5e-5  # a sleep, however short, lets others have the interpreter
_AHEAD_S = 60.0  # clocks of one service agree better than this


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
        sinks: Sequence[Any] = (),
        *,
        baseline: Baseline | None = None,
        clock: Callable[[], float] | Literal["events"] | None = None,
    ) -> None:
        self.config = Config.load(config)
        self._baseline, self._sinks, self._clock_of = baseline, tuple(sinks), clock
        self._begin()
        self._background = Background(self._turn, self._begin, self.close)

    def _begin(self) -> None:
        """Start from nothing: when it is made, and in the child of a fork."""
        clock = self._clock_of
        given = (lambda: math.nan) if clock == "events" else clock
        self._clock: SteadyClock | GivenClock = SteadyClock() if given is None else GivenClock(given)
        self._stamp = self._clock.stamp
        self._handoff = Handoff(self.config.monitor.queue)
        self._calls = self._handoff.calls
        self._quarantine = Quarantine()
        self._intake = Intake(self.config, self._quarantine)
        self._place = Local(self.config, self._baseline)
        self._working = threading.Lock()
        self._known = Known()
        self._cpu_s = 0.0
        self._rest_until = 0.0
        self._errors, self._last_error = 0, ""

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

    def feed(self, batch: Batch) -> None:
        """Take a whole batch of columns, as readers make them; unlike a call it is never shed.

        Parameters
        ----------
        batch
            `Requests`, `Metrics` or `Markers`.
        """
        with self._working:
            self._place.add(batch)
        if not self._background.running:
            self._background.start()

    def incidents(self) -> tuple[Incident, ...]:
        """Incidents that are open, and those that ended of late, by opening time; each as of its newest transition."""
        return self._known.incidents

    def flush(self) -> None:
        """Take in all that waits and judge every tick that is final, before it returns."""
        self._work(flush=True)

    def finish(self) -> None:
        """Judge what is left, as at the end of a log: nothing more will come."""
        self.flush()
        with self._working:
            self._publish(self._place.finish())

    def close(self, timeout: float = 5.0) -> None:
        """Take in all that waits, and end the background thread; calls after this are shed, and counted.

        Parameters
        ----------
        timeout
            Seconds that it may take.
        """
        self._handoff.close()
        self._background.stop(timeout)
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stats(self) -> Stats:
        """How the monitor is doing; of what takes long to find out, as of the newest tick."""
        now, until = self._clock.now(), self._known.judged_until
        return Stats(
            state="watching" if any(s.state == "watching" for s in self._known.streams) else "learning",
            streams=self._known.streams,
            threshold=self._place.threshold,
            shed=self._handoff.shed(),
            quarantined={q.reason: q.count for q in self._quarantine.rows()},
            late=self._known.late,
            duplicates=self._known.duplicates,
            queue=len(self._calls),
            tick_lag_s=None if until is None or math.isnan(now) else max(now - until, 0.0),
            background_cpu_s=self._cpu_s,
            errors=self._errors,
            last_error=self._last_error,
            clock_jumps=self._clock.jumps,
            clock_offset_s=self._clock.offset,
            notes=self._quarantine.notes,
        )

    def _turn(self) -> float:
        began = time.thread_time()
        self._work()
        self._cpu_s += time.thread_time() - began
        return self.config.monitor.pause_s

    def _work(self, *, flush: bool = False) -> None:
        try:
            with self._working:
                self._clock.look()
                now = self._clock.now()
                self._take_in(now)
                if flush or time.monotonic() >= self._rest_until:
                    began = time.thread_time()
                    self._publish(self._place.advance(None if math.isnan(now) else now))
                    self._rest_until = time.monotonic() + (time.thread_time() - began) / self.config.monitor.cpu_share
        except Exception as error:  # a guest never brings its host down
            self._fault(error)

    def _take_in(self, now: float) -> None:
        """All that waits, a little at a time."""
        latest = math.inf if math.isnan(now) else now + _AHEAD_S
        for _ in range(len(self._calls) // _SLICE + 1):
            calls = self._handoff.take(_SLICE)
            if not calls:
                return
            for kinds in (("metric",), ("marker",), ("request", "started")):
                some = [call for call in calls if call[0] in kinds]
                if some:
                    self._read(some, latest)
            time.sleep(_BREATH_S)

    def _read(self, calls: Sequence[Call], latest: float) -> None:
        """Hand on some calls of one kind; what makes the reading fail is found by halves, and left out."""
        try:
            batch = self._batch(calls, latest)
        except Exception as error:  # an object of the caller's that raises when it is looked at
            if len(calls) == 1:
                self._quarantine.add(SOURCE, f"it cannot be read ({type(error).__name__})")
                return
            half = len(calls) // 2
            self._read(calls[:half], latest)
            self._read(calls[half:], latest)
            return
        if len(batch):
            self._place.add(batch)

    def _batch(self, calls: Sequence[Call], latest: float) -> Batch:
        at = np.array([self._clock.at(stamp) for _, stamp, _ in calls])
        if calls[0][0] == "metric":
            return self._intake.metrics(calls, at, self._clock.offset)
        if calls[0][0] == "marker":
            return self._intake.markers(calls, at, self._clock.offset)
        return self._intake.requests(calls, at, self._clock.offset, latest)

    def _publish(self, transitions: Iterable[Incident]) -> None:
        self._known = self._place.known()
        del transitions

    def _fault(self, error: Exception) -> None:
        self._errors, self._last_error = self._errors + 1, f"{type(error).__name__}: {error}"
        if self._errors == 1:
            _LOG.exception("driftwatch: a fault of its own, which stats() counts from now on")

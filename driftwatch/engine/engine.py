"""Ticks in order, one epoch after the other: judged, told as incidents, and learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from driftwatch.attribution.history import StreamHistory
from driftwatch.baseline import Baseline, StreamBaseline, sender_of
from driftwatch.config import Config
from driftwatch.embedding.reading import TextReader
from driftwatch.engine.lives import recovered, spoilt, tell
from driftwatch.engine.muted import Muted, labels_in
from driftwatch.events.columns import Batch, Markers, Metrics, Requests
from driftwatch.incidents import Alarm, Life, log_loss_threshold, log_threshold
from driftwatch.incidents.learnt import arrays_of, take_arrays
from driftwatch.incidents.panel import margins_of
from driftwatch.incidents.telemetry import Outage, Telemetry
from driftwatch.incidents.watch import EPOCH, StreamWatch
from driftwatch.ticks import TickBuilder, Ticks, empty
from driftwatch.ticks.histograms import HistogramTicks
from driftwatch.ticks.protocol import Ticking
from driftwatch.ticks.series import SeriesStore
from driftwatch.ticks.watermark import Watermark

if TYPE_CHECKING:
    from driftwatch.attribution.checks.rules import NotRead
    from driftwatch.attribution.checks.standard import Rule
    from driftwatch.attribution.scene import Scene
    from driftwatch.incidents import Incident

_LONGEST_DOUBT = 30 * EPOCH  # ticks for which learning waits while something may be changing
_IDLE = 30 * EPOCH  # of a stretch without any event, the ticks after this many are passed over


class Engine:
    """Ticks in order, one epoch after the other; what comes out does not depend on how events were cut into batches.

    Parameters
    ----------
    config
        Settings.
    from_requests
        True where request rows are given; False where an engine's histograms must do.
    baseline
        What is healthy, where it was learnt before.
    keep_series
        Keep all metrics (summed up by tick), as a scan does that reads them before the requests.
    builder
        Makes ticks of events, where they are not made here.
    rest
        Called between two pieces of work, a few milliseconds each: a guest lets others have the interpreter there.
    """

    def __init__(
        self,
        config: Config,
        *,
        from_requests: bool = True,
        baseline: Baseline | None = None,
        keep_series: bool = False,
        builder: Ticking | None = None,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.config, self.from_requests, self.keep_series = config, from_requests, keep_series
        self.rest = rest
        self.baseline = baseline or Baseline()
        self.threshold = log_threshold(config)
        self.builder: Ticking = builder or (TickBuilder(config) if from_requests else HistogramTicks(config))
        history = round(config.attribution.history_s / config.ticks.width_s)
        self.history_ticks = history
        kept = 2**40 if keep_series else history
        self.series = SeriesStore(config.ticks.width_s, kept, config.input.series, lateness_s=config.ticks.lateness_s)
        self.markers = Markers(np.empty(0), (), (), ())
        self._rules: tuple[Sequence[Rule], Sequence[NotRead]] | None = None
        if config.health.checks or config.health.rules_files:
            self._checked()  # what is wrong with them is said now
        self.reader = TextReader(config.text)
        self.watches: dict[int, StreamWatch] = {}
        self.histories: dict[str, StreamHistory] = {}
        self.lives: list[Life] = []
        self.telemetry = Telemetry(config, log_loss_threshold(config))
        self.measured = Watermark()
        self.next_tick: int | None = None
        self.busy = 0
        self.samples = 0
        self.muted = Muted(config)

    def add(self, batch: Batch) -> None:
        """Take a batch of any kind."""
        if isinstance(batch, Markers):
            self.markers = _joined(self.markers, batch)
            self.muted.add(batch)
        elif isinstance(batch, Metrics):
            self.samples += len(batch)
            self.series.add(batch)
            self.telemetry.add(batch)
            self.measured.advance(batch.at[np.isfinite(batch.at)])
            if isinstance(self.builder, HistogramTicks):
                self.builder.add(batch)
        elif isinstance(batch, Requests) and isinstance(self.builder, TickBuilder):
            self.builder.add(self.reader.read(batch))

    def advance(self, *, prompt: bool = True, now: float | None = None) -> list[Incident]:
        """Judge every tick that has become final; returns the transitions that this brought.

        Parameters
        ----------
        prompt
            False to wait until an epoch is whole: the same in the end, for less work (but rows that come after the
            lateness window have longer to be taken).
        now
            The time, in seconds since the epoch, where that is known: without it time passes only as events come in,
            and traffic that stops altogether is noticed when it comes back.
        """
        if now is not None:
            self.builder.told(now)
        last = self.builder.final
        if last is not None and not prompt:
            last = (last + 1) // EPOCH * EPOCH - 1
        return self._run(self.builder.close(last), last) if last is not None else []

    def finish(self) -> list[Incident]:
        """Judge what is left, and look at every open incident once more."""
        last = self.builder.end(self.measured.value)
        found = self._run(self.builder.close(last), last) if last is not None else []
        now = (self.next_tick or 0) - 1
        left = [self.lost(outage, now) for outage in self.telemetry.outages if outage.resolved is None]
        left += [self.record(life, now) for life in self.lives if life.resolved is None]
        return found + self._told(left)

    def _run(self, ticks: Ticks, last: int) -> list[Incident]:
        found: list[Incident] = []
        self.rest()
        streams = {int(k): ticks.of_stream(int(k)) for k in np.union1d(ticks.stream, ticks.flow_stream)}
        for first, end in self._epochs(ticks, last):
            found += self._told(self._judge({k: part.between(first, end) for k, part in streams.items()}, first, end))
            if (end + 1) % EPOCH == 0:
                found += self._told(self._boundary(end))
            self.next_tick = end + 1
        return found

    def _told(self, found: list[Incident]) -> list[Incident]:
        return list(self.muted.told(found, self.labels))

    def _epochs(self, ticks: Ticks, last: int) -> Iterator[tuple[int, int]]:
        """Cut at multiples of an epoch; of a long stretch without events only the beginning is judged."""
        if self.next_tick is None:
            if not len(ticks):
                return
            self.next_tick = self.busy = int(ticks.tick[0])
        first = self.next_tick
        while first <= last:
            following = ticks.tick[np.searchsorted(ticks.tick, first) :]
            if first > self.busy + _IDLE:
                if not len(following):
                    return  # what comes next decides where to go on
                first = int(following[0]) // EPOCH * EPOCH
            whole = first // EPOCH * EPOCH + EPOCH - 1
            if len(following) and following[0] <= whole:
                self.busy = whole
            yield first, min(whole, last)
            first = min(whole, last) + 1

    def _judge(self, parts: Mapping[int, Ticks], first: int, last: int) -> list[Incident]:
        """One epoch, or a part of it: judge all streams, then tell what happened in order of time."""
        for number, part in parts.items():
            if len(part) or len(part.flow_tick):
                self.watch(number)
        for number, watch in self.watches.items():
            part = parts.get(number, empty())
            self.histories[watch.title].add_flow(part)
            self.rest()
            judged = watch.advance(part, first, last) if watch.ticks or len(part) else None
            if judged is not None:
                self.histories[watch.title].add(judged)
            self.telemetry.watch(watch.title, part, first, last, judge=watch.baseline.ready)
        found = [self.lost(outage, tick) for outage, tick in self.telemetry.tell(last)]
        alarms = sorted(
            (a for w in self.watches.values() for a in w.alarms(self.threshold) if not self.telemetry.holds(a)),
            key=lambda a: (a.tick, -a.shift.log_e, a.stream, a.signal),
        )
        return sorted(found + tell(self, alarms, last), key=lambda i: i.updated_at)

    def watch(self, number: int) -> StreamWatch:
        """What watches a stream; begun if there is none yet."""
        if number not in self.watches:
            title = self.builder.streams.title(number)
            self.watches[number] = self.fresh(title)
            if title in self.baseline.streams:
                take_arrays(self.watches[number], self.baseline.streams[title])
            self.histories[title] = StreamHistory()
        return self.watches[number]

    def fresh(self, title: str) -> StreamWatch:
        """A stream of which nothing is learnt."""
        baseline = StreamBaseline(
            self.config.learning,
            margins_of(self.config),
            complete=self.from_requests,
            sender=lambda segment: sender_of(self.builder.segments.where(segment)),
        )
        return StreamWatch(title, self.config, baseline)

    def labels(self, title: str) -> Mapping[str, str]:
        """The labels of a stream, or of a source of metrics, by its title."""
        number = next((k for k, watch in self.watches.items() if watch.title == title), None)
        return labels_in(title) if number is None else self.builder.streams.where(number)

    def _boundary(self, last: int) -> list[Incident]:
        """Between epochs: recoveries, learning, and the end of warm-ups."""
        found = []
        for life in self.lives:
            if life.resolved is None and (quiet := recovered(self, life, last)):
                life.resolved, life.recovered, life.status = last, last - quiet, "resolved"
                found.append(self.record(life, last))
                for stream in {stream for stream, _ in life.alarms}:
                    self.by_title(stream).restart()
        found += [self.record(life, last) for life in self.lives if self.muted.over(life.id, life.resolved, last)]
        found += [self.lost(o, last) for o in self.telemetry.outages if self.muted.over(o.id, o.resolved, last)]
        for outage, tick in self.telemetry.boundary(last, self.quiet):
            found.append(self.lost(outage, tick))
            if outage.resolved is not None:
                for stream in {gone.source for gone in outage.gone} & self.histories.keys():
                    self.by_title(stream).restart()
        for history in self.histories.values():
            history.settle(last + 1 - EPOCH)
        for watch in self.watches.values():
            self.rest()
            if watch.baseline.ready:
                doubt, skip = watch.in_doubt(last), spoilt(self, watch.title, last)
                guard = _LONGEST_DOUBT if doubt else watch.guard
                watch.learn(last + 1 - guard, skip, refit=not doubt and skip is None)
            elif (judged := watch.start(last)) is not None:
                self.histories[watch.title].add(judged)
            if (said := watch.start_text(last)) is not None:
                self.histories[watch.title].add(said)
        self._forget(last - self.history_ticks)
        return found

    def learnt(self) -> Baseline:
        """What was learnt of each stream, everything seen taken as healthy."""
        now = self.next_tick or 0
        for watch in self.watches.values():
            if not watch.baseline.ready:
                watch.start(now - 1, patient=False)
            if watch.baseline.ready:
                watch.learn(now, None)
        streams = {w.title: arrays_of(w) for w in self.watches.values() if w.baseline.ready}
        return Baseline(streams, self.config.digest())

    def _forget(self, before: int) -> None:
        self.lives = [life for life in self.lives if life.resolved is None or life.resolved >= before]
        self.telemetry.forget(before)
        for history in self.histories.values():
            history.trim(before)
        if not self.keep_series:
            self.series.trim(before)

    @property
    def checks(self) -> Sequence[Rule]:
        """The health checks that the configuration asks for."""
        return self._checked()[0]

    @property
    def unread_rules(self) -> Sequence[NotRead]:
        """The rules of its files that are not read."""
        return self._checked()[1]

    # `telling` is imported when there is something to tell: it brings all that explains.

    def _checked(self) -> tuple[Sequence[Rule], Sequence[NotRead]]:
        from driftwatch.engine import telling

        if self._rules is None:
            self._rules = telling.rules(self.config)
        return self._rules

    def _scene(self, tick: int) -> Scene:
        from driftwatch.engine import telling

        return telling.scene(self, tick)

    def record(self, life: Life, tick: int) -> Incident:
        """An incident as it is known at a tick: one transition of it."""
        from driftwatch.engine import telling

        return telling.record(self, life, tick)

    def lost(self, outage: Outage, tick: int) -> Incident:
        """The same for what is not heard of any more."""
        from driftwatch.engine import telling

        return telling.lost(self, outage, tick)

    def again(self, alarm: Alarm, tick: int) -> Alarm:
        """An alarm as it is at a later tick."""
        return self.by_title(alarm.stream).again(alarm, tick)

    def by_title(self, title: str) -> StreamWatch:
        """What watches the stream of this title."""
        return next(w for w in self.watches.values() if w.title == title)

    @property
    def quiet(self) -> int:
        """Ticks for which signals must have been back before an incident is over."""
        return max(EPOCH, self.ticks(self.config.incidents.quiet_s))

    def ticks(self, seconds: float) -> int:
        """How many ticks that is."""
        return round(seconds / self.config.ticks.width_s)


def _joined(a: Markers, b: Markers) -> Markers:
    order = np.argsort(np.concatenate([a.at, b.at]), kind="stable")
    kind, text, labels = a.kind + b.kind, a.text + b.text, a.labels + b.labels
    return Markers(
        np.concatenate([a.at, b.at])[order],
        tuple(kind[k] for k in order),
        tuple(text[k] for k in order),
        tuple(labels[k] for k in order),
    )

"""What the background thread does, turn by turn: read what waits, judge, tell, save. Faults are counted, not raised."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftwatch.config import Config
from driftwatch.monitor import checkpoint
from driftwatch.monitor.clock import Clock
from driftwatch.monitor.handoff import Handoff
from driftwatch.monitor.lock import FolderLock
from driftwatch.monitor.place import Fed, Known, Place
from driftwatch.monitor.post import Post, Sinks
from driftwatch.monitor.reading import Reading
from driftwatch.monitor.stats import Stats
from driftwatch.state import keep

if TYPE_CHECKING:
    from driftwatch.incidents import Incident

_LOG = logging.getLogger("driftwatch")


class Work:
    """One monitor in one process: what came in, where it goes, and what is known of it.

    Parameters
    ----------
    config
        Settings.
    place
        Makes the place where events go: the engine, or a collector.
    sinks
        Where incidents are sent.
    clock
        The time.
    state
        What an earlier monitor knew.
    """

    def __init__(
        self,
        config: Config,
        place: Callable[[], Place],
        sinks: Sinks,
        clock: Clock,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.clock = config, clock
        self.lock = threading.Lock()
        self.handoff = Handoff(config.monitor.queue)
        self.reading = Reading(config, clock, self.handoff)
        self._new_place, self.place = place, place()
        folder = Path(config.monitor.folder) if config.monitor.folder else None
        self.folder = FolderLock(folder)
        self.post = Post(sinks, folder / "outbox.db" if folder else None, config.alerts)
        self.known: Known = self.place.known()
        self.offsets: dict[str, Any] = {}
        self.saved_offsets: dict[str, Any] = {}
        self.behind: set[str] = set()
        self.faults: Counter[str] = Counter()
        self.last_fault = ""
        self.notes: dict[str, None] = {}
        self.cpu_s = self.unwatched_s = 0.0
        self.saved_at: float | None = None
        self._begun, self._rest_until, self._save_at = False, 0.0, math.inf
        if state is not None:
            with self._guarded("checkpoint"):
                self._go_on(state)

    def turn(self) -> float:
        """Do what there is to do; returns seconds until the next time."""
        began = time.thread_time()
        with self.lock:
            self.work(patient=True)
        self.cpu_s += time.thread_time() - began
        return self.config.monitor.pause_s

    def flush(self, timeout: float = -1.0) -> bool:
        """Take in all that waits and judge what is final; False if another thread did not let it in time."""
        if not self.lock.acquire(timeout=timeout):
            return False
        try:
            self.work(patient=False)
        finally:
            self.lock.release()
        return True

    def work(self, *, patient: bool) -> None:
        """One turn; ``patient`` if judging may wait until it is this monitor's turn on the processor."""
        if not self._begun:
            self._begin()
        with self._guarded("reading"):
            self.reading.take_in(self.place)
        if not patient or time.monotonic() >= self._rest_until:
            with self._guarded("judging", self._begin_anew):
                self._judge()
        if self.post.waiting:
            self.tell([])
        if time.monotonic() >= self._save_at:
            self.save_now()

    def _begin(self) -> None:
        """In the process that does the work, once: take up what an earlier one left in the folder."""
        self._begun = True
        path = self.folder.path
        if path is None:
            return
        if not self.folder.take():
            self.notes[f"{path}: another process keeps its state there; several workers need a collector"] = None
            return
        self._save_at = time.monotonic() + self.config.monitor.checkpoint_s
        if checkpoint.exists(path / CHECKPOINT):
            with self._guarded("checkpoint"):
                self._go_on(checkpoint.latest(path / CHECKPOINT, self.config)[1])
        with self._guarded("outbox"):
            self.post.open()

    def _go_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what an earlier monitor knew; what was not heard since then is no silence."""
        from driftwatch.incidents import Incident

        self.place.take(state["place"])
        self.offsets = state["offsets"]
        self.saved_offsets = dict(self.offsets)
        self.post.waiting.extend(Incident.model_validate(one) for one in state["waiting"])
        before, now = state["now"], self.clock.now()
        if before is not None and math.isfinite(now):
            self.clock.not_before(before)
            if not self.offsets:
                self.unwatched_s = max(now - before, 0.0)
                self.place.pass_over(self.clock.now())
        self._publish()

    def _begin_anew(self) -> None:
        """After a fault in the middle of judging nothing of what is known can be trusted."""
        self.place = self._new_place()
        self.notes["after a fault of driftwatch everything is learnt anew"] = None

    def _judge(self) -> None:
        began = time.thread_time()
        now = self.clock.now()
        self.tell(self.place.advance(None if self.behind or math.isnan(now) else now))
        spent = time.thread_time() - began
        self._rest_until = time.monotonic() + spent / self.config.monitor.cpu_share

    def tell(self, transitions: list[Incident]) -> None:
        """Make transitions known, and hand them on."""
        self._publish()
        with self._guarded("outbox"):
            self.post.put(transitions)

    def _publish(self) -> None:
        self.known = self.place.known()

    def add(self, batch: Fed | None, source: str | None = None, offset: Any = None, *, more: bool = False) -> None:
        """Take a batch, and how far its source has been read, together."""
        with self.lock:
            if not self._begun:
                self._begin()
            if batch is not None and len(batch):
                self.place.add(batch)
            if source is not None:
                self.offsets[source] = offset
                (self.behind.add if more else self.behind.discard)(source)

    def begin(self) -> None:
        """Take up what an earlier process left, if that was not done yet."""
        with self.lock:
            if not self._begun:
                self._begin()

    def say(self, what: str, id: str) -> Incident:
        """Say something to an incident, and keep it on disk that it was said."""
        with self.lock:
            if not self._begun:
                self._begin()
            incident = self.place.say(what, id)
            self.tell([incident])
            self.save_now()
            return incident

    def finish(self) -> None:
        """Judge what is left."""
        with self.lock:
            self.work(patient=False)
            with self._guarded("judging", self._begin_anew):
                self.tell(self.place.finish())

    def save(self, path: Path) -> None:
        """Write all that is known to a file."""
        with self.lock:
            self.work(patient=False)
            checkpoint.save(path, self.config, self.state())

    def state(self) -> dict[str, Any]:
        """All that is known."""
        now = self.clock.now()
        return {
            "place": keep(self.place),
            "offsets": self.offsets,
            "waiting": [one.to_dict() for one in self.post.waiting],
            "now": None if math.isnan(now) else now,
        }

    def save_now(self) -> None:
        """Write a checkpoint, if there is a folder for it."""
        if self.folder.path is None or not self.folder.mine:
            return
        self._save_at = time.monotonic() + self.config.monitor.checkpoint_s
        with self._guarded("checkpoint"):
            checkpoint.save(self.folder.path / CHECKPOINT, self.config, self.state())
            self.saved_at, self.saved_offsets = time.time(), dict(self.offsets)

    def end(self, timeout: float) -> None:
        """Do what is left, save, and let go of everything."""
        if self.flush(timeout):
            with self.lock, self._guarded("collector"):
                self.save_now()
                self.place.leave(timeout)
                self._publish()
        with self._guarded("outbox"):
            self.post.close(timeout)
        self.folder.release()

    @contextmanager
    def _guarded(self, what: str, then: Callable[[], None] = lambda: None) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a guest never brings its host down
            self.fault(what, error)
            then()

    def fault(self, what: str, error: Exception) -> None:
        """Count a fault; the first of its kind is logged."""
        self.faults[what] += 1
        self.last_fault = f"{what}: {type(error).__name__}: {error}"
        if self.faults[what] == 1:
            _LOG.error("driftwatch: %s failed; stats() counts it from now on", what, exc_info=error)

    def sinks(self) -> Mapping[str, Any]:
        """How each destination does."""
        try:
            return self.post.stats()
        except Exception as error:  # its file may be gone
            self.fault("outbox", error)
            return {}

    def stats(self) -> Stats:
        """How it is doing."""
        known, now = self.known, self.clock.now()
        lag = None if known.judged_until is None or math.isnan(now) else max(now - known.judged_until, 0.0)
        return Stats(
            state="watching" if any(s.state == "watching" for s in known.streams) else "learning",
            streams=known.streams,
            threshold=known.threshold,
            incidents=known.told,
            shed=self.handoff.shed(),
            quarantined={**self.reading.quarantined(), **known.refused},
            late=known.late,
            duplicates=known.duplicates,
            queue=len(self.handoff.calls),
            tick_lag_s=lag,
            background_cpu_s=self.cpu_s,
            checkpoint_at=self.saved_at,
            unwatched_s=self.unwatched_s,
            faults=dict(self.faults),
            last_fault=self.last_fault,
            clock_jumps=self.clock.jumps,
            clock_offset_s=self.clock.offset,
            collector=known.collector,
            notes=(*self.reading.quarantine.notes, *self.notes),
        )


CHECKPOINT = "monitor.npz"
"""Name of the file in the folder."""

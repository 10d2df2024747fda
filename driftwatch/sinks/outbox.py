"""The outbox: what is put in is kept on disk until every destination has taken it, or has finally refused."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from driftwatch.errors import ConfigError
from driftwatch.incidents.models import Incident
from driftwatch.sinks import letters, store
from driftwatch.sinks.courier import Courier, Outcome
from driftwatch.sinks.database import Database
from driftwatch.sinks.letters import Entry, Status
from driftwatch.sinks.policy import Policy
from driftwatch.sinks.protocol import Sink
from driftwatch.sinks.routes import Route
from driftwatch.sinks.upkeep import upkeep
from driftwatch.sinks.worker import Worker

_LOG = logging.getLogger("driftwatch.sinks")
_UPKEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class SinkStats:
    """How one destination does: ``delivered`` and ``failed`` count what this process did, the rest is in the file.

    Parameters
    ----------
    pending, standing, dead
        Letters that wait, that are sent again while their incident lasts, that were given up.
    delivered, failed
        Transitions, and failed attempts by reason.
    lost
        Dead letters that were deleted because there were too many.
    disabled
        Why it takes nothing any more; empty if it does.
    """

    pending: int = 0
    standing: int = 0
    dead: int = 0
    delivered: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0
    disabled: str = ""


class Outbox:
    """Delivers transitions of incidents at least once, in order for each incident, whatever happens to this process.

    Parameters
    ----------
    path
        Its file; by default ``driftwatch/outbox.db`` in the folder for state (``$XDG_STATE_HOME``). Several processes
        may share it: what one was sending when it was killed, another takes up.
    sinks
        Where to deliver to; each has a name of its own.
    routes
        What each sink is told, and when; by its name. A sink without a route is told everything at once.
    policy
        How patient it is, and how much it keeps.
    text
        Also send what users or models wrote, where a record has some of it; otherwise it is blank, in the file too.
    clock
        Seconds since the epoch.

    Raises
    ------
    ConfigError
        If two sinks have one name, or a route is for no sink.

    Examples
    --------
    >>> import tempfile
    >>> from driftwatch.sinks import JsonLines
    >>> folder = tempfile.TemporaryDirectory()
    >>> outbox = Outbox(f"{folder.name}/outbox.db", sinks=[JsonLines(f"{folder.name}/incidents.jsonl")])
    >>> outbox.put([]), outbox.deliver(), outbox.stats()["jsonlines"].pending
    (0, [], 0)
    >>> outbox.close(); folder.cleanup()
    """

    def __init__(
        self,
        path: str | Path | None = None,
        sinks: Iterable[Sink] = (),
        *,
        routes: Mapping[str, Route] | None = None,
        policy: Policy | None = None,
        text: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sinks = _by_name(sinks)
        self._routes = dict.fromkeys(self._sinks, Route()) | dict(routes or {})
        if strays := self._routes.keys() - self._sinks.keys():
            raise ConfigError(f"a route is for no sink: {', '.join(sorted(strays))}")
        self._policy, self._text, self._clock = policy or Policy(), text, clock
        self._database = Database(path or default_path())
        self._courier = Courier(self._database, self._policy, clock)
        self._worker = Worker(lambda stop: self.deliver(stop=stop), self._wait_s)
        self._kept = 0.0

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    def put(self, incidents: Iterable[Incident]) -> int:
        """Keep transitions for delivery: in one transaction, on disk when this returns. What is known already stays.

        Returns
        -------
        int
            New deliveries: one for each transition and sink that is to be told.

        Raises
        ------
        StateError
            If the file cannot be written.
        """
        now = self._clock()
        with self._database.transaction() as db:
            new = sum(
                store.put(db, one, self._dues(one, store.told(db, one.id), now), now, text=self._text)
                for one in incidents
            )
            over = store.bound(db, self._policy, now) if new else 0
        if over:
            _LOG.error("the outbox is full: %d of what waits became dead letters", over)
        self._worker.wake()
        return new

    def deliver(self, *, stop: Callable[[], bool] = lambda: False) -> list[Outcome]:
        """Deliver what is due, in this thread, until nothing is or ``stop`` says so.

        Destinations that do well come first, so that one that hangs does not hold up the others for long.

        Raises
        ------
        StateError
            If the file cannot be read or written.
        """
        self._keep()
        outcomes: list[Outcome] = []
        before = -1
        while len(outcomes) > before and not stop():
            before = len(outcomes)
            for sink in self._healthy_first():
                outcomes += [] if stop() else self._courier.once(sink)
        return outcomes

    def start(self) -> Self:
        """Deliver in one background thread from now on; in a forked child it starts again with the first `put`."""
        self._worker.start()
        return self

    def close(self, timeout: float = 5.0) -> None:
        """Stop the thread: what is due is still tried for at most ``timeout`` seconds; the rest stays on disk."""
        self._worker.stop(timeout)
        self._database.close()

    def __repr__(self) -> str:
        return f"<Outbox: {', '.join([str(self.path), *self._sinks])}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def stats(self) -> dict[str, SinkStats]:
        """How each destination does, also one that is only in the file."""
        with self._database.transaction() as db:
            counts, ends = letters.counts(db), letters.ends(db)
        names = {*self._sinks, *ends, *(name for name, _ in counts)}
        return {name: self._stats(name, counts, *ends.get(name, (0, ""))) for name in sorted(names)}

    def _stats(self, name: str, counts: Mapping[tuple[str, str], int], lost: int, disabled: str) -> SinkStats:
        pending, standing, dead = (counts.get((name, status), 0) for status in ("pending", "standing", "dead"))
        failed = {reason: n for (sink, reason), n in self._courier.failed.items() if sink == name}
        return SinkStats(pending, standing, dead, self._courier.delivered[name], failed, lost, disabled)

    def entries(
        self, status: Status | None = None, *, sink: str | None = None, incident: str | None = None, most: int = 1000
    ) -> list[Entry]:
        """What is in the outbox, the oldest first."""
        with self._database.transaction() as db:
            return letters.entries(db, *letters.matching(status, sink, incident), most)

    def replay(self, *, sink: str | None = None, incident: str | None = None) -> int:
        """Let dead letters wait for delivery again, and what followed them, and their sinks be tried again.

        Returns
        -------
        int
            How many wait now: an opening that is replayed is followed by its end, or it would stay open for ever.
        """
        with self._database.transaction() as db:
            replayed = letters.replay(db, *letters.matching(None, sink, incident), self._clock())
        self._worker.wake()
        return replayed

    def drop(self, status: Status | None = None, *, sink: str | None = None, incident: str | None = None) -> int:
        """Give up letters that wait, stand or are dead. Returns how many."""
        with self._database.transaction() as db:
            return letters.drop(db, *letters.matching(status, sink, incident), self._clock())

    def _dues(self, incident: Incident, told: set[str], now: float) -> dict[str, float]:
        """From when each sink may be told; who was told once hears the rest."""
        wanted = {n: route for n, route in self._routes.items() if n in told or route.takes(incident)}
        return {name: route.due(incident, now) for name, route in wanted.items()}

    def _keep(self) -> None:
        """Once a minute: let old letters die, and forget what is done with."""
        now = self._clock()
        if 0 <= now - self._kept < _UPKEEP_S:
            return
        self._kept = now
        with self._database.transaction() as db:
            died = upkeep(db, self._policy, now)
        if died:
            _LOG.error("%d letters could not be delivered in time (driftwatch outbox list)", died)

    def _healthy_first(self) -> list[Sink]:
        with self._database.transaction() as db:
            failures = {name: store.health(db, name)[0] for name in self._sinks}
        return [self._sinks[name] for name in sorted(self._sinks, key=failures.__getitem__)]

    def _wait_s(self, longest: float) -> float:
        """Seconds until something is due, at most ``longest``."""
        now = self._clock()
        with self._database.transaction() as db:
            due = store.next_due(db, list(self._sinks), now)
        return longest if due is None else min(max(due - now, 0.0), longest)


def default_path() -> Path:
    """The file that is used where none is named."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "driftwatch" / "outbox.db"


def _by_name(sinks: Iterable[Sink]) -> dict[str, Sink]:
    found: dict[str, Sink] = {}
    for sink in sinks:
        if sink.name in found:
            raise ConfigError(f"two sinks are called '{sink.name}': give one another name")
        found[sink.name] = sink
    return found

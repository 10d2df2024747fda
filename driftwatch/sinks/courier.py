"""One attempt: take up what is due for a sink, send it, write down what became of it."""

from __future__ import annotations

import logging
import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from driftwatch.errors import DeliveryError, DriftwatchError
from driftwatch.sinks import store
from driftwatch.sinks.database import Database
from driftwatch.sinks.policy import Policy
from driftwatch.sinks.protocol import Letter, Memory, Sink
from driftwatch.sinks.record import unpacked
from driftwatch.sinks.store import Claim

_LOG = logging.getLogger("driftwatch.sinks")
_LIFE = os.urandom(4).hex()  # process ids come again, in containers above all


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt to deliver one transition.

    Parameters
    ----------
    result
        ``delivered``, ``again`` (it will be tried again) or ``dead`` (it is among the dead letters).
    reason
        One word for why it was not delivered.
    problem
        The same in words.
    """

    sink: str
    incident: str
    seq: int
    result: Literal["delivered", "again", "dead"]
    reason: str = ""
    problem: str = ""


class Courier:
    """Delivers for one process, and counts what it did.

    Attributes
    ----------
    delivered : Counter
        Transitions by sink.
    failed : Counter
        Failed attempts by sink and reason.
    """

    def __init__(self, database: Database, policy: Policy, clock: Callable[[], float]) -> None:
        self._database, self._policy, self._clock = database, policy, clock
        self.delivered: Counter[str] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()

    def once(self, sink: Sink) -> list[Outcome]:
        """One message to a sink, if something is due and the sink is not left alone; what became of what was in it."""
        claims = self._claim(sink)
        readable, broken = _read(claims)
        outcomes = [self._bury(claim, DeliveryError("unreadable", why, retry=False)) for claim, why in broken]
        if not readable:
            return outcomes
        taken, letters = [claim for claim, _ in readable], [letter for _, letter in readable]
        error = None
        try:
            memories = sink.send(letters, datetime.fromtimestamp(self._clock(), UTC))
        except Exception as raised:  # one destination must never stop the others
            error = _as_delivery_error(sink, raised)
        if error is not None:
            return outcomes + self._failed(sink, taken, error)
        return outcomes + self._succeeded(sink, readable, memories)

    def _claim(self, sink: Sink) -> list[Claim]:
        now = self._clock()
        with self._database.transaction() as db:
            _, rest_until, disabled = store.health(db, sink.name)
            if disabled or rest_until > now:
                return []
            return store.claim(db, sink, owner(), now, self._policy.lease_s)

    def _succeeded(self, sink: Sink, sent: Sequence[tuple[Claim, Letter]], memories: Sequence[Memory]) -> list[Outcome]:
        now = self._clock()
        with self._database.transaction() as db:
            for (claim, letter), memory in zip(sent, memories, strict=True):
                again = sink.again_s(letter.incident, datetime.fromtimestamp(now, UTC))
                store.delivered(db, claim, owner(), now, memory, None if again is None else now + again)
            store.feel(db, sink.name, 0, 0.0)
        self.delivered[sink.name] += len(sent)
        return [_outcome(claim, "delivered") for claim, _ in sent]

    def _failed(self, sink: Sink, claims: Sequence[Claim], error: DeliveryError) -> list[Outcome]:
        if error.reason == "gone":
            return self._disable(sink, claims, error)
        if error.retry:
            return self._postpone(sink, claims, error)
        if len(claims) == 1:
            return [self._bury(claims[0], error)]
        self.failed[sink.name, error.reason] += 1
        with self._database.transaction() as db:
            for claim in claims:
                store.alone(db, claim, owner())
        return [_outcome(claim, "again", error) for claim in claims]

    def _postpone(self, sink: Sink, claims: Sequence[Claim], error: DeliveryError) -> list[Outcome]:
        """Try again later; after several failures in a row leave the destination alone for a while."""
        now, policy = self._clock(), self._policy
        with self._database.transaction() as db:
            failures = store.health(db, sink.name)[0] + 1
            tripped = failures - policy.trip_after + 1
            rest = policy.delay(tripped, random.random()) if tripped > 0 else 0.0
            store.feel(db, sink.name, failures, now + max(rest, error.after_s))
            for claim in claims:
                delay = policy.delay(claim.attempts + 1, random.random())
                store.postponed(db, claim, owner(), now + delay, error.reason)
        self.failed[sink.name, error.reason] += 1
        level = logging.WARNING if failures in (1, policy.trip_after) else logging.INFO
        _LOG.log(level, "%s: %s (failure %d in a row; tried again)", sink.name, error, failures)
        return [_outcome(claim, "again", error) for claim in claims]

    def _bury(self, claim: Claim, error: DeliveryError) -> Outcome:
        with self._database.transaction() as db:
            store.died(db, claim, owner(), self._clock(), error.reason)
        self.failed[claim.sink, error.reason] += 1
        _LOG.error("%s: %s: %s-%d is among the dead letters", claim.sink, error, claim.incident, claim.seq)
        return _outcome(claim, "dead", error)

    def _disable(self, sink: Sink, claims: Sequence[Claim], error: DeliveryError) -> list[Outcome]:
        with self._database.transaction() as db:
            dead = store.disable(db, sink.name, self._clock(), error.problem)
        self.failed[sink.name, error.reason] += 1
        _LOG.error("%s: %s: disabled; %d dead letters (driftwatch outbox replay)", sink.name, error, dead)
        return [_outcome(claim, "dead", error) for claim in claims]


def owner() -> str:
    """Who this process is, to others that share the file."""
    return f"{socket.gethostname()}:{os.getpid()}:{_LIFE}"


def _read(claims: Iterable[Claim]) -> tuple[list[tuple[Claim, Letter]], list[tuple[Claim, str]]]:
    """The letters, and what cannot be read (another version of driftwatch wrote it)."""
    readable: list[tuple[Claim, Letter]] = []
    broken: list[tuple[Claim, str]] = []
    for claim in claims:
        try:
            readable.append((claim, Letter(unpacked(claim.record), claim.memory)))
        except ValueError as error:
            broken.append((claim, f"the stored record cannot be read ({str(error).splitlines()[0]})"))
    return readable, broken


def _as_delivery_error(sink: Sink, raised: Exception) -> DeliveryError:
    """What a sink raised, as what the outbox understands; of what is unexpected only the type is said."""
    if isinstance(raised, DeliveryError):
        return raised
    if isinstance(raised, DriftwatchError):
        return DeliveryError("setup", str(raised))
    _LOG.error("%r failed in a way that it should not (%s)", sink, type(raised).__name__)
    return DeliveryError("error", type(raised).__name__)


def _outcome(
    claim: Claim, result: Literal["delivered", "again", "dead"], error: DeliveryError | None = None
) -> Outcome:
    why = (error.reason, error.problem) if error else ("", "")
    return Outcome(claim.sink, claim.incident, claim.seq, result, *why)

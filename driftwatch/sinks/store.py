"""What the outbox writes down: what is to be delivered to whom, who is at it, and what became of it.

Every function here is one step inside a transaction of the caller.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from driftwatch.incidents.models import Incident
from driftwatch.sinks.policy import Policy
from driftwatch.sinks.protocol import Memory, Sink
from driftwatch.sinks.record import packed


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery that this process has taken up."""

    sink: str
    incident: str
    seq: int
    attempts: int
    put_at: float
    record: bytes
    memory: Memory


def put(db: sqlite3.Connection, incident: Incident, dues: dict[str, float], now: float, *, text: bool = False) -> int:
    """Write a transition down for each sink, with the time from which it may be sent; what is known already stays.

    Returns
    -------
    int
        New deliveries.
    """
    if not dues:
        return 0
    key = (incident.id, incident.seq)
    new = db.execute(
        "INSERT OR IGNORE INTO transition VALUES (?, ?, ?, ?, ?)",
        (*key, incident.transition, now, packed(incident, text=text)),
    )
    if not new.rowcount:
        return 0
    for sink, due in dues.items():
        disabled = health(db, sink)[2]
        status, reason = ("dead", "gone") if disabled else ("pending", "")
        db.execute(
            "INSERT INTO delivery (sink, incident, seq, status, due, changed, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (sink, *key, status, due, now, reason),
        )
        db.execute(  # what came before it must not hold it back
            """UPDATE delivery SET due = min(due, ?)
            WHERE sink = ? AND incident = ? AND status = 'pending' AND attempts = 0""",
            (due, sink, incident.id),
        )
    return len(dues)


def told(db: sqlite3.Connection, incident: str) -> set[str]:
    """The sinks that know of an incident, and so must hear how it goes on."""
    return {name for (name,) in db.execute("SELECT DISTINCT sink FROM delivery WHERE incident = ?", (incident,))}


_CLAIMABLE = """
FROM delivery AS d WHERE d.sink = :sink AND d.status IN ('pending', 'standing') AND d.due <= :now AND d.lease <= :now
AND NOT EXISTS (
    SELECT 1 FROM delivery AS e WHERE e.sink = d.sink AND e.incident = d.incident AND e.seq <> d.seq AND (
        e.lease > :now                                  -- somebody is sending another transition of it
        OR (e.status = 'pending' AND e.seq < d.seq)     -- what happened first is told first
        OR (e.status = 'pending' AND e.due <= :now AND d.status = 'standing')
    )
)"""


def claim(db: sqlite3.Connection, sink: Sink, owner: str, now: float, lease_s: float) -> list[Claim]:
    """Take up what is due for a sink and nobody else is at: the first waiting transition of each incident."""
    if not sink.every:
        _supersede(db, sink.name, now)
    given = {"sink": sink.name, "now": now, "most": sink.most}
    heads = db.execute(
        f"SELECT d.incident, d.seq, d.attempts, d.alone {_CLAIMABLE} ORDER BY d.alone, d.due, d.incident LIMIT :most",
        given,
    ).fetchall()
    together = [head for head in heads if not head[3]] or heads[:1]
    return [_take(db, sink.name, head, owner, now + lease_s) for head in together]


def _supersede(db: sqlite3.Connection, sink: str, now: float) -> None:
    """Of several updates that wait, only the newest is news; opening and resolving stay."""
    db.execute(
        """UPDATE delivery AS d SET status = 'done', reason = 'superseded', changed = :now
        WHERE d.sink = :sink AND d.status = 'pending' AND d.lease <= :now
        AND EXISTS (SELECT 1 FROM transition AS t WHERE t.incident = d.incident AND t.seq = d.seq AND t.kind = 'update')
        AND EXISTS (SELECT 1 FROM delivery AS e WHERE e.sink = d.sink AND e.incident = d.incident AND e.seq > d.seq
                    AND e.status = 'pending')""",
        {"sink": sink, "now": now},
    )


def _take(db: sqlite3.Connection, sink: str, head: tuple[str, int, int, int], owner: str, until: float) -> Claim:
    incident, seq, attempts, _ = head
    db.execute(
        "UPDATE delivery SET owner = ?, lease = ? WHERE sink = ? AND incident = ? AND seq = ?",
        (owner, until, sink, incident, seq),
    )
    put_at, record = db.execute(
        "SELECT put_at, record FROM transition WHERE incident = ? AND seq = ?", (incident, seq)
    ).fetchone()
    found = db.execute("SELECT memory FROM memory WHERE sink = ? AND incident = ?", (sink, incident)).fetchone()
    return Claim(sink, incident, seq, attempts, put_at, record or b"", json.loads(found[0]) if found else {})


def delivered(db: sqlite3.Connection, c: Claim, owner: str, now: float, memory: Memory, again_at: float | None) -> None:
    """It was taken; with a time at which to say it again, for those that forget."""
    _settle(db, c, owner, "done" if again_at is None else "standing", now, due=again_at or now, attempts=0, reason="")
    db.execute(
        """UPDATE delivery SET status = 'done', changed = ?
        WHERE sink = ? AND incident = ? AND seq < ? AND status = 'standing'""",
        (now, c.sink, c.incident, c.seq),
    )
    if memory != c.memory:
        db.execute("INSERT OR REPLACE INTO memory VALUES (?, ?, ?, ?)", (c.sink, c.incident, json.dumps(memory), now))


def postponed(db: sqlite3.Connection, c: Claim, owner: str, due: float, reason: str) -> None:
    """It was not taken, and is tried again."""
    _release(db, c, owner, due, attempts=c.attempts + 1, reason=reason)


def alone(db: sqlite3.Connection, c: Claim, owner: str) -> None:
    """A digest was refused: try what was in it one by one."""
    _release(db, c, owner, 0.0, attempts=c.attempts, reason="")
    db.execute("UPDATE delivery SET alone = 1 WHERE sink = ? AND incident = ? AND seq = ?", (c.sink, c.incident, c.seq))


def died(db: sqlite3.Connection, c: Claim, owner: str, now: float, reason: str) -> None:
    """It goes to the dead letters."""
    _settle(db, c, owner, "dead", now, due=now, attempts=c.attempts + 1, reason=reason)


def _settle(
    db: sqlite3.Connection, c: Claim, owner: str, status: str, now: float, *, due: float, attempts: int, reason: str
) -> None:
    """Write down what became of a claim, unless somebody else has taken it over meanwhile."""
    db.execute(
        """UPDATE delivery SET status = ?, changed = ?, due = ?, attempts = ?, reason = ?, owner = NULL, lease = 0
        WHERE sink = ? AND incident = ? AND seq = ? AND owner = ?""",
        (status, now, due, attempts, reason, c.sink, c.incident, c.seq, owner),
    )


def _release(db: sqlite3.Connection, c: Claim, owner: str, due: float, *, attempts: int, reason: str) -> None:
    db.execute(
        """UPDATE delivery SET due = ?, attempts = ?, reason = ?, owner = NULL, lease = 0
        WHERE sink = ? AND incident = ? AND seq = ? AND owner = ?""",
        (due, attempts, reason, c.sink, c.incident, c.seq, owner),
    )


def health(db: sqlite3.Connection, sink: str) -> tuple[int, float, str]:
    """Failures in a row, until when it is left alone, and why it is disabled (empty: it is not)."""
    row = db.execute("SELECT failures, rest_until, disabled FROM sink WHERE name = ?", (sink,)).fetchone()
    return row or (0, 0.0, "")


def feel(db: sqlite3.Connection, sink: str, failures: int, rest_until: float) -> None:
    """Write down how a destination does."""
    db.execute(
        """INSERT INTO sink (name, failures, rest_until) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, rest_until = excluded.rest_until""",
        (sink, failures, rest_until),
    )


def disable(db: sqlite3.Connection, sink: str, now: float, why: str) -> int:
    """Send nothing there any more; all that waits becomes dead letters. Returns how many."""
    db.execute(
        "INSERT INTO sink (name, disabled) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled",
        (sink, why),
    )
    return db.execute(
        """UPDATE delivery SET status = CASE status WHEN 'pending' THEN 'dead' ELSE 'done' END, reason = 'gone',
        changed = ?, owner = NULL, lease = 0 WHERE sink = ? AND status IN ('pending', 'standing')""",
        (now, sink),
    ).rowcount


def next_due(db: sqlite3.Connection, sinks: Sequence[str], now: float) -> float | None:
    """The earliest time at which something may be sent to one of these sinks; what waits for another does not count."""
    dues = []
    for name in sinks:
        (due,) = db.execute(
            """SELECT min(max(d.due, d.lease)) FROM delivery AS d
            WHERE d.sink = ? AND d.status IN ('pending', 'standing') AND NOT EXISTS (
                SELECT 1 FROM delivery AS e WHERE e.sink = d.sink AND e.incident = d.incident AND e.seq <> d.seq
                AND (e.lease > ? OR (e.status = 'pending' AND e.seq < d.seq)))""",
            (name, now),
        ).fetchone()
        if due is not None:
            dues.append(max(due, health(db, name)[1]))
    return min(dues, default=None)


def bound(db: sqlite3.Connection, policy: Policy, now: float) -> int:
    """Keep what waits within bounds: the oldest updates become dead letters first, then the oldest of all."""
    (waiting,) = db.execute("SELECT count(*) FROM delivery WHERE status = 'pending'").fetchone()
    over: int = waiting - policy.max_pending
    if over > 0:
        db.execute(
            """UPDATE delivery SET status = 'dead', reason = 'overflow', changed = :now
            WHERE (sink, incident, seq) IN (
                SELECT d.sink, d.incident, d.seq FROM delivery AS d JOIN transition AS t USING (incident, seq)
                WHERE d.status = 'pending' AND d.lease <= :now ORDER BY t.kind <> 'update', t.put_at LIMIT :over)""",
            {"now": now, "over": over},
        )
    return max(over, 0)

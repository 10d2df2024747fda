"""What people do with the outbox: look at what is in it, send dead letters again, throw letters away."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Status = Literal["pending", "standing", "done", "dead"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One transition for one sink.

    Parameters
    ----------
    status
        ``pending``: not delivered yet. ``standing``: delivered, and sent again while it lasts. ``dead``: given up.
        ``done``: delivered, or not news any more.
    due
        When it is tried next, where it is.
    reason
        Of the last failure.
    """

    sink: str
    incident: str
    seq: int
    transition: str
    status: Status
    attempts: int
    due: datetime
    reason: str


def entries(db: sqlite3.Connection, where: str, given: dict[str, str], most: int) -> list[Entry]:
    """What is in the outbox, the oldest first."""
    rows = db.execute(
        f"""SELECT d.sink, d.incident, d.seq, t.kind, d.status, d.attempts, d.due, d.reason
        FROM delivery AS d JOIN transition AS t USING (incident, seq) WHERE {where}
        ORDER BY t.put_at, d.incident, d.seq, d.sink LIMIT :most""",
        given | {"most": most},
    )
    return [
        Entry(sink, incident, seq, kind, status, attempts, datetime.fromtimestamp(due, UTC), reason)
        for sink, incident, seq, kind, status, attempts, due, reason in rows
    ]


def matching(status: str | None, sink: str | None, incident: str | None) -> tuple[str, dict[str, str]]:
    """A condition on deliveries, and what is to be filled in."""
    given = {"status": status, "sink": sink, "incident": incident}
    known = {name: value for name, value in given.items() if value is not None}
    return " AND ".join(f"d.{name} = :{name}" for name in known) or "1", known


def replay(db: sqlite3.Connection, where: str, given: dict[str, str], now: float) -> int:
    """Make dead letters and what followed them wait again, and take the sinks that they are for back into service."""
    dead = f"FROM delivery AS d WHERE d.status = 'dead' AND {where}"
    begin = db.execute(
        f"SELECT :now, d.sink, d.incident, min(d.seq) {dead} GROUP BY d.sink, d.incident", given | {"now": now}
    )
    db.execute(
        f"UPDATE sink SET disabled = '', failures = 0, rest_until = 0 WHERE name IN (SELECT d.sink {dead})", given
    )
    return db.executemany(
        """UPDATE delivery SET status = 'pending', due = ?1, changed = ?1, attempts = 0, alone = 0, reason = ''
        WHERE sink = ?2 AND incident = ?3 AND seq >= ?4
        AND status <> 'pending' AND reason NOT IN ('superseded', 'dropped')""",
        begin.fetchall(),
    ).rowcount


def drop(db: sqlite3.Connection, where: str, given: dict[str, str], now: float) -> int:
    """Give letters up for good; that they were here is remembered, so that they are not put in again."""
    return db.execute(
        f"""UPDATE delivery SET status = 'done', reason = 'dropped', changed = :now, lease = 0, owner = NULL
        WHERE (sink, incident, seq) IN (
            SELECT d.sink, d.incident, d.seq FROM delivery AS d WHERE d.status <> 'done' AND {where})""",
        given | {"now": now},
    ).rowcount


def counts(db: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """Letters by sink and status."""
    rows = db.execute("SELECT sink, status, count(*) FROM delivery WHERE status <> 'done' GROUP BY sink, status")
    return {(sink, status): n for sink, status, n in rows}


def ends(db: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """By sink: dead letters that were deleted, and why it takes nothing any more."""
    return {name: (lost, why) for name, lost, why in db.execute("SELECT name, lost, disabled FROM sink")}

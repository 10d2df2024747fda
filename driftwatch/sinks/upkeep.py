"""What ends by itself in the outbox: letters that are too old, what nobody needs to remember any more."""

from __future__ import annotations

import sqlite3

from driftwatch.sinks.policy import Policy


def upkeep(db: sqlite3.Connection, policy: Policy, now: float) -> int:
    """Let old letters die, and forget what is done with. Returns how many letters died."""
    died = _expire(db, policy, now)
    _forget_dead(db, policy.max_dead)
    old = now - policy.keep_s
    db.execute("DELETE FROM delivery WHERE status = 'done' AND changed < ?", (old,))
    db.execute(
        """DELETE FROM memory WHERE changed < ? AND NOT EXISTS (
            SELECT 1 FROM delivery WHERE delivery.sink = memory.sink AND delivery.incident = memory.incident)""",
        (old,),
    )
    db.execute(
        """DELETE FROM transition WHERE put_at < ? AND NOT EXISTS (
            SELECT 1 FROM delivery WHERE delivery.incident = transition.incident AND delivery.seq = transition.seq)""",
        (old,),
    )
    db.execute(  # that it was delivered is remembered, what it was is not
        """UPDATE transition SET record = NULL WHERE record IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM delivery AS d WHERE d.incident = transition.incident AND d.status <> 'done')"""
    )
    return died


def _expire(db: sqlite3.Connection, policy: Policy, now: float) -> int:
    """What waited too long dies; what is said again and again falls silent once its incident was long not heard of."""
    age = """EXISTS (SELECT 1 FROM transition AS t WHERE t.incident = delivery.incident AND t.seq = delivery.seq
        AND {since} < :before)"""
    end = """UPDATE delivery SET status = '{end}', reason = 'expired', changed = :now
        WHERE status = '{status}' AND lease <= :now"""
    forgotten = f"{end.format(end='done', status='standing')} AND {age.format(since='t.put_at')}"
    db.execute(forgotten, {"now": now, "before": now - policy.keep_s})
    old = f"{end.format(end='dead', status='pending')} AND {age.format(since='max(t.put_at, delivery.changed)')}"
    return db.execute(old, {"now": now, "before": now - policy.max_age_s}).rowcount


def _forget_dead(db: sqlite3.Connection, most: int) -> None:
    """The oldest dead letters go when there are too many; how many went is counted by sink."""
    dead = "SELECT sink, incident, seq FROM delivery WHERE status = 'dead' ORDER BY changed DESC LIMIT -1 OFFSET ?"
    gone = db.execute(dead, (most,)).fetchall()
    db.executemany("DELETE FROM delivery WHERE sink = ? AND incident = ? AND seq = ?", gone)
    db.executemany(
        "INSERT INTO sink (name, lost) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET lost = lost + 1",
        [(name,) for name, *_ in gone],
    )

-- The outbox. One row of `delivery` for each transition and destination; the record itself is kept once.
CREATE TABLE IF NOT EXISTS transition (
    incident TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,             -- open, update, acknowledge, accept, resolve, merge
    put_at REAL NOT NULL,
    record BLOB,                    -- compressed JSON; NULL once nobody needs it any more
    PRIMARY KEY (incident, seq)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS delivery (
    sink TEXT NOT NULL,
    incident TEXT NOT NULL,
    seq INTEGER NOT NULL,
    status TEXT NOT NULL,           -- pending, standing (delivered, to be sent again), done, dead
    due REAL NOT NULL,
    changed REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    alone INTEGER NOT NULL DEFAULT 0,   -- 1: a digest with it was refused
    owner TEXT,
    lease REAL NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (sink, incident, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_due ON delivery (sink, status, due);
CREATE INDEX IF NOT EXISTS by_incident ON delivery (incident, seq);

-- What a destination wants to know again about an incident.
CREATE TABLE IF NOT EXISTS memory (
    sink TEXT NOT NULL,
    incident TEXT NOT NULL,
    memory TEXT NOT NULL,
    changed REAL NOT NULL,
    PRIMARY KEY (sink, incident)
) WITHOUT ROWID;

-- How a destination does: failures in a row, until when it is left alone, why it takes nothing any more.
CREATE TABLE IF NOT EXISTS sink (
    name TEXT PRIMARY KEY,
    failures INTEGER NOT NULL DEFAULT 0,
    rest_until REAL NOT NULL DEFAULT 0,
    disabled TEXT NOT NULL DEFAULT '',
    lost INTEGER NOT NULL DEFAULT 0     -- dead letters that were deleted because there were too many
) WITHOUT ROWID;

"""The file behind the outbox: one SQLite connection for a process; threads, forks and other processes may share it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

from driftwatch.errors import StateError

VERSION = 1
_BUSY_S = 10.0
_INHERITED: list[sqlite3.Connection] = []  # of a parent process: closing one here would harm the parent's


class Database:
    """A file and the one connection of this process to it, opened when it is first used.

    Parameters
    ----------
    path
        The file; it is made if it is not there, readable by its owner only. It must not be on a network file system
        (SQLite's write-ahead log needs shared memory).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        _ALL.add(self)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one process at a time.

        Raises
        ------
        StateError
            If the file cannot be read or written, or is not an outbox.
        """
        self._after_fork()
        with self._lock:
            try:
                connection = self._open = self._open or self._connect()
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
            except sqlite3.Error as error:
                raise StateError(f"{self.path}: the outbox cannot be used ({error})") from error
            except OSError as error:
                raise StateError(f"{self.path}: the outbox cannot be opened ({error.strerror})") from error

    def close(self) -> None:
        """Close the connection; it opens again when it is needed."""
        self._after_fork()
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None

    def _after_fork(self) -> None:
        """Leave a parent's connection and lock alone: neither may be used in a child."""
        if self._pid != os.getpid():
            if self._open is not None:
                _INHERITED.append(self._open)
            self._pid, self._lock, self._open = os.getpid(), threading.RLock(), None

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection


_ALL: WeakSet[Database] = WeakSet()


def _leave_to_parent() -> None:
    """In a forked child: not even let go of a parent's connections, for that would close them."""
    for database in list(_ALL):
        database._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was put survives a power cut as well
    connection.execute("PRAGMA secure_delete = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StateError(f"{path}: written by a newer driftwatch (schema {version}, this one knows {VERSION})")
    schema = files("driftwatch.sinks").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {VERSION}; COMMIT")

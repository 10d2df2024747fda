"""A folder belongs to one process at a time."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import IO

_ALL: weakref.WeakSet[FolderLock] = weakref.WeakSet()


class FolderLock:
    """Lets one process at a time keep its state in a folder; the system lets go of it when that process is gone.

    Parameters
    ----------
    path
        The folder; None for none, which is nobody's.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        _ALL.add(self)

    @property
    def mine(self) -> bool:
        """Whether this process has it."""
        return self._file is not None

    def take(self) -> bool:
        """Try to get it; makes the folder.

        Returns
        -------
        False if another process has it, or it cannot be written.
        """
        if self.path is None:
            return False
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("wb")
        except OSError:
            return False
        try:
            _lock(file)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # not on this system
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _leave_to_parent() -> None:
    """In the child of a fork: a lock is held for as long as anybody has its file open."""
    for lock in list(_ALL):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)

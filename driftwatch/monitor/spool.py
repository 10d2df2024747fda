"""What waits for the collector: on disk where there is a folder, bounded, oldest first."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path

from driftwatch.monitor.lock import FolderLock
from driftwatch.state import put

_SUFFIX = ".parcel"


class Spool:
    """A queue of parcels, each as bytes.

    Parameters
    ----------
    folder
        Where workers keep what waits, each in a folder of its own; what one leaves behind is taken over by the next.
        None to keep it in memory. It is touched when there is something to keep.
    worker
        The name of this one.
    most
        Bytes that wait at most; then the oldest are let go.
    """

    def __init__(self, folder: Path | None, worker: str, most: int) -> None:
        self.most, self.dropped, self.unwritten = most, 0, 0
        self.waiting: deque[bytes | Path] = deque()
        self.sizes: deque[int] = deque()
        self._next = 1
        self._folder, self._worker = folder, worker
        self._lock = FolderLock(None if folder is None else folder / worker)
        self._adopted: list[FolderLock] = []

    def _open(self) -> None:
        """Make this worker's folder, and take over those of workers that are gone."""
        if self._folder is None or self._lock.mine or not self._lock.take():
            return
        for other in sorted(path for path in self._folder.iterdir() if path.is_dir() and path.name != self._worker):
            lock = FolderLock(other)
            if lock.take():
                self._adopted.append(lock)
                for path in sorted(other.glob(f"*{_SUFFIX}")):
                    self._append(path, path.stat().st_size)

    def put(self, content: bytes) -> None:
        """Add a parcel; a disk that is full is no reason to lose it while there is memory."""
        self._open()
        entry: bytes | Path = content
        if self._lock.path is not None and self._lock.mine:
            path = self._lock.path / f"{self._next:012d}{_SUFFIX}"
            try:
                put(path, content)
                entry = path
            except OSError:
                self.unwritten += 1
        self._next += 1
        self._append(entry, len(content))

    def _append(self, entry: bytes | Path, size: int) -> None:
        self.waiting.append(entry)
        self.sizes.append(size)
        while sum(self.sizes) > self.most and len(self.waiting) > 1:
            self.dropped += 1
            self.done()

    def first(self) -> bytes | None:
        """The oldest parcel; None if none waits, or that one is gone."""
        while self.waiting:
            entry = self.waiting[0]
            if isinstance(entry, bytes):
                return entry
            try:
                return entry.read_bytes()
            except OSError:
                self.dropped += 1
                self.done()
        return None

    def done(self) -> None:
        """Let the oldest parcel go."""
        entry = self.waiting.popleft()
        self.sizes.popleft()
        if isinstance(entry, Path):
            with suppress(OSError):
                entry.unlink()

    def close(self) -> None:
        """Leave what waits to whoever comes next; folders that are empty go."""
        for lock in (self._lock, *self._adopted):
            folder = lock.path if lock.mine else None
            lock.release()
            if folder is not None and not any(folder.glob(f"*{_SUFFIX}")):
                with suppress(OSError):
                    (folder / "lock").unlink()
                    folder.rmdir()

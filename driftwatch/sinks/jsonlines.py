"""A file with one line of JSON for each transition."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from driftwatch.errors import DeliveryError
from driftwatch.sinks.facts import encoded, facts
from driftwatch.sinks.protocol import Letter, Memory, Sink

MOST_BYTES = 1_000_000
"""A line is shorter than this."""


class JsonLines(Sink):
    """Appends each transition to a file, on disk before it counts as delivered; processes may share it.

    The file is opened anew for each message, so that logrotate needs no signal. A line that a crash cut short is ended
    before the next one begins.

    Parameters
    ----------
    path
        The file; its folder must be there.
    name
        In the outbox, in metrics and in logs.
    """

    most = 100

    def __init__(self, path: str | Path, *, name: str = "jsonlines") -> None:
        super().__init__(name)
        self._path = Path(path)

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """Append, and wait for the disk."""
        lines = b"".join(encoded(facts(letter.incident, MOST_BYTES)) + b"\n" for letter in letters)
        try:
            _append(self._path, lines)
        except OSError as error:
            raise DeliveryError("disk", f"{self._path}: {error.strerror}") from None
        return [{} for _ in letters]


def _append(path: Path, lines: bytes) -> None:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = os.lseek(file, 0, os.SEEK_END)
        broken = end > 0 and os.pread(file, 1, end - 1) != b"\n"
        rest = memoryview(b"\n" * broken + lines)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    finally:
        os.close(file)

"""Parcels that were taken and are in no checkpoint yet: on disk before their worker is told that they arrived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from driftwatch.state import put

_SUFFIX = ".parcel"


class Journal:
    """Numbered parcels in a folder.

    Parameters
    ----------
    folder
        Where; None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._pruned = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.newest = max((int(path.stem) for path in self._paths()), default=0)

    def _paths(self) -> list[Path]:
        return [] if self.folder is None else sorted(self.folder.glob(f"*{_SUFFIX}"))

    def add(self, content: bytes) -> int:
        """Keep a parcel; returns its number.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        number = self.newest + 1
        if self.folder is not None:
            put(self.folder / f"{number:012d}{_SUFFIX}", content)
        self.newest = number
        return number

    def after(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Parcels after this one, in order."""
        self.newest = max(self.newest, number)
        for path in self._paths():
            if int(path.stem) > number:
                yield int(path.stem), path.read_bytes()

    def prune(self, number: int) -> None:
        """Let go of the parcels up to this one: what was made of them is in a checkpoint."""
        if number <= self._pruned or self.folder is None:
            return
        self._pruned = number
        for path in self._paths():
            if int(path.stem) <= number:
                with suppress(OSError):
                    path.unlink()

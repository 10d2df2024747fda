"""A log that grows: whole lines as they come, through rotation, and from where an earlier process left off."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from driftwatch.errors import InputError
from driftwatch.readers.lines import Block

BLOCK = 1 << 20
_ROTATED = re.compile(r"[.-]\d[\d.T_-]*")
_PATIENCE = 30  # looks at a rotated file for as long as the new one is empty
_KNOWN_BY = 512
"""Bytes at the beginning by which a file is known again: an inode's number may be given to another file."""


class Tail:
    r"""Follows one file.

    Rotation by rename is followed: what was still written to the old file is read to its end first, also where that
    happened, even several times, while nobody followed. Where a file is cut short (``copytruncate``) it is read from
    its start again.

    Parameters
    ----------
    path
        Where the log is written; it need not be there yet.
    offset
        Where to go on, as `offset` gave it; None for a file that was never read.
    from_start
        Without an offset: read what is there already, or only what comes.
    longest
        A longer line is skipped, in bytes.
    note
        Told in words of what was lost.

    Raises
    ------
    InputError
        If there is something that cannot be read, such as a folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> log = Path(folder.name, "log")
    >>> _ = log.write_bytes(b"one\ntwo\nhal")
    >>> tail = Tail(log)
    >>> [block.data for block in tail.blocks()], tail.offset["at"]
    ([b'one\ntwo\n'], 8)
    >>> tail.close(); folder.cleanup()
    """

    def __init__(
        self,
        path: str | Path,
        offset: Mapping[str, Any] | None = None,
        *,
        from_start: bool = True,
        longest: int = 4 << 20,
        block: int = BLOCK,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path, self.longest, self.block, self._note = Path(path), longest, block, note
        self.skipped = 0
        self._file: BinaryIO | None = None
        self._at, self._line, self._losing = 0, 1, False
        self._known = (0, "")
        self._quiet = 0
        self._missed: list[Path] = []
        self._begin(offset, from_start)

    @property
    def offset(self) -> dict[str, Any]:
        """Where it stands, as JSON types: always at the beginning of a line."""
        if self._file is None:
            return {}
        about = os.fstat(self._file.fileno())
        size, digest = self._known
        return {
            "device": about.st_dev,
            "inode": about.st_ino,
            "at": self._at,
            "line": self._line,
            "losing": self._losing,
            "head": size,
            "digest": digest,
        }

    def blocks(self) -> Iterator[Block]:
        """Whole lines that have come since the last time; after each, `offset` is behind it.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        try:
            while True:
                if self._file is None and not self._open(self._missed.pop(0) if self._missed else self.path):
                    return
                yield from self._lines()
                if not self._is_left():
                    return
                yield from self._rest()
                self.close()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", source=str(self.path)) from None

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self, offset: Mapping[str, Any] | None, from_start: bool) -> None:
        if offset:
            found = self._sought(offset)
            if found is not None and self._open(found):
                self._at, self._line = offset["at"], offset["line"]
                self._losing, self._known = offset["losing"], (offset["head"], offset["digest"])
                self._missed = self._rotated_after(found)
            else:
                self._note(f"{self.path}: the file that was read before is gone; what it had left is lost")
        elif self._open(self.path) and not from_start:
            self._to_the_end()

    def _sought(self, offset: Mapping[str, Any]) -> Path | None:
        """The file that an offset is of, under its own name or the one that rotation gave it."""
        folder = self.path.parent
        names = [self.path, *sorted(folder.glob(f"{self.path.name}*"))] if folder.is_dir() else []
        return next((path for path in names if _is(path, offset)), None)

    def _rotated_after(self, found: Path) -> list[Path]:
        """Files that were rotated since, oldest first: whole ones that nobody has read."""
        if found == self.path:
            return []
        begun = found.stat().st_mtime_ns
        others = [
            p for p in self.path.parent.glob(f"{self.path.name}*") if _ROTATED.fullmatch(p.name, len(self.path.name))
        ]
        later = [(p.stat().st_mtime_ns, p) for p in others if p != found]
        return [p for at, p in sorted(later) if at > begun]

    def _open(self, path: Path) -> bool:
        try:
            self._file = path.open("rb", buffering=0)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", source=str(path)) from None
        self._at, self._line, self._losing, self._known, self._quiet = 0, 1, False, (0, ""), 0
        return True

    def _to_the_end(self) -> None:
        """Begin with the next line that is written."""
        assert self._file is not None
        size = os.fstat(self._file.fileno()).st_size
        for begin in range(size, 0, -self.block):
            start = max(begin - self.block, 0)
            cut = os.pread(self._file.fileno(), begin - start, start).rfind(b"\n")
            if cut >= 0:
                self._at = start + cut + 1
                break
        self._know()

    def _lines(self) -> Iterator[Block]:
        """Whole lines from here to the end of the file as it is now."""
        assert self._file is not None
        number, most = self._file.fileno(), max(self.block, self.longest + 1)
        self._look_for_a_cut(number)
        while data := os.pread(number, most, self._at):
            end = data.rfind(b"\n") + 1
            if end:
                yield from self._whole(data[:end])
            elif len(data) > self.longest or self._losing:
                self.skipped += not self._losing
                self._losing, self._at = True, self._at + len(data)
            else:
                return  # the rest of the line is still to come

    def _whole(self, data: bytes) -> Iterator[Block]:
        """Lines that are whole; of one that is being skipped this is the end."""
        lost = data.find(b"\n") + 1 if self._losing else 0
        block = Block(data[lost:], self._line + (lost > 0))
        self._losing, self._at, self._line = False, self._at + len(data), self._line + data.count(b"\n")
        self._quiet = 0
        self._know()
        if block.data:
            yield block

    def _look_for_a_cut(self, number: int) -> None:
        size, digest = self._known
        if os.fstat(number).st_size >= self._at and _digest(os.pread(number, size, 0)) == digest:
            return
        if self._at:
            self._note(f"{self.path}: it was cut short; it is read from its start, and what was not read yet is lost")
        self._at, self._line, self._losing, self._known = 0, 1, False, (0, "")

    def _know(self) -> None:
        """Take note of how the file begins: as much of it as was read, up to a limit."""
        assert self._file is not None
        if self._known[0] < _KNOWN_BY:
            size = min(self._at, _KNOWN_BY)
            self._known = (size, _digest(os.pread(self._file.fileno(), size, 0)))

    def _rest(self) -> Iterator[Block]:
        """What a file that is done with ends in, if that is not a newline: whoever parses it will see."""
        assert self._file is not None
        data = os.pread(self._file.fileno(), self.longest, self._at)
        if data and not self._losing:
            self._at += len(data)
            yield Block(data, self._line)

    def _is_left(self) -> bool:
        """Whether another file has taken the place of this one, and this one is written to no more.

        A writer goes on with the old file until it notices, so the new one must hold something, or nothing may have
        come for some looks.
        """
        assert self._file is not None
        try:
            there, here = self.path.stat(), os.fstat(self._file.fileno())
        except FileNotFoundError:
            return False  # renamed, and the new one is still to come
        if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            return False
        self._quiet += 1
        return self._quiet > (1 if there.st_size or self._missed else _PATIENCE)


def _is(path: Path, offset: Mapping[str, Any]) -> bool:
    """Whether this is the file that an offset is of."""
    try:
        with path.open("rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            same = (about.st_dev, about.st_ino) == (offset["device"], offset["inode"])
            return same and _digest(os.pread(file.fileno(), offset["head"], 0)) == offset["digest"]
    except (OSError, KeyError, TypeError):
        return False


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=8).hexdigest() if head else ""

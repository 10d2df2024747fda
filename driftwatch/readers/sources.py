"""From what a caller names (a path, a glob, a folder, a list) to streams of bytes, decompressed as they are read."""

from __future__ import annotations

import glob
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from driftwatch._optional import load
from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.readers.quarantine import Quarantine

Progress = Callable[[int, int], None]
"""Called with the bytes that have been read and the bytes that there are."""

BLOCK = 8 << 20
_PIECE = 1 << 16
_BITE = 1 << 12  # compressed bytes at a time: what they expand to stays small, and so does what damage costs
_COMPRESSED = (".gz", ".zst", ".zstd")
_TABLES = (".csv", ".jsonl", ".json", ".ndjson", ".parquet", ".pq", ".tsv")
_TEXTS = (".om", ".prom", ".txt", ".openmetrics")
_RECORDING = {"requests": (*_TABLES,), "metrics": (*_TEXTS, *_TABLES), "markers": (*_TABLES,)}


@dataclass(slots=True)
class Reading:
    """What all readers of one run share.

    Parameters
    ----------
    config
        The settings.
    quarantine
        Where bad rows go.
    progress
        Told how far the reading is.
    block
        Bytes that a text reader holds at a time.
    done, total
        Bytes on disk, read so far and in all.
    """

    config: Config
    quarantine: Quarantine
    progress: Progress | None = None
    block: int = BLOCK
    done: int = 0
    total: int = 0

    def advance(self, size: int) -> None:
        """Count bytes that were read."""
        self.done += size
        if self.progress is not None:
            self.progress(self.done, max(self.total, self.done))

    def peeking(self) -> Reading:
        """The same settings, for a look at a source's beginning that leaves no trace."""
        return Reading(self.config, Quarantine(), block=1 << 16)


def is_path(source: Any) -> bool:
    """Whether this names files."""
    return isinstance(source, str | Path)


def paths_of(source: str | Path, what: str) -> list[Path]:
    """The files that a path, a glob or a folder stands for, in order of name.

    Parameters
    ----------
    source
        As given.
    what
        ``requests``, ``metrics`` or ``markers``: which files of a recording folder are meant.

    Raises
    ------
    InputError
        If there are none.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        found = [p for p in sorted(path.iterdir()) if _is(p, what)] or _loose_files(path, what)
    elif path.exists():
        found = [path]
    else:
        found = [Path(p) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_file()]
    if not found:
        raise InputError(f"there is no such file, or nothing in it to read as {what}", source=str(source))
    return found


def recording(path: str | Path) -> tuple[Path | None, Path | None, Path | None]:
    """The files of a recording folder: requests, metrics and markers, None for what it does not have.

    Raises
    ------
    InputError
        If it is not a folder, or has neither requests nor metrics.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError("not a folder", source=str(path))
    inside = sorted(folder.iterdir())
    requests, metrics, markers = (next((p for p in inside if _is(p, what)), None) for what in _RECORDING)
    if requests is None and metrics is None:
        raise InputError("no requests.jsonl[.gz] and no metrics.om[.gz] in this folder", source=str(path))
    return requests, metrics, markers


def suffix_of(path: Path) -> str:
    """The suffix that says the format: that before ``.gz`` or ``.zst``, in lower case."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in _COMPRESSED]
    return suffixes[-1] if suffixes else ""


def _is(path: Path, what: str) -> bool:
    return path.name.partition(".")[0] == what and suffix_of(path) in _RECORDING[what]


def _loose_files(folder: Path, what: str) -> list[Path]:
    """Files of a folder that is no recording."""
    others = {"truth", *_RECORDING} - {what}
    known = [p for p in sorted(folder.rglob("*")) if p.is_file() and suffix_of(p) in _RECORDING[what]]
    return [p for p in known if p.name.partition(".")[0] not in others and not p.name.startswith((".", "_"))]


def sizes(paths: Iterable[Path]) -> int:
    """Bytes on disk."""
    return sum(path.stat().st_size for path in paths)


def opened(path: Path) -> BinaryIO:
    """Open a file, or say why it cannot be.

    Raises
    ------
    InputError
        If the system refuses.
    """
    try:
        return path.open("rb")
    except OSError as error:
        hint = "; too many files overlap in time, join some of them" if error.errno == 24 else ""
        raise InputError(f"cannot be read ({error.strerror}){hint}", source=str(path)) from error


def pieces(path: Path, reading: Reading) -> Iterator[bytes]:
    """The content of a file, decompressed, a piece at a time. A damaged end is noted; what came before is kept."""
    with opened(path) as file:
        magic = file.read(4)
        file.seek(0)
        raw = _counted(file, reading)
        if magic[:2] == b"\x1f\x8b":
            yield from _inflated(raw, lambda: zlib.decompressobj(31), path, reading)
        elif magic == b"\x28\xb5\x2f\xfd":
            zstandard = load("zstandard", "batch")
            yield from _inflated(raw, lambda: zstandard.ZstdDecompressor().decompressobj(), path, reading)
        else:
            yield from raw


def _counted(file: BinaryIO, reading: Reading) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        reading.advance(len(piece))
        yield piece


def _inflated(raw: Iterator[bytes], start: Callable[[], Any], path: Path, reading: Reading) -> Iterator[bytes]:
    """Decompress one member after another (a file may be several, joined)."""
    decoder, good = start(), 0
    try:
        for rest in _bites(raw):
            while rest:
                decoder = start() if decoder.eof else decoder
                data = decoder.decompress(rest)
                good += len(data)
                yield data
                rest = decoder.unused_data if decoder.eof else b""
        if not decoder.eof:
            raise EOFError("it ends too early")
    except Exception as error:
        if not _is_damage(error):
            raise
        reading.quarantine.note(f"{path}: the compressed file is damaged ({error}); its first {good} bytes were used")


def _bites(raw: Iterator[bytes]) -> Iterator[bytes]:
    for piece in raw:
        yield from (piece[i : i + _BITE] for i in range(0, len(piece), _BITE))


def _is_damage(error: Exception) -> bool:
    kinds: tuple[type[Exception], ...] = (EOFError, zlib.error)
    with suppress(ImportError):
        kinds = (*kinds, load("zstandard", "batch").ZstdError)
    return isinstance(error, kinds)


def beginning(path: Path, reading: Reading, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, decompressed."""
    start = b""
    for piece in pieces(path, reading.peeking()):
        start += piece
        if len(start) >= size:
            break
    return start[:size]

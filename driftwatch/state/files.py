"""A state in a file: written beside the old one, forced to disk, and then put in its place; the one before is kept."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from driftwatch.errors import StateError
from driftwatch.state.codec import pack

PREVIOUS = ".previous"
_MOST = 16 << 30


def to_bytes(header: Mapping[str, Any], state: object, *, compressed: bool = False) -> bytes:
    """A state as the content of an ``.npz`` file: a header in JSON, and one block of bytes."""
    tree, data = pack(state)
    told = json.dumps({**header, "state": tree}, separators=(",", ":"), allow_nan=False).encode()
    file = BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(file, header=np.frombuffer(told, np.uint8), data=np.frombuffer(data, np.uint8))
    return file.getvalue()


def from_bytes(content: bytes, source: str, *, most: int = _MOST) -> tuple[dict[str, Any], bytes]:
    """The inverse of `to_bytes`.

    Parameters
    ----------
    content
        What came from a file, or from somewhere else.
    source
        What messages call it.
    most
        Larger ones are refused, in bytes.

    Returns
    -------
    The header, with the ``state`` as `driftwatch.state.unpack` takes it together with the second.

    Raises
    ------
    StateError
        If it is damaged, or too large.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > most:
            raise StateError(f"{source}: {size} bytes are more than the {most} that are taken")
        with np.load(BytesIO(content), allow_pickle=False) as file:
            return dict(json.loads(file["header"].tobytes())), file["data"].tobytes()
    except StateError:
        raise
    except Exception as error:  # damaged bytes make numpy, zipfile and json raise a dozen kinds
        raise StateError(f"{source}: damaged, or no state of driftwatch ({error})") from error


def write(path: Path, header: Mapping[str, Any], state: object) -> None:
    """Write a state; whatever happens meanwhile, there is a whole one.

    Parameters
    ----------
    path
        Its file (``.npz``). The one that was there is kept beside it, with ``.previous`` added to its name.
    header
        What must be known to read the rest, as JSON types.
    state
        What `driftwatch.state.pack` takes.

    Raises
    ------
    StateError
        If it cannot be written: the old file is still there.
    """
    content = to_bytes(header, state)
    try:
        put(path, content, keep=PREVIOUS)
    except OSError as error:
        raise StateError(f"{path}: cannot be written ({error.strerror or error})") from error


def put(path: Path, content: bytes, *, keep: str = "") -> None:
    """Put content in a file, whole or not at all, and on disk when this returns.

    Parameters
    ----------
    keep
        What to add to the name of the file that was there; empty to let it go.

    Raises
    ------
    OSError
        If it cannot be written: the old file is still there.
    """
    partial = path.with_name(f"{path.name}.partial")  # one name: what a killed process leaves behind is written over
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep:
            with contextlib.suppress(FileNotFoundError):
                path.replace(path.with_name(path.name + keep))
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    _sync(path.parent)


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read what `write` wrote; see `from_bytes`.

    Raises
    ------
    StateError
        If it cannot be read, or is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({error.strerror or error})") from error
    return from_bytes(content, str(path))


def _sync(folder: Path) -> None:
    """Force the names in a folder to disk."""
    with contextlib.suppress(OSError):  # not every file system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

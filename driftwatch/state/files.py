"""A state in a file: written beside the old one, forced to disk, and then put in its place; the one before is kept."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from driftwatch.errors import StateError
from driftwatch.state.codec import pack

PREVIOUS = ".previous"


def write(path: Path, header: dict[str, Any], state: object) -> None:
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
    tree, data = pack(state)
    told = json.dumps({**header, "state": tree}, separators=(",", ":"), allow_nan=False).encode()
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, header=np.frombuffer(told, np.uint8), data=np.frombuffer(data, np.uint8))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_name(path.name + PREVIOUS))
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise StateError(f"{path}: cannot be written ({error.strerror or error})") from error


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Read what `write` wrote.

    Returns
    -------
    The header, with the ``state`` as `driftwatch.state.unpack` takes it together with the second.

    Raises
    ------
    StateError
        If it cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            data = file["data"].tobytes()
    except OSError as error:
        raise StateError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged bytes make numpy, zipfile and json raise a dozen kinds
        raise StateError(f"{path}: damaged, or no state of driftwatch ({error})") from error
    return header, data


def _sync(folder: Path) -> None:
    """Force the names in a folder to disk."""
    with contextlib.suppress(OSError):  # not every file system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""The state of a monitor in a file, now and then and at the end; what an older version wrote is brought up to date."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from driftwatch import __version__
from driftwatch.config import Config
from driftwatch.errors import StateError
from driftwatch.state import read, unpack, write
from driftwatch.state.files import PREVIOUS

SCHEMA = 1
"""Counted up when what is saved changes its names or its meaning; tests/monitor/golden has a file of each."""
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""By schema: what makes a header, with the state in it, one of the next schema."""


def exists(path: Path) -> bool:
    """Whether there is a state, or the one before it."""
    return path.exists() or path.with_name(path.name + PREVIOUS).exists()


def save(path: Path, config: Config, state: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all; the one before is kept beside it.

    Raises
    ------
    StateError
        If it cannot be written.
    """
    settings = json.loads(config.model_dump_json())
    write(path, {"schema": SCHEMA, "version": __version__, "shape": config.shape(), "config": settings}, dict(state))


def load(path: Path, config: Config | None = None) -> tuple[Config, Any]:
    """Read a state.

    Parameters
    ----------
    path
        Its file.
    config
        Of the one that is to go on from it; None to take the saved one.

    Returns
    -------
    The configuration, and the state.

    Raises
    ------
    StateError
        If it cannot be read, is of a newer schema, or was made with settings that do not fit.
    """
    header, data = read(path)
    header = _up_to_date(path, header)
    known = config or Config.parse(header["config"], source=str(path))
    if header["shape"] != known.shape():
        raise StateError(f"{path}: it was written with other ticks, streams, learning, text, budget or margins")
    return known, unpack(header["state"], data)


def latest(path: Path, config: Config | None = None) -> tuple[Config, Any]:
    """Read a state, or the one before it where that cannot be read.

    Raises
    ------
    StateError
        If neither can be read; says why of both.
    """
    try:
        return load(path, config)
    except StateError as error:
        before = path.with_name(path.name + PREVIOUS)
        if not before.exists():
            raise
        try:
            return load(before, config)
        except StateError as older:
            raise StateError(f"{error}; {older}") from error


def _up_to_date(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    schema = header.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise StateError(f"{path}: schema {schema} is not known here (this version reads up to {SCHEMA})")
    for version in range(schema, SCHEMA):
        header = MIGRATIONS[version](header)
    return header

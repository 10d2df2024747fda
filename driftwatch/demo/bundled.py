"""The real recording that comes with the package."""

from __future__ import annotations

from pathlib import Path

from driftwatch.errors import InputError


def recording(name: str = "kv_pressure") -> Path:
    """Find a bundled recording folder, in a checkout as well as in an installed package.

    Raises
    ------
    InputError
        If it was not installed along.

    Examples
    --------
    >>> sorted(file.name for file in recording().iterdir())[-2:]
    ['requests.jsonl.gz', 'truth.json']
    """
    package = Path(__file__).parents[1]
    for home in (package / "_examples", package.parent / "examples" / "data"):
        if (home / name).is_dir():
            return home / name
    raise InputError("the bundled recording is missing; install driftwatch-serving again", source=name)

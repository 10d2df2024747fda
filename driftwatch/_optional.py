"""Import a package that only an extra brings, or say which extra that is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from driftwatch.errors import MissingExtra


def load(module: str, extra: str) -> Any:
    """Import ``module``, or raise an error that names the extra.

    Raises
    ------
    MissingExtra
        If the package is not installed.

    Examples
    --------
    >>> load("json", "batch").dumps([1])
    '[1]'
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtra(
            f"{package} is needed for this and is not installed: pip install 'driftwatch-serving[{extra}]'"
        ) from error

"""The command ``driftwatch``, also as ``python -m driftwatch``."""

from __future__ import annotations

import sys

from driftwatch._optional import load
from driftwatch.errors import MissingExtra


def main() -> None:
    """Run the command line, or say in one line which extra brings it."""
    try:
        for package in ("click", "rich"):
            load(package, "batch")
    except MissingExtra as error:
        print(f"driftwatch: {error}", file=sys.stderr)
        sys.exit(2)
    from driftwatch.cli import run  # only now: its first line imports click

    sys.exit(run())


if __name__ == "__main__":
    main()

"""What was measured so far, a line a case: a run that was cut short goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scoring.cases import Case

Row = dict[str, Any]
_OURS = Path(__file__).parent
_FACTS = ("cases.py", "facts.py", "thresholds.py", "adwin.py")


def digest(package: Path) -> str:
    """A short hash of all code that the facts depend on: what other code measured is not taken over."""
    sources = [*sorted(package.rglob("*.py")), *(_OURS / name for name in _FACTS)]
    whole = hashlib.sha256()
    for source in sources:
        whole.update(source.read_bytes())
    return whole.hexdigest()[:12]


def kept(path: Path) -> dict[Case, Row]:
    """The facts of earlier cases; those that failed are tried again, and a last line cut short is measured anew."""
    rows = list(_rows(path)) if path.exists() else []
    return {Case(row["name"], row["severity"], row["seed"]): row for row in rows if "error" not in row}


def _rows(path: Path) -> Iterator[Row]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def recorded(path: Path, rows: Iterable[Row]) -> Iterator[Row]:
    """Write each row down before it is passed on."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        for row in rows:
            log.write(json.dumps(row) + "\n")
            log.flush()
            yield row

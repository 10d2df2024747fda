"""Write the pages that the code itself knows best; a test says when they are out of date.

Run it as ``python docs/generate.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from driftwatch import Incident
from driftwatch._settings import Setting, settings

DOCS = Path(__file__).parent

HEAD = """# Configuration

One TOML file, given as `--config driftwatch.toml` or `config="driftwatch.toml"`; in Python a mapping of the same shape
does as well. Every key has a default, so an empty file is valid; an unknown key is an error. `driftwatch config` prints
all of this as a commented TOML file. This page is made from the code by `docs/generate.py`: do not edit it.
"""


def configuration() -> str:
    """All keys, a table for each section."""
    sections = groupby(settings(), key=lambda s: (s.table, s.meaning_of_table))
    return HEAD + "".join(section(table, about, rows) for (table, about), rows in sections)


def section(table: str, about: str, rows: Iterable[Setting]) -> str:
    """One section: its name, what it is about, its keys."""
    head = f"\n## `{table}`\n\n{about}\n\n| key | default | unit | meaning |\n|---|---|---|---|\n"
    return head + "".join(f"| `{s.key}` | {default(s)} | {s.unit} | {meaning(s)} |\n" for s in rows)


def default(setting: Setting) -> str:
    """The default as code, or that there is none."""
    return f"`{setting.default}`" if setting.default else "must be given"


def meaning(setting: Setting) -> str:
    """The meaning, with the allowed words."""
    allowed = f" One of {', '.join(f'`{choice}`' for choice in setting.choices)}." if setting.choices else ""
    return setting.meaning + allowed


def schema() -> str:
    """The JSON schema of an incident."""
    return json.dumps(Incident.model_json_schema(), indent=2) + "\n"


PAGES = {"configuration.md": configuration, "incident.schema.json": schema}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")

"""All keys of the configuration, as its models say them: for ``driftwatch config`` and for docs/configuration.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from driftwatch.config import Config

_UNITS = {"s": "s", "days": "days", "share": "share"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key.

    Parameters
    ----------
    table
        Its TOML table, such as ``[ticks]``, or ``[[health.checks]]`` for a list of tables.
    meaning_of_table
        What the table is about.
    key, default, unit, meaning
        As documented; ``default`` is written as TOML and empty where the key must be given.
    choices
        The allowed words, where only some are.
    """

    table: str
    meaning_of_table: str
    key: str
    default: str
    unit: str
    meaning: str
    choices: tuple[str, ...] = ()


def settings() -> Iterator[Setting]:
    """All keys, in the order of the models.

    Examples
    --------
    >>> width = next(s for s in settings() if s.key == "width_s")
    >>> width.table, width.default, width.unit
    ('[ticks]', '5.0', 's')
    """
    for name, section in Config.model_fields.items():
        nested = []
        for key, field in section.annotation.model_fields.items():  # type: ignore[union-attr]  # every key of Config is a Section
            item = next((a for a in get_args(field.annotation) if _is_model(a)), None)
            if item is not None:
                nested.append((f"[[{name}.{key}]]", field.description or "", item))
            else:
                yield _setting(f"[{name}]", section.description or "", key, field)
        for table, meaning, item in nested:
            for key, field in item.model_fields.items():
                yield _setting(table, meaning, key, field)


def default_toml() -> str:
    """The default configuration as a commented TOML file.

    Examples
    --------
    >>> print(default_toml().splitlines()[0])
    # The configuration of driftwatch: every key with its default. Keep the lines that you change.
    """
    lines = ["# The configuration of driftwatch: every key with its default. Keep the lines that you change."]
    table = ""
    for setting in settings():
        off = "# " if setting.table.startswith("[[") else ""  # no list of tables has an entry by default
        if setting.table != table:
            table = setting.table
            lines += ["", f"# {setting.meaning_of_table}", f"{off}{table}"]
        lines.append(f"{off}{setting.key} = {setting.default or '...'}  # {_remark(setting)}")
    return "\n".join(lines) + "\n"


def _remark(setting: Setting) -> str:
    return f"{setting.meaning} One of: {', '.join(setting.choices)}." if setting.choices else setting.meaning


def _setting(table: str, about: str, key: str, field: FieldInfo) -> Setting:
    default = "" if field.is_required() else json.dumps(field.default)
    choices = tuple(a for a in get_args(field.annotation) if isinstance(a, str))
    return Setting(table, about, key, default, _unit(key, field), field.description or "", choices)


def _unit(key: str, field: FieldInfo) -> str:
    last = key.rpartition("_")[2]
    if field.annotation is int:
        return last
    if field.annotation is not float:
        return ""
    if "elative" in (field.description or ""):
        return "ratio"
    return _UNITS.get(last, "number")


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)

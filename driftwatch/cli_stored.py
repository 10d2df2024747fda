"""Incidents that were stored, read back: what a scan wrote, or the lines of an alert of kind ``jsonlines``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from driftwatch.errors import InputError
from driftwatch.incidents.models import Incident
from driftwatch.report import Report

_OF_A_LETTER = ("headline", "trimmed")
"""What a sink adds to a record."""


def stored_report(path: Path) -> Report:
    """Read incidents back from a report, a list of incidents, one incident, or a line for each transition.

    Only the first is a whole report. Of an incident that is there several times the last counts, as it is known last.
    A line that a crash cut short is left out, which is said on standard error: it was written again.

    Raises
    ------
    InputError
        If the file holds something else; names the first wrong field.
    """
    try:
        stored = _read(path)
        if isinstance(stored, dict) and "incidents" in stored:
            return Report.model_validate(stored)
        records = stored if isinstance(stored, list) else [stored]
        latest = {incident.id: incident for incident in map(_incident, records)}
        return Report(incidents=tuple(latest.values()))
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError(f"not an incident: '{field}': {error.errors()[0]['msg']}", source=str(path)) from error
    except (ValueError, TypeError) as error:
        raise InputError(f"not a JSON file of incidents ({error})", source=str(path)) from error


def _read(path: Path) -> Any:
    """One JSON value, or those of the lines."""
    text = path.read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        whole = error
    found, broken = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            broken.append(number)
    if not found:
        raise ValueError(whole) from whole
    for number in broken:
        click.echo(f"driftwatch: {path}, line {number}: left out, it is not JSON", err=True)
    return found


def _incident(record: Any) -> Incident:
    if isinstance(record, dict):
        record = {name: value for name, value in record.items() if name not in _OF_A_LETTER}
    return Incident.model_validate(record)

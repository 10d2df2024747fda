"""An incident as bytes in the outbox, and back."""

from __future__ import annotations

import json
import zlib
from typing import Any

from driftwatch.incidents.models import Incident

MOST_BYTES = 1_000_000
"""A record that is longer than this as JSON is stored without its chart, with its texts and lists cut."""
_LONG, _MANY = 200, 40


WRITTEN = frozenset({"excerpt"})
"""Names of fields, anywhere in a record, that hold what users or models wrote."""


def packed(incident: Incident, *, text: bool = False) -> bytes:
    """The record, compressed. Numbers that are not finite survive; half of a character becomes a question mark.

    Parameters
    ----------
    text
        Keep what users or models wrote; otherwise it is blank.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 11, 27, tzinfo=UTC)
    >>> one = Incident(id="dw-1", kind="degradation", severity="critical", stream="model=m", opened_at=at, onset=at,
    ...     onset_interval=(at, at), updated_at=at, findings=())
    >>> unpacked(packed(one)) == one
    True
    """
    record = incident.model_dump(mode="json")
    whole = _encoded(record if text else without_text(record))
    if len(whole) > MOST_BYTES:
        whole = _encoded(_shortened(json.loads(whole)) | {"chart": None, "doses": []})
    return zlib.compress(whole, level=1)


def without_text(value: Any) -> Any:
    """The same with nothing in it that users or models wrote.

    Examples
    --------
    >>> without_text({"examples": [{"at": 7.0, "excerpt": "Dear Sir"}]})
    {'examples': [{'at': 7.0, 'excerpt': ''}]}
    """
    if isinstance(value, dict):
        return {name: "" if name in WRITTEN else without_text(inner) for name, inner in value.items()}
    return [without_text(inner) for inner in value] if isinstance(value, list) else value


def plain(incident: Incident) -> dict[str, Any]:
    """The record as plain JSON types, all of its text valid Unicode."""
    found: dict[str, Any] = json.loads(_encoded(incident.model_dump(mode="json")))
    return found


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _shortened(value: Any) -> Any:
    """The same with nothing in it that is long: texts, lists, tables of labels."""
    if isinstance(value, dict):
        return {name[:_LONG]: _shortened(inner) for name, inner in [*value.items()][:_MANY]}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value[:_MANY]]
    return value[:_LONG] if isinstance(value, str) else value


def unpacked(stored: bytes) -> Incident:
    """Back from `packed`.

    Raises
    ------
    ValueError
        If it is not a record of this version of driftwatch.
    """
    try:
        return Incident.model_validate_json(zlib.decompress(stored))
    except zlib.error as error:
        raise ValueError(f"not a stored incident ({error})") from error

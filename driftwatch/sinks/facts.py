"""The facts of an incident for machines: an allow-list of fields, cut to a size in a stated order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from driftwatch.explain import headline
from driftwatch.explain.numbers import clean
from driftwatch.incidents.models import Incident
from driftwatch.sinks.record import plain

SENT = frozenset(
    {
        *("id", "seq", "status", "transition", "kind", "severity", "stream", "opened_at", "onset", "onset_interval"),
        *("updated_at", "resolved_at", "findings", "losses", "causes", "silent", "health", "segments", "markers"),
        *("answers", "notes", "chart", "doses", "contrast", "memory", "economics"),
    }
)
"""Fields that leave the machine. What users wrote is not in them, unless the outbox was told to keep it."""

_LONG, _MOST = 200, 5


def facts(incident: Incident, limit: int) -> dict[str, Any]:
    """The record as plain JSON types, with its ``headline``, in at most ``limit`` bytes of JSON.

    What does not fit is left out in this order, and named in ``trimmed``: the chart and the doses; checks that do not
    fire; causes that are ruled out; texts beyond 200 characters; beyond five findings, losses, causes, segments,
    checks, markers and notes; then answers, memory and economics; then segments, checks, markers, notes, losses,
    causes, findings altogether.

    Parameters
    ----------
    limit
        At least 4,000: identity, state and times always fit in that.
    """
    found = {name: value for name, value in plain(incident).items() if name in SENT}
    found = {"headline": headline(incident)} | found | {"trimmed": []}
    for name, cut in _CUTS:
        if size(found) <= limit:
            return found
        cut(found)
        found["trimmed"].append(name)
    return found


def size(value: Any) -> int:
    """Bytes of a value as JSON."""
    return len(encoded(value))


def encoded(value: Any) -> bytes:
    """Compact JSON; what is not a number in JSON becomes null."""
    return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _cut_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {clean(name, 60): _cut_texts(inner) for name, inner in [*value.items()][:20]}
    if isinstance(value, list):
        return [_cut_texts(inner) for inner in value]
    return clean(value, _LONG) if isinstance(value, str) else value


def _without(*names: str) -> Callable[[dict[str, Any]], None]:
    def cut(found: dict[str, Any]) -> None:
        found.update({name: [] for name in names})

    return cut


def _no_chart(found: dict[str, Any]) -> None:
    found.update({"chart": None, "doses": []})


def _no_answers(found: dict[str, Any]) -> None:
    found.update({name: None for name in ("answers", "contrast", "memory", "economics") if name in found})


def _only_firing(found: dict[str, Any]) -> None:
    found["health"] = [check for check in found["health"] if check["state"] == "firing"]


def _not_ruled_out(found: dict[str, Any]) -> None:
    found["causes"] = [cause for cause in found["causes"] if cause["tier"] != "ruled_out"]


def _short_texts(found: dict[str, Any]) -> None:
    found.update(_cut_texts(found))


_LISTS = ("segments", "health", "markers", "notes", "losses", "causes", "findings")


def _short_lists(found: dict[str, Any]) -> None:
    found.update({name: found[name][:_MOST] for name in _LISTS})


_CUTS: tuple[tuple[str, Callable[[dict[str, Any]], None]], ...] = (
    ("chart", _no_chart),
    ("checks that do not fire", _only_firing),
    ("causes that are ruled out", _not_ruled_out),
    ("long texts", _short_texts),
    ("long lists", _short_lists),
    ("answers, memory, economics", _no_answers),
    *((name, _without(name)) for name in _LISTS),
)

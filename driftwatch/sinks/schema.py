"""What a webhook's body looks like, as a JSON schema."""

from __future__ import annotations

from typing import Any, get_args

from driftwatch.incidents.models import Incident

_TRANSITIONS = get_args(Incident.model_fields["transition"].annotation)


def webhook_schema() -> dict[str, Any]:
    """The JSON schema of `Webhook.payload`: an envelope around the record, the lists of which may be cut."""
    record = _nullable(Incident.model_json_schema())
    known = {
        "headline": {"type": "string", "maxLength": 120, "description": "What changed and by how much, and where."}
    }
    left_out = {"type": "array", "items": {"type": "string"}, "description": "What was left out to stay below 20 kB."}
    data = {
        "type": "object",
        "additionalProperties": False,
        "properties": known | record["properties"] | {"trimmed": left_out},
        "required": ["headline", *record["properties"], "trimmed"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Webhook of driftwatch",
        "description": "Follows Standard Webhooks 1.0.0; the header webhook-id is 'id-seq' of the incident.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "type": {"enum": [f"incident.{what}" for what in _TRANSITIONS]},
            "timestamp": {"type": "string", "format": "date-time", "description": "Of the transition."},
            "data": data,
        },
        "required": ["type", "timestamp", "data"],
        "$defs": record["$defs"],
    }


def _nullable(part: Any) -> Any:
    """The same schema, in which a number may be null: JSON has no word for what is not finite."""
    if isinstance(part, dict):
        found = {name: _nullable(inner) for name, inner in part.items()}
        return found | {"type": ["number", "null"]} if part.get("type") == "number" else found
    return [_nullable(inner) for inner in part] if isinstance(part, list) else part

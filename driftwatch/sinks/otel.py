"""OpenTelemetry: each transition as a log event, through the application's own logger provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from driftwatch._optional import load
from driftwatch._version import __version__
from driftwatch.errors import ConfigError, DeliveryError
from driftwatch.explain import headline
from driftwatch.explain.numbers import clean, utc
from driftwatch.incidents.models import Incident
from driftwatch.sinks.message import fields, message
from driftwatch.sinks.protocol import Letter, Memory, Sink

_SEVERITY = {"info": "INFO", "warning": "WARN", "critical": "ERROR"}
_FLUSH_MS = 5_000


class OpenTelemetry(Sink):
    """Emits log events named ``driftwatch.incident``.

    It counts as delivered once the provider says that it is flushed; what becomes of it then is up to the exporter.

    Parameters
    ----------
    provider
        A logger provider of the OpenTelemetry SDK; by default the global one.
    name
        In the outbox, in metrics and in logs.

    References
    ----------
    .. [1] https://opentelemetry.io/docs/specs/otel/logs/data-model/
    """

    most = 100

    def __init__(self, provider: Any = None, *, name: str = "opentelemetry") -> None:
        super().__init__(name)
        self._provider = provider

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """Emit, and flush."""
        logs = load("opentelemetry._logs", "otel")
        provider = self._provider or logs.get_logger_provider()
        if not hasattr(provider, "force_flush"):  # without the SDK what is emitted goes nowhere
            raise ConfigError("no logger provider of the OpenTelemetry SDK is set")
        logger = provider.get_logger("driftwatch", __version__)
        for letter in letters:
            logger.emit(**_event(letter.incident, now, logs.SeverityNumber))
        if not provider.force_flush(_FLUSH_MS):
            raise DeliveryError("timeout", "the logger provider did not flush in time")
        return [{} for _ in letters]


def _event(incident: Incident, now: datetime, severities: Any) -> dict[str, Any]:
    severity = "INFO" if incident.status == "resolved" else _SEVERITY[incident.severity]
    said = {f"driftwatch.{label.lower().replace(' ', '_')}": text for label, text in message(incident).facts}
    known = {f"driftwatch.{name}": value for name, value in fields(incident).items() if name != "update"}
    return {
        "timestamp": _nanoseconds(incident.updated_at),
        "observed_timestamp": _nanoseconds(now),
        "severity_number": severities[severity],
        "severity_text": severity,
        "body": headline(incident),
        "event_name": "driftwatch.incident",
        "attributes": {
            **said,
            **known,
            "driftwatch.seq": incident.seq,
            "driftwatch.status": incident.status,
            "driftwatch.transition": incident.transition,
            "driftwatch.silent": incident.silent,
            "gen_ai.request.model": clean(dict(_labels(incident.stream)).get("model", ""), 100),
        },
    }


def _labels(stream: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in stream.split(","))
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _nanoseconds(at: datetime) -> int:
    return round(utc(at).timestamp() * 1e9)

"""An OpenTelemetry span processor: the ``gen_ai.*`` spans that a program makes anyway, as requests.

It is a span processor by its methods alone, so opentelemetry is not imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from driftwatch.events.names import FIELDS, Mapped, field_of
from driftwatch.integrations.guest import Receiver, quietly

OPERATIONS: frozenset[str] = frozenset({"chat", "text_completion", "generate_content"})
"""Operations that are a request to a model; tools and agents are not."""

_SCALES = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_REPLICA = ("service.instance.id", "k8s.pod.name", "host.name")


class SpanProcessor:
    """Tells a monitor of every span of a request to a model.

    Parameters
    ----------
    monitor
        Who is told.
    labels
        Labels of every request.
    text
        Hand prompts and answers to the monitor, where the spans have them.

    Examples
    --------
    ::

        provider = TracerProvider()
        provider.add_span_processor(SpanProcessor(monitor))
    """

    def __init__(self, monitor: Receiver, *, labels: Mapping[str, str] | None = None, text: bool = False) -> None:
        self.monitor, self.labels, self.text = monitor, dict(labels or {}), text

    @quietly
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Tell that a request is in flight."""
        if is_request(span.attributes or {}):
            row = row_of(span, text=False)
            kept = ("request_id", "model", "route", "tenant")
            self.monitor.started(**{name: row[name] for name in kept if name in row}, at=row["started_at"])

    @quietly
    def on_end(self, span: Any) -> None:
        """Tell how it went."""
        if is_request(span.attributes or {}):
            self.monitor.request(**row_of(span, text=self.text), labels=self.labels)

    def _on_ending(self, span: Any) -> None:
        """Part of the protocol; nothing to do."""

    def shutdown(self) -> None:
        """Part of the protocol; the monitor is closed by whoever made it."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Part of the protocol: nothing is held here."""
        return True


def is_request(attributes: Mapping[str, Any]) -> bool:
    """Whether a span with these attributes is a request to a model.

    Examples
    --------
    >>> is_request({"gen_ai.operation.name": "chat"}), is_request({"gen_ai.operation.name": "execute_tool"})
    (True, False)
    >>> is_request({"gen_ai.usage.prompt_tokens": 9}), is_request({"http.route": "/"})
    (True, False)
    """
    operation = attributes.get("gen_ai.operation.name")
    if operation is not None:
        return operation in OPERATIONS
    return any(name.startswith(("gen_ai.usage.", "gen_ai.request.", "gen_ai.latency.")) for name in attributes)


def row_of(span: Any, *, text: bool) -> dict[str, Any]:
    """A span as the fields of `driftwatch.Monitor.request`."""
    row = dict(_fields(span.attributes, text))
    row["request_id"] = f"{span.context.span_id:016x}"
    row["started_at"] = span.start_time / 1e9
    if span.end_time is not None:
        row["completed_at"] = span.end_time / 1e9
        row["latency"] = (span.end_time - span.start_time) / 1e9
    if span.status.status_code.name == "ERROR":
        row.setdefault("error", "error")
    return _replica(span) | row


def _replica(span: Any) -> dict[str, str]:
    resource = span.resource.attributes if span.resource else {}
    return next(({"replica": str(resource[name])} for name in _REPLICA if name in resource), {})


def _fields(attributes: Mapping[str, Any], text: bool) -> Iterator[tuple[str, Any]]:
    """What the attributes say; of several that mean the same the best known name."""
    found: dict[str, tuple[int, Any]] = {}
    for name, raw in attributes.items():
        mapped = field_of(name)
        if mapped is None or (FIELDS.get(mapped.field) == "text" and not text):
            continue
        value = _value(mapped, raw)
        if value is not None and mapped.rank < found.get(mapped.field, (1 << 30, None))[0]:
            found[mapped.field] = (mapped.rank, value)
    for field, (_, value) in found.items():
        yield ("itl_mean" if field == "itl" else field), value


def _value(mapped: Mapped, raw: Any) -> Any:
    """A value of the right type, or None."""
    kind = FIELDS.get(mapped.field)
    if isinstance(raw, tuple | list):
        raw = raw[0] if raw else None
    if kind == "duration" and isinstance(raw, int | float) and not isinstance(raw, bool):
        return raw * _SCALES[mapped.unit]
    if kind == "tokens":
        return raw if isinstance(raw, int) and not isinstance(raw, bool) else None
    if kind == "status":
        return raw if isinstance(raw, int | str) else None
    return raw if kind in ("word", "text") and isinstance(raw, str) else None

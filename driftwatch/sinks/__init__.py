"""Where incidents are told: a durable outbox, and one file for each kind of destination.

Examples
--------
>>> from driftwatch import sinks
>>> sinks.Webhook("https://example.org/hook", secret="env:HOOK_SECRET")
<Webhook: webhook>
"""

from __future__ import annotations

from driftwatch.sinks.alertmanager import Alertmanager
from driftwatch.sinks.cloudevents import CloudEvents
from driftwatch.sinks.courier import Outcome
from driftwatch.sinks.jsonlines import JsonLines
from driftwatch.sinks.letters import Entry
from driftwatch.sinks.outbox import Outbox, SinkStats
from driftwatch.sinks.policy import Policy
from driftwatch.sinks.protocol import HttpSink, Letter, Memory, Sink
from driftwatch.sinks.routes import Quiet, Route
from driftwatch.sinks.webhook import Webhook
from driftwatch.sinks.wire import Egress

__all__ = [
    "Alertmanager",
    "CloudEvents",
    "Egress",
    "Entry",
    "HttpSink",
    "JsonLines",
    "Letter",
    "Memory",
    "Outbox",
    "Outcome",
    "Policy",
    "Quiet",
    "Route",
    "Sink",
    "SinkStats",
    "Webhook",
]

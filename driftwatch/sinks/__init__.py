"""Where incidents are told: a durable outbox, and one file for each kind of destination.

Examples
--------
>>> from driftwatch import sinks
>>> sinks.Webhook("https://example.org/hook", secret="env:HOOK_SECRET")
<Webhook: webhook>
"""

from __future__ import annotations

from driftwatch.sinks.alertmanager import Alertmanager
from driftwatch.sinks.apprise import Apprise
from driftwatch.sinks.cloudevents import CloudEvents
from driftwatch.sinks.configured import configured
from driftwatch.sinks.courier import Outcome
from driftwatch.sinks.grafana import Grafana
from driftwatch.sinks.jsonlines import JsonLines
from driftwatch.sinks.letters import Entry
from driftwatch.sinks.mail import Email
from driftwatch.sinks.opsgenie import Opsgenie
from driftwatch.sinks.otel import OpenTelemetry
from driftwatch.sinks.outbox import Outbox, SinkStats
from driftwatch.sinks.pagerduty import PagerDuty
from driftwatch.sinks.policy import Policy
from driftwatch.sinks.protocol import HttpSink, Letter, Memory, Sink
from driftwatch.sinks.routes import Quiet, Route
from driftwatch.sinks.slack import Slack
from driftwatch.sinks.slack_app import SlackApp
from driftwatch.sinks.teams import Teams
from driftwatch.sinks.webhook import Webhook
from driftwatch.sinks.wire import Egress

__all__ = [
    "Alertmanager",
    "Apprise",
    "CloudEvents",
    "Egress",
    "Email",
    "Entry",
    "Grafana",
    "HttpSink",
    "JsonLines",
    "Letter",
    "Memory",
    "OpenTelemetry",
    "Opsgenie",
    "Outbox",
    "Outcome",
    "PagerDuty",
    "Policy",
    "Quiet",
    "Route",
    "Sink",
    "SinkStats",
    "Slack",
    "SlackApp",
    "Teams",
    "Webhook",
    "configured",
]

"""From the configuration to an outbox with its sinks and routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from driftwatch.alerting import Alerts, Destination, hours
from driftwatch.sinks.alertmanager import Alertmanager
from driftwatch.sinks.apprise import Apprise
from driftwatch.sinks.cloudevents import CloudEvents
from driftwatch.sinks.grafana import Grafana
from driftwatch.sinks.jsonlines import JsonLines
from driftwatch.sinks.mail import Email
from driftwatch.sinks.opsgenie import Opsgenie
from driftwatch.sinks.otel import OpenTelemetry
from driftwatch.sinks.outbox import Outbox
from driftwatch.sinks.pagerduty import PagerDuty
from driftwatch.sinks.policy import Policy
from driftwatch.sinks.protocol import Sink
from driftwatch.sinks.routes import Quiet, Route
from driftwatch.sinks.slack import Slack
from driftwatch.sinks.slack_app import SlackApp
from driftwatch.sinks.teams import Teams
from driftwatch.sinks.webhook import Webhook
from driftwatch.sinks.wire import Egress

_LEASE = 3  # of the longest request: nobody takes up what somebody may still be sending


def configured(alerts: Alerts, sinks: Iterable[Sink] = (), *, path: str | Path | None = None) -> Outbox:
    """An outbox as the section ``[alerts]`` describes it.

    Parameters
    ----------
    alerts
        The section, ``Config.alerts``.
    sinks
        More sinks, which are told everything.
    path
        Its file, instead of the one in the section.

    Raises
    ------
    ConfigError
        If a URL may not be used, or two sinks have one name.

    Examples
    --------
    >>> from driftwatch import Config
    >>> config = Config.parse({"alerts": {"destinations": [{"kind": "pagerduty", "key": "env:PAGERDUTY_KEY"}]}})
    >>> configured(config.alerts, path="unused.db")
    <Outbox: unused.db, pagerduty>
    """
    made = [_make(d, alerts) for d in alerts.destinations]
    routes = {d.name or d.kind: _route(d, alerts) for d in alerts.destinations}
    policy = Policy(lease_s=_LEASE * alerts.deadline_s, max_age_s=alerts.max_age_s)
    file = path or alerts.outbox or None
    return Outbox(file, [*made, *sinks], routes=routes, policy=policy, text=alerts.send_text)


def _route(d: Destination, alerts: Alerts) -> Route:
    quiet = None
    if d.quiet and alerts.quiet:
        quiet = Quiet(*hours(alerts.quiet), ZoneInfo(alerts.timezone), alerts.quiet_through)
    return Route(d.severity, d.streams, d.kinds, quiet, d.group_s)


def _make(d: Destination, alerts: Alerts) -> Sink:
    """The sink of a destination."""
    egress = Egress(d.allow_http, d.allow_private, alerts.allow_hosts, alerts.ca_file, alerts.deadline_s)
    common: dict[str, Any] = {"name": d.name or d.kind}
    reached: dict[str, Any] = common | {"egress": egress}
    linked: dict[str, Any] = reached | {"link": alerts.link}
    elsewhere: dict[str, Any] = linked | ({"url": d.url} if d.url else {})
    sent: dict[str, Any] = {"headers": d.headers}
    makers: dict[str, Callable[[], Sink]] = {
        "webhook": lambda: Webhook(d.url, d.secrets, **sent, **reached),
        "cloudevents": lambda: CloudEvents(d.url, d.secrets, **sent, **reached),
        "alertmanager": lambda: Alertmanager(d.url, repeat_s=alerts.repeat_s, labels=d.labels, **sent, **linked),
        "pagerduty": lambda: PagerDuty(d.key, **elsewhere),
        "opsgenie": lambda: Opsgenie(d.key, tags=d.tags, **elsewhere),
        "slack": lambda: Slack(d.url, **linked),
        "slackapp": lambda: SlackApp(d.key, d.channel, **elsewhere),
        "teams": lambda: Teams(d.url, **linked),
        "grafana": lambda: Grafana(d.url, d.key, dashboard=d.dashboard, **reached),
        "apprise": lambda: Apprise(d.url, link=alerts.link, **common),
        "email": lambda: Email(d.host, d.sender, d.to, port=d.port, tls=d.tls, user=d.user, password=d.key, **linked),
        "jsonlines": lambda: JsonLines(d.path, **common),
        "opentelemetry": lambda: OpenTelemetry(**common),
    }
    return makers[d.kind]()

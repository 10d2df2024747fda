"""The section ``[alerts]`` of the configuration: who is told of incidents, of which, and when."""

from __future__ import annotations

from datetime import time
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from driftwatch._section import Section

Service = Literal[
    "webhook",
    "cloudevents",
    "alertmanager",
    "pagerduty",
    "opsgenie",
    "slack",
    "slackapp",
    "teams",
    "grafana",
    "apprise",
    "email",
    "jsonlines",
    "opentelemetry",
]
Severity = Literal["info", "warning", "critical"]
Kind = Literal["degradation", "improvement", "change", "workload", "telemetry"]
_NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("webhook", "cloudevents", "alertmanager", "slack", "teams", "apprise"), ("url",)),
    **dict.fromkeys(("pagerduty", "opsgenie"), ("key",)),
    "grafana": ("url", "key"),
    "slackapp": ("key", "channel"),
    "email": ("host", "sender", "to"),
    "jsonlines": ("path",),
    "opentelemetry": (),
}
_SECRET_URLS = ("slack", "teams", "apprise")


class Destination(Section):
    """Somebody who is told. A secret is given as ``env:NAME`` or ``file:PATH``, never itself."""

    kind: Service = Field(description="Which service.")
    name: str = Field("", description="In the outbox, in metrics and in logs; the kind unless given.")
    severity: Severity = Field("warning", description="Tell from this severity on.")
    streams: tuple[str, ...] = Field((), description="Tell only of these streams, such as 'model=chat*'; all if empty.")
    kinds: tuple[Kind, ...] = Field((), description="Tell only of these kinds; all if empty.")
    quiet: bool = Field(True, description="Keep the quiet hours.")
    group_s: float = Field(0.0, ge=0, description="Wait so long for more incidents to tell of together, in seconds.")
    allow_http: bool = Field(False, description="It may be reached without TLS.")
    allow_private: bool = Field(False, description="It may be at a private or loopback address.")
    url: str = Field("", description="Where to; for slack, teams and apprise it is a secret, otherwise it may be one.")
    key: str = Field("", description="Secret: the key, token or password.")
    secrets: tuple[str, ...] = Field((), description="Secrets with which a webhook is signed; several in a rotation.")
    headers: dict[str, str] = Field(
        {}, description="More headers of a webhook or Alertmanager; their values are secrets."
    )
    labels: dict[str, str] = Field({}, description="More labels of an alert in Alertmanager.")
    tags: tuple[str, ...] = Field((), description="More tags in Opsgenie.")
    channel: str = Field("", description="Id of the channel, for slackapp.")
    dashboard: str = Field("", description="Uid of the dashboard, for grafana; any dashboard unless given.")
    path: str = Field("", description="The file, for jsonlines.")
    host: str = Field("", description="The SMTP server, for email.")
    port: int = Field(0, ge=0, le=65_535, description="Its port; that of 'tls' unless given.")
    tls: Literal["starttls", "tls", "none"] = Field("starttls", description="How mail is encrypted on its way.")
    user: str = Field("", description="To log in to the SMTP server with the key.")
    sender: str = Field("", description="The sender of mail.")
    to: tuple[str, ...] = Field((), description="The recipients of mail.")

    @field_validator("key", "secrets", "headers")
    @classmethod
    def _references(cls, given: str | tuple[str, ...] | dict[str, str]) -> str | tuple[str, ...] | dict[str, str]:
        values = [given] if isinstance(given, str) else given.values() if isinstance(given, dict) else given
        if any(value and not value.startswith(("env:", "file:")) for value in values):
            raise ValueError("a secret is given as 'env:NAME' or 'file:PATH', never itself")
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in _NEEDS[self.kind] if not getattr(self, name)]
        if missing:
            raise ValueError(f"{self.kind} needs {', '.join(missing)}")
        if self.kind in _SECRET_URLS and not self.url.startswith(("env:", "file:")):
            raise ValueError(f"the url of {self.kind} is a secret: give it as 'env:NAME' or 'file:PATH'")
        return self


class Alerts(Section):
    """Who is told of incidents, of which, and when."""

    outbox: str = Field("", description="File of the outbox; in the folder for state unless given.")
    link: str = Field(
        "", description="Where to look: a URL with {id}, {stream}, {from_ms} and {to_ms} to be filled in."
    )
    quiet: str = Field("", description="Quiet hours, such as '22:00-07:00': what is less severe waits for their end.")
    quiet_through: Severity = Field("critical", description="From this severity on, quiet hours do not hold.")
    timezone: str = Field("UTC", description="Whose clock the quiet hours are by, such as 'Europe/Berlin'.")
    send_text: bool = Field(False, description="Also send excerpts of answers, where they are kept (text.keep_text).")
    allow_hosts: tuple[str, ...] = Field((), description="Only these hosts may be reached, such as '*.example.org'.")
    ca_file: str = Field("", description="Certificates to trust instead of the system's, as a PEM file.")
    deadline_s: float = Field(10.0, gt=0, le=25, description="Longest time of one request, in seconds.")
    repeat_s: float = Field(60.0, gt=0, description="Alertmanager is told again so often while it lasts, in seconds.")
    max_age_s: float = Field(86_400.0, gt=0, description="What is not delivered by then is a dead letter, in seconds.")
    destinations: tuple[Destination, ...] = Field((), description="Who is told.")

    @field_validator("quiet")
    @classmethod
    def _hours(cls, given: str) -> str:
        if given:
            hours(given)
        return given

    @field_validator("timezone")
    @classmethod
    def _zone(cls, given: str) -> str:
        try:
            ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"'{given}' is no time zone, such as 'Europe/Berlin'") from None
        return given

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [destination.name or destination.kind for destination in self.destinations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two destinations are called {', '.join(twice)}: give one another name")
        return self


def hours(given: str) -> tuple[time, time]:
    """Two times of day.

    Raises
    ------
    ValueError
        If it is not two of them.

    Examples
    --------
    >>> hours("22:00-07:30")
    (datetime.time(22, 0), datetime.time(7, 30))
    """
    start, _, end = given.partition("-")
    try:
        found = time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise ValueError(f"'{given}' are no hours, such as '22:00-07:00'") from None
    if found[0] == found[1]:
        raise ValueError(f"'{given}' begin and end at the same time")
    return found

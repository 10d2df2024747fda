"""From settings to the sinks that they name."""

from __future__ import annotations

from collections.abc import Iterator

from driftwatch import sinks
from driftwatch.errors import ConfigError
from driftwatch.live.settings import Alert, Settings

KINDS: dict[str, type[sinks.Sink]] = {
    name.lower(): kind
    for name in sinks.__all__
    if isinstance(kind := getattr(sinks, name), type) and issubclass(kind, sinks.Sink)
}
"""The sinks by what ``kind`` calls them; those that only others are made of refuse to be made."""


def sinks_of(settings: Settings) -> Iterator[sinks.Sink]:
    """Every sink that the settings name.

    Raises
    ------
    ConfigError
        If there is no such kind, or it does not take what is given for it.

    Examples
    --------
    >>> list(sinks_of(Settings.parse({"alerts": [{"kind": "jsonlines", "path": "incidents.jsonl"}]})))
    [<JsonLines: jsonlines>]
    """
    for number, alert in enumerate(settings.alerts):
        yield _sink(alert, f"alerts.{number}")


def _sink(alert: Alert, key: str) -> sinks.Sink:
    if alert.kind not in KINDS:
        raise ConfigError(f"'{key}.kind': there is no '{alert.kind}'; there are: {', '.join(sorted(KINDS))}")
    given = dict(alert.model_extra or {})
    try:
        if "egress" in given:
            given["egress"] = sinks.Egress(**given["egress"])
        return KINDS[alert.kind](**given)
    except TypeError as error:
        raise ConfigError(f"'{key}': {alert.kind}: {error}") from None

"""All other services, through Apprise: one URL names the service and how to reach it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from driftwatch._optional import load
from driftwatch.errors import ConfigError, DeliveryError
from driftwatch.sinks.message import digest, message
from driftwatch.sinks.protocol import Letter, Memory, Sink
from driftwatch.sinks.secret import Secret

_BODY = 1500  # characters: many services take little more
_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class Apprise(Sink):
    """Sends text to a service that Apprise knows (ntfy, Telegram, Discord, Matrix, Signal, SMS, ...).

    Apprise makes its connections itself: what `Egress` limits for other sinks is not limited here. So its URL is for
    operators to write, and may always hold secrets. Its time-outs are Apprise's: 4 s to connect and 4 s to be answered,
    or ``?cto=`` and ``?rto=`` in the URL.

    Parameters
    ----------
    url
        As Apprise has it, such as ``ntfys://TOPIC``; or a reference to it, ``env:NAME`` or ``file:PATH``.
    name
        In the outbox, in metrics and in logs.
    link
        Template of where to look, see the docs.

    References
    ----------
    .. [1] https://github.com/caronc/apprise
    """

    most = 10
    every = False

    def __init__(self, url: str, *, name: str = "apprise", link: str = "") -> None:
        super().__init__(name)
        self._url, self._link = Secret(url), link

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """One notification."""
        said = [message(letter.incident, self._link) for letter in letters]
        title = said[0].title if len(said) == 1 else digest([letter.incident for letter in letters])
        body = "\n\n".join(one.text(_BODY // len(said) - 2) for one in said)
        over = all(one.over for one in said)
        self._notify(title, body, "success" if over else _TYPES[said[0].severity])
        return [{} for _ in letters]

    def _notify(self, title: str, body: str, kind: str) -> None:
        library = load("apprise", "alerts")
        sender = library.Apprise()
        with _hushed():
            if not sender.add(self._url.reveal()):
                raise ConfigError("this is no URL of a service that Apprise knows")
            told = sender.notify(body, title=title, notify_type=kind, body_format="text")
        if not told:
            raise DeliveryError("connection", "Apprise could not deliver it")


class _Hush(logging.Filter):
    """Drops what Apprise and what it stands on log while something is sent: they log URLs, and these hold secrets."""

    sending = 0  # messages that are under way; Apprise sends in threads of its own

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes."""
        return self.sending == 0


_HUSH = _Hush()


@contextmanager
def _hushed() -> Iterator[None]:
    for name in ("apprise", "urllib3.connectionpool"):
        logging.getLogger(name).addFilter(_HUSH)  # once: a logger keeps no filter twice
    _HUSH.sending += 1
    try:
        yield
    finally:
        _HUSH.sending -= 1

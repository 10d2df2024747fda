"""E-mail by SMTP: plain text with the chart beside it, one thread for an incident."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Literal

from driftwatch.errors import DeliveryError
from driftwatch.explain.numbers import clean
from driftwatch.incidents.models import Incident
from driftwatch.sinks.address import addresses
from driftwatch.sinks.message import digest, message
from driftwatch.sinks.picture import picture
from driftwatch.sinks.protocol import Letter, Memory, Sink
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, trust

Tls = Literal["starttls", "tls", "none"]
_PORTS: dict[Tls, int] = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT = 150


class Email(Sink):
    """Sends a mail for each message.

    Parameters
    ----------
    host
        The SMTP server.
    sender, to
        Addresses.
    port
        By default that of ``tls``: 587, 465 or 25.
    tls
        ``starttls`` (the connection must become encrypted), ``tls`` (it is from the start), or ``none``, which needs
        ``allow_http``-like permission by ``egress.allow_http``.
    user, password
        To log in; the password may be a reference, ``env:NAME`` or ``file:PATH``.
    name
        In the outbox, in metrics and in logs.
    link
        Template of where to look, see the docs.
    egress
        What may be reached.
    """

    most = 10
    every = False

    def __init__(
        self,
        host: str,
        sender: str,
        to: Sequence[str],
        *,
        port: int = 0,
        tls: Tls = "starttls",
        user: str = "",
        password: str = "",
        name: str = "email",
        link: str = "",
        egress: Egress | None = None,
    ) -> None:
        super().__init__(name)
        self._host, self._port, self._tls, self._user = host, port or _PORTS[tls], tls, user
        self._password, self._sender, self._to = Secret(password), sender, tuple(to)
        self._link, self._egress = link, egress or Egress()
        self._egress.check(f"{'http' if tls == 'none' else 'https'}://{host}")

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """One mail."""
        mail = written(letters, self._link, now)
        mail["From"], mail["To"] = self._sender, ", ".join(self._to)
        try:
            with self._connected() as server:
                if self._user:
                    server.login(self._user, self._password.reveal())
                server.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise _meaning(self._host, error) from None
        return [{} for _ in letters]

    def _connected(self) -> smtplib.SMTP:
        made: dict[str, Any] = {"timeout": self._egress.deadline_s}
        if self._tls == "tls":
            return _TlsServer(self._host, self._port, self._egress, verified_by=trust(self._egress.ca_file), **made)
        server = _Server(self._host, self._port, self._egress, **made)
        if self._tls == "starttls":
            _encrypt(server, trust(self._egress.ca_file))
        return server


def _encrypt(server: smtplib.SMTP, context: ssl.SSLContext) -> None:
    """Go on encrypted, or hang up."""
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise


def written(letters: Sequence[Letter], link: str, now: datetime) -> EmailMessage:
    """The mail but for its addresses: text, and a picture if it is about one incident."""
    incidents = [letter.incident for letter in letters]
    said = [message(incident, link) for incident in incidents]
    mail = EmailMessage()
    mail["Subject"] = clean(said[0].title if len(said) == 1 else digest(incidents), _SUBJECT)
    mail["Date"] = format_datetime(now)
    mail["Auto-Submitted"] = "auto-generated"
    _thread(mail, incidents[0])
    mail.set_content("\n\n\n".join(one.text() for one in said) + "\n")
    if len(incidents) == 1 and (drawn := picture(incidents[0])):
        mail.add_attachment(drawn, maintype="image", subtype="png", filename="chart.png", disposition="inline")
    return mail


def _thread(mail: EmailMessage, incident: Incident) -> None:
    """Ids by which a reader knows a duplicate, and shows what belongs together together."""
    name = "".join(c for c in clean(incident.id) if c.isalnum() or c in "-_.") or "incident"
    first = f"<{name}.1@driftwatch>"
    mail["Message-ID"] = f"<{name}.{incident.seq}@driftwatch>"
    if incident.seq > 1:
        mail["In-Reply-To"] = mail["References"] = first


def _meaning(host: str, error: Exception) -> DeliveryError:
    """What an error of SMTP means: 5yz is for ever, but for a login, which somebody may mend (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return DeliveryError("refused", f"{host} takes no mail for any recipient ({codes[0]})", retry=codes[0] < 500)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return DeliveryError("setup", f"{host} does not accept the login ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPResponseException):
        refused = error.smtp_code >= 500
        return DeliveryError("refused" if refused else "server", f"{error.smtp_code} from {host}", retry=not refused)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeliveryError("setup", f"{host}: {clean(str(error), 100)}")
    if isinstance(error, ssl.SSLError):
        return DeliveryError("tls", f"{host}: {clean(str(error), 100)}")
    if isinstance(error, TimeoutError):
        return DeliveryError("timeout", f"{host} did not answer in time")
    return DeliveryError("connection", f"{host}: {clean(str(error), 100)}")


class _Server(smtplib.SMTP):
    """Connects to an address that may be reached; the name stays that of the server."""

    def __init__(self, host: str, port: int, egress: Egress, **more: Any) -> None:
        self._private = egress.allow_private
        super().__init__(host, port, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((addresses(host, port, private=self._private)[0], port), timeout)


class _TlsServer(_Server):
    """The same, encrypted from the start. Not `smtplib.SMTP_SSL`: given no context, that verifies nothing."""

    def __init__(self, host: str, port: int, egress: Egress, *, verified_by: ssl.SSLContext, **more: Any) -> None:
        self._verified_by = verified_by
        super().__init__(host, port, egress, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._verified_by.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)

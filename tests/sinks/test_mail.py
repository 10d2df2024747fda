"""E-mail through a real SMTP server."""

import smtplib
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from delivering.servers import free_port

from driftwatch.errors import ConfigError, DeliveryError
from driftwatch.sinks import Egress, Email, Letter
from tests.sinks.conftest import LOOPBACK
from tests.sinks.stories import ATTACKS, SAMPLE, hostile, opened, resolved

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TO = ["sre@example.org", "boss@example.org"]


class Server:
    """Takes mail, or refuses it as it is told."""

    def __init__(self):
        self.mails, self.recipients, self.refuse = [], [], {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  # the name that aiosmtpd looks for
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # the name that aiosmtpd looks for
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


@pytest.fixture
def smtp():
    """Start a server with these options: (handler, port)."""
    running = []

    def start(**options):
        handler = Server()
        controller = Controller(handler, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        running.append(controller)
        return handler, controller.port

    yield start
    for controller in running:
        controller.stop()


def email(port, **more):
    return Email("127.0.0.1", "driftwatch@example.org", TO, port=port, **{"tls": "none", "egress": LOOPBACK} | more)


def test_a_mail_can_be_read_on_a_phone(smtp):
    server, port = smtp()
    email(port, link="https://grafana.example/{id}").send([Letter(SAMPLE)], NOW)
    (mail,) = server.mails
    assert mail["Subject"].startswith("[CRITICAL, update] Time to first token")
    assert (mail["From"], mail["To"]) == ("driftwatch@example.org", ", ".join(TO))
    assert server.recipients == [TO]
    text = mail.get_body().get_content()
    assert "Likely cause: " in text
    assert "Next: 1. " in text
    assert f"Look: https://grafana.example/{SAMPLE.id}" in text
    (picture,) = mail.iter_attachments()
    assert picture.get_content_type() == "image/png"
    assert picture.get_content().startswith(b"\x89PNG")


def test_mails_of_an_incident_are_one_thread(smtp):
    server, port = smtp()
    for incident in (opened(), resolved(opened())):
        email(port).send([Letter(incident)], NOW)
    first, second = server.mails
    assert first["Message-ID"] == "<dw-0001.1@driftwatch>"
    assert (second["Message-ID"], second["In-Reply-To"]) == ("<dw-0001.2@driftwatch>", first["Message-ID"])


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_nobody_writes_headers_but_we(smtp, attack):
    server, port = smtp()
    evil = hostile(attack).model_copy(update={"id": f"dw\r\nBcc: evil@example.org\r\n{attack}"})
    email(port).send([Letter(evil)], NOW)
    (mail,) = server.mails
    assert "Bcc" not in mail
    assert "X-Injected" not in mail
    assert server.recipients == [TO]
    assert len(mail["Subject"]) <= 150


@pytest.mark.parametrize(
    ("refuse", "reason", "retry"),
    [
        ({"DATA": "451 later"}, "server", True),
        ({"DATA": "554 spam"}, "refused", False),
        (dict.fromkeys(TO, "550 nobody here"), "refused", False),
        (dict.fromkeys(TO, "450 greylisted"), "refused", True),
    ],
)
def test_what_a_refusal_means(smtp, refuse, reason, retry):
    server, port = smtp()
    server.refuse = refuse
    with pytest.raises(DeliveryError) as caught:
        email(port).send([Letter(opened())], NOW)
    assert (caught.value.reason, caught.value.retry) == (reason, retry)


def test_some_recipients_are_enough(smtp):
    server, port = smtp()
    server.refuse = {TO[0]: "550 nobody here"}
    email(port).send([Letter(opened())], NOW)
    assert server.recipients == [[TO[1]]]


def logged_in(username, password):
    return lambda server, session, envelope, mechanism, data: AuthResult(
        success=(data.login, data.password) == (username, password), handled=False
    )


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_over_tls_with_a_login(smtp, authority, tls, monkeypatch):
    context, file = authority
    options = {"tls_context": context, "require_starttls": True} if tls == "starttls" else {"ssl_context": context}
    auth = {"authenticator": logged_in(b"me", b"s3cret"), "auth_require_tls": tls == "starttls"}
    server, port = smtp(**options, **auth)
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    trusting = Egress(allow_private=True, ca_file=str(file), deadline_s=5)
    sink = email(port, tls=tls, user="me", password="env:SMTP_PASSWORD", egress=trusting)
    sink.send([Letter(opened())], NOW)
    assert len(server.mails) == 1
    monkeypatch.setenv("SMTP_PASSWORD", "wrong")
    with pytest.raises(DeliveryError, match="does not accept the login") as caught:
        sink.send([Letter(opened())], NOW)
    assert (caught.value.reason, caught.value.retry) == ("setup", True)
    with pytest.raises(DeliveryError) as caught:
        email(port, tls=tls, egress=Egress(allow_private=True, deadline_s=5)).send([Letter(opened())], NOW)
    assert caught.value.reason == "tls"


def test_a_server_that_cannot_encrypt_gets_nothing(smtp):
    server, port = smtp()
    with pytest.raises(DeliveryError, match="STARTTLS") as caught:
        email(port, tls="starttls", egress=Egress(allow_private=True, deadline_s=5)).send([Letter(opened())], NOW)
    assert caught.value.reason == "setup"
    assert server.mails == []


def test_where_mail_must_not_go(smtp):
    _, port = smtp()
    with pytest.raises(DeliveryError, match="not connected to"):
        email(port, tls="starttls", egress=Egress()).send([Letter(opened())], NOW)
    with pytest.raises(ConfigError, match="not https"):
        email(port, egress=Egress(allow_private=True))


def test_the_library_connects_where_we_say():
    """`smtplib` opens its connection by this method; if that changes, the check of addresses is passed by."""
    assert "_get_socket" in smtplib.SMTP.__dict__

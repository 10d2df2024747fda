"""Servers that tests of destinations talk to: all of them real, on loopback, gone afterwards."""

import ssl
from contextlib import ExitStack, contextmanager
from email import message_from_bytes
from email.policy import default

import pytest
import trustme
from aiosmtpd.controller import Controller
from delivering import servers
from delivering.receiver import Receiver
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from driftwatch.sinks import Egress
from tests.sinks.cases import Place


class Mailbox:
    """Takes mails as an SMTP server does."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # the name that aiosmtpd looks for
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@contextmanager
def places(case, folder):
    """Servers of each kind, which answer a case as its service would."""
    mailbox, logs = Mailbox(), InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
    smtp = Controller(mailbox, hostname="127.0.0.1", port=servers.free_port())
    smtp.start()
    try:
        with Receiver(case.answer()) as receiver:
            yield Place(folder, receiver, LOOPBACK, smtp.port, mailbox.mails, logs, provider)
    finally:
        smtp.stop()


LOOPBACK = Egress(allow_http=True, allow_private=True, deadline_s=5.0)


@pytest.fixture
def receiver():
    """Takes everything."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate authority of our own: (server context, file to trust)."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return context, file


@pytest.fixture
def alertmanager(tmp_path):
    """A real one, which tells a receiver of ours what it notifies: (its URL, the receiver)."""
    with ExitStack() as stack:
        told = stack.enter_context(Receiver())
        try:
            url = stack.enter_context(servers.alertmanager(tmp_path, told.url))
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield url, told

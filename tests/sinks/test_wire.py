"""One HTTP request against receivers that misbehave."""

import socket
import ssl
import threading
import time

import pytest
import trustme
from delivering.receiver import Receiver, Reply
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.errors import DeliveryError
from driftwatch.sinks.wire import MOST_OF_A_REPLY, Egress, Request, post
from tests.sinks.conftest import LOOPBACK

QUICK = Egress(allow_http=True, allow_private=True, deadline_s=0.6)


def sent(receiver, egress=LOOPBACK, **more):
    return post(Request(f"{receiver.url}/hook?token=s3cret", b"{}", **more), egress)


def failure(reply, egress=LOOPBACK, **more):
    with Receiver(lambda *_: reply) as receiver, pytest.raises(DeliveryError) as caught:
        sent(receiver, egress, **more)
    return caught.value


def test_a_request_arrives_as_it_was_sent(receiver):
    assert sent(receiver, headers={"X-More": "yes"}).status == 200
    (message,) = receiver.received
    assert (message.method, message.path, message.body) == ("POST", "/hook?token=s3cret", b"{}")
    assert message.headers["x-more"] == "yes"
    assert message.headers["user-agent"].startswith("driftwatch/")


@pytest.mark.parametrize(
    ("reply", "reason", "retry"),
    [
        (Reply(500, b"oops"), "server", True),
        (Reply(503), "server", True),
        (Reply(429), "throttled", True),
        (Reply(408), "timeout", True),
        (Reply(400, b"invalid_blocks"), "refused", False),
        (Reply(413), "refused", False),
        (Reply(401), "setup", True),
        (Reply(404), "setup", True),
        (Reply(410), "gone", False),
        (Reply(how="reset"), "connection", True),
    ],
)
def test_each_failure_has_a_reason_and_says_whether_to_try_again(reply, reason, retry):
    error = failure(reply)
    assert (error.reason, error.retry) == (reason, retry)


def test_a_reply_says_why_it_was_refused():
    assert "invalid_blocks" in str(failure(Reply(400, b"invalid_blocks\x1b[31m")))


def test_retry_after_is_heard_and_bounded():
    assert failure(Reply(429, headers={"Retry-After": "7"})).after_s == 7
    assert failure(Reply(503, headers={"Retry-After": "9" * 30})).after_s == 3600
    assert failure(Reply(429, headers={"Retry-After": "-1"})).after_s == 0


def test_a_redirect_is_not_followed(receiver):
    error = failure(Reply(301, headers={"Location": f"{receiver.url}/elsewhere"}))
    assert error.reason == "redirect"
    assert receiver.received == []


@pytest.mark.parametrize("how", ["hang", "slow"])
def test_nothing_takes_longer_than_the_deadline(how):
    begun = time.monotonic()
    with Receiver(lambda *_: Reply(how=how)) as receiver:
        if how == "hang":
            with pytest.raises(DeliveryError, match=r"did not answer within 0\.6 s") as caught:
                sent(receiver, QUICK)
            assert (caught.value.reason, caught.value.retry) == ("timeout", True)
        else:
            assert sent(receiver, QUICK).status == 200  # it was taken; how the rest of the body goes does not matter
    assert time.monotonic() - begun < 2.5


@pytest.mark.parametrize("how", ["endless", "cut"])
def test_no_more_of_a_body_is_read_than_is_of_use(how):
    with Receiver(lambda *_: Reply(body=b"ok", how=how)) as receiver:
        response = sent(receiver)
    assert response.status == 200
    assert len(response.body) <= MOST_OF_A_REPLY


def test_an_endless_header_ends(authority):
    with Receiver(lambda *_: Reply(headers={f"X-{n}": "y" * 900 for n in range(90)})) as receiver:
        assert sent(receiver).status == 200
    error = failure(Reply(headers={f"X-{n}": "y" * 60_000 for n in range(90)}))
    assert error.reason == "connection"


def test_nobody_is_there():
    with Receiver() as receiver:
        url = receiver.url
    with pytest.raises(DeliveryError, match="cannot be connected to") as caught:
        post(Request(url), LOOPBACK)
    assert (caught.value.reason, caught.value.retry) == ("connection", True)


def test_tls_is_verified(authority):
    context, file = authority
    with Receiver(tls=context) as receiver:
        with pytest.raises(DeliveryError) as caught:
            sent(receiver, Egress(allow_private=True))
        assert (caught.value.reason, caught.value.retry) == ("tls", True)
        assert receiver.received == []
        trusting = Egress(allow_private=True, ca_file=str(file))
        assert sent(receiver, trusting).status == 200


def test_the_name_in_the_certificate_must_be_that_of_the_url(tmp_path):
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    trusting = Egress(allow_private=True, ca_file=str(tmp_path / "ca.pem"))
    with Receiver(tls=context) as receiver:
        assert post(Request(receiver.url.replace("127.0.0.1", "localhost")), trusting).status == 200
        with pytest.raises(DeliveryError, match="127") as caught:
            post(Request(receiver.url), trusting)
    assert caught.value.reason == "tls"


def test_plain_http_where_tls_is_expected(authority):
    _, file = authority
    with Receiver() as receiver, pytest.raises(DeliveryError) as caught:
        post(Request(receiver.url.replace("http:", "https:")), Egress(allow_private=True, ca_file=str(file)))
    assert caught.value.reason in ("tls", "connection", "timeout")


def test_a_file_of_certificates_that_is_none(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(DeliveryError, match=r"ca\.pem: not a file of certificates"):
        post(Request("https://127.0.0.1:9"), Egress(allow_private=True, ca_file=str(tmp_path / "ca.pem")))


@pytest.mark.parametrize(
    ("url", "egress", "problem"),
    [
        ("http://127.0.0.1/s3cret", Egress(), "not https"),
        ("ftp://example.org/s3cret", LOOPBACK, "must begin with https://"),
        ("https:///s3cret", LOOPBACK, "must begin with https://"),
        ("https://a:99999/s3cret", LOOPBACK, "must begin with https://"),
        ("https://user:s3cret@example.org/", LOOPBACK, "holds a user name"),
        ("https://example.org/s3cret", Egress(hosts=("*.example.com",)), "not among the allowed hosts"),
        ("https://127.0.0.1/s3cret", Egress(), "allow_private = true"),
        ("https://localhost/s3cret", Egress(), "not connected to"),
        ("https://169.254.169.254/s3cret", Egress(allow_private=True), "it may never be"),
        ("https://[::ffff:169.254.169.254]/s3cret", Egress(allow_private=True), "it may never be"),
        ("http://2130706433/s3cret", Egress(allow_http=True), "not connected to"),  # 127.0.0.1 as one number
        ("https://no-such-host.invalid/s3cret", Egress(), "is not known"),
    ],
)
def test_what_must_not_be_reached_is_not_and_no_secret_is_said(url, egress, problem):
    with pytest.raises(DeliveryError, match=problem) as caught:
        post(Request(url), egress)
    assert "s3cret" not in str(caught.value)


@given(
    st.one_of(
        st.text(), st.text().map("https://{}".format), st.from_regex(r"https?://[a-z.\[\]:0-9%@/ ü]+", fullmatch=True)
    )
)
def test_no_url_is_more_than_a_delivery_error(url):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", nobody)
        with pytest.raises(DeliveryError):
            post(Request(url), Egress(allow_http=True))


def nobody(*asked, **how):
    raise socket.gaierror("nobody is known in this test")


def test_an_ipv6_address_is_reached():
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        server.listen(1)
        heard = []
        thread = threading.Thread(target=answer_once, args=(server, heard))
        thread.start()
        assert post(Request(f"http://[::1]:{server.getsockname()[1]}/x"), LOOPBACK).status == 204
        thread.join()
        assert f"Host: [::1]:{server.getsockname()[1]}\r\n".encode() in heard[0]


def answer_once(server, heard):
    connection, _ = server.accept()
    with connection:
        heard.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_an_allowed_host_is_reached(receiver):
    egress = Egress(allow_http=True, allow_private=True, hosts=("127.0.0.*",))
    assert sent(receiver, egress).status == 200


def test_what_is_connected_to_is_the_address_that_was_judged(monkeypatch):
    """Names are looked up once: one that turns to a private address after the check is not followed there."""
    looked_up, connected = [], []

    def turning(host, port, *args, **kwargs):
        looked_up.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14" if len(looked_up) == 1 else "127.0.0.1", port))
        ]

    def connect(address, *args, **kwargs):
        connected.append(address)
        raise OSError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", turning)
    monkeypatch.setattr(socket, "create_connection", connect)
    for problem in ("cannot be connected to", "is not connected to"):
        with pytest.raises(DeliveryError, match=problem):
            post(Request("https://turning.example"), Egress())
    assert (looked_up, connected) == (["turning.example"] * 2, [("93.184.215.14", 443)])


def test_secrets_are_masked_in_what_a_stranger_says():
    error = failure(Reply(400, b"bad key k3y-of-ours at /hook?token=s3cret"), hide=("k3y-of-ours",))
    assert "bad key" in str(error)
    assert "k3y-of-ours" not in str(error)
    assert "s3cret" not in str(error)


def test_a_header_that_is_none_is_a_setup_error(receiver):
    with pytest.raises(DeliveryError) as caught:
        sent(receiver, headers={"X-Bad": "a\r\nX-Injected: yes"})
    assert (caught.value.reason, receiver.received) == ("setup", [])


def test_a_request_does_not_show_its_path():
    assert repr(Request("https://hooks.example/s3cret", b"abc")) == "<Request: POST hooks.example, 3 bytes>"


def test_a_proxy_of_the_environment_is_not_used(receiver, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert sent(receiver).status == 200

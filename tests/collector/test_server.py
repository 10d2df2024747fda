"""The door of a collector: who may come in, what is taken, and what is sent away."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import time
from pathlib import Path

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.collector import Collector
from driftwatch.config import Config
from driftwatch.errors import ConfigError, StateError
from driftwatch.monitor.courier import PATH
from driftwatch.monitor.parcel import MOST, Parcel, opened, sealed
from driftwatch.state import from_bytes, to_bytes
from driftwatch.ticks import TickBuilder
from driftwatch.ticks.merging import Part, numbered
from tests.traffic import traffic

TOKEN = "s3cret"


@pytest.fixture
def collector():
    with Collector("http://127.0.0.1:0", TOKEN, clock="events") as collector:
        yield collector


def part(worker: str = "w", until: int | None = None, ticks: int = 6) -> Part:
    builder = TickBuilder(Config())
    builder.add(traffic(1, ticks))
    last = builder.end(-np.inf)
    made = builder.close(last)
    return Part(
        worker,
        last if until is None else until,
        made,
        numbered(builder.streams, made.stream),
        numbered(builder.segments, np.concatenate([made.segment, made.flow_segment])),
    )


def parcel(seq: int = 1, **settings) -> bytes:
    return sealed(Parcel(seq, part(**settings)), Config())


def asked(collector: Collector, method: str, path: str, content: bytes = b"", token: str | None = TOKEN):
    connection = http.client.HTTPConnection("127.0.0.1", int(collector.address.rpartition(":")[2]), timeout=10)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_parcel_is_taken_once(collector):
    for _ in range(2):
        assert asked(collector, "POST", PATH, parcel()) == (200, "taken")
    collector.monitor.finish()
    assert collector.monitor.stats().streams[0].requests == len(traffic(1, 6))
    assert collector.monitor._work.place.refused == {"it came before": 1}


@pytest.mark.parametrize("token", [None, "", "wrong", "s3cret ", "s3cre", "s\u00e9cret"])
def test_without_the_token_nothing_is_taken_nor_shown(collector, token):
    sent = token.encode("utf-8").decode("latin-1") if token else token
    assert asked(collector, "POST", PATH, parcel(), token=sent)[0] == 401
    assert asked(collector, "GET", "/metrics", token=sent)[0] == 401
    assert asked(collector, "GET", "/incidents", token=sent)[0] == 401
    assert asked(collector, "GET", "/healthz", token=sent) == (200, "ok")
    collector.monitor.finish()
    assert collector.monitor.stats().streams == ()


def test_a_collector_without_a_token_is_none():
    with pytest.raises(ConfigError, match="a collector needs a token"):
        Collector("http://127.0.0.1:0", "")


@pytest.mark.parametrize("listen", ["tcp://127.0.0.1:1", "http://127.0.0.1", "unix:", "8080", "http://256.0.0.1:0"])
def test_an_address_that_is_none_is_named(listen):
    with pytest.raises(ConfigError, match=r"address|cannot be listened to"):
        Collector(listen, TOKEN)


def test_what_is_shown(collector):
    status, page = asked(collector, "GET", "/metrics")
    assert status == 200
    assert "driftwatch_queue_length 0" in page
    assert asked(collector, "GET", "/incidents") == (200, "[]")
    assert asked(collector, "GET", "/nothing")[0] == 404
    assert asked(collector, "POST", "/nothing")[0] == 404


def broken(change) -> bytes:
    header, data = from_bytes(parcel(), "")
    state = header.pop("state")
    return change(header, state, data)


def rebuilt(header, state, data) -> bytes:
    """A parcel with another tree or another block of bytes."""
    import io

    file = io.BytesIO()
    told = json.dumps({**header, "state": state}).encode()
    np.savez(file, header=np.frombuffer(told, np.uint8), data=np.frombuffer(data, np.uint8))
    return file.getvalue()


def part_of(state):
    return state["Parcel"]["part"]["Part"]


def with_ticks(state, name, value):
    part_of(state)["ticks"]["Ticks"][name] = value
    return state


BROKEN = {
    "nothing": lambda: b"",
    "noise": lambda: os.urandom(1000),
    "cut": lambda: parcel()[:500],
    "a bomb": lambda: to_bytes({"parcel": 1}, np.zeros(MOST // 8 + 1), compressed=True),
    "no parcel": lambda: to_bytes({"parcel": 1, "shape": Config().shape()}, {"a": 1}),
    "of a newer version": lambda: broken(lambda h, s, d: rebuilt({**h, "parcel": 2}, s, d)),
    "of no version": lambda: broken(lambda h, s, d: rebuilt({**h, "parcel": None}, s, d)),
    "of other settings": lambda: sealed(Parcel(1, part()), Config.parse({"ticks": {"width_s": 1.0}})),
    "of another class": lambda: broken(lambda h, s, d: rebuilt(h, {"Window": {"start": 0, "end": 1, "where": {}}}, d)),
    "beyond its bytes": lambda: broken(lambda h, s, d: rebuilt(h, s, d[:100])),
    "of objects": lambda: broken(lambda h, s, d: rebuilt(h, with_ticks(s, "tick", {"array": ["|O", [1], 0]}), d)),
    "of floats": lambda: broken(lambda h, s, d: rebuilt(h, with_ticks(s, "tick", {"array": ["<f8", [1], 0]}), d)),
    "of other lengths": lambda: broken(
        lambda h, s, d: rebuilt(h, with_ticks(s, "cell", {"array": ["<i8", [1], 0]}), d)
    ),
    "huge": lambda: broken(lambda h, s, d: rebuilt(h, with_ticks(s, "cell", {"array": ["<i8", [2**40], 0]}), d)),
    "negative": lambda: broken(lambda h, s, d: rebuilt(h, with_ticks(s, "cell", {"array": ["<i8", [-1], -8]}), d)),
    "without names": lambda: sealed(Parcel(1, Part("w", 1, part().ticks)), Config()),
    "nested": lambda: broken(lambda h, s, d: rebuilt(h, json.loads("[" * 900 + "]" * 900), d)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_parcel_is_sent_away_and_nothing_is_harmed(kind, collector):
    content = BROKEN[kind]()
    with pytest.raises(StateError):
        opened(content, Config())
    assert asked(collector, "POST", PATH, content)[0] == 400
    assert asked(collector, "POST", PATH, parcel()) == (200, "taken")
    collector.monitor.finish()
    assert collector.monitor.stats().faults == {}
    assert collector.monitor.stats().streams[0].requests == len(traffic(1, 6))


def raw(collector: Collector, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", int(collector.address.rpartition(":")[2])), timeout=5) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return client.recv(100)


def test_strange_clients_are_answered_or_hung_up_on(collector):
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    assert b" 411 " in raw(collector, head + b"\r\n")
    assert b" 411 " in raw(
        collector, head + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    assert b" 413 " in raw(collector, head + b"Content-Length: 99999999999\r\n\r\n")
    assert b" 400 " in raw(collector, head + b"Content-Length: 100\r\n\r\nshort")
    raw(collector, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert asked(collector, "GET", "/healthz")[0] == 200


def test_a_socket_is_for_its_user_and_taken_over_from_the_dead(tmp_path):
    path = tmp_path / "socket"
    with Collector(f"unix://{path}", TOKEN):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        with pytest.raises(ConfigError, match="another process listens there"):
            Collector(f"unix://{path}", TOKEN)
    assert not path.exists()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()
    with Collector(f"unix://{path}", TOKEN) as collector:
        assert collector.address == f"unix://{path}"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="a file that is no socket"):
        Collector(f"unix://{path}", TOKEN)
    assert path.read_text() == "mine"


def test_an_address_of_no_collector_is_named():
    with pytest.raises(ConfigError, match="is no address: give unix:///path or http://host:port"):
        dw.Monitor(collector="localhost:80")


def test_a_worker_with_a_wrong_token_says_so():
    with (
        Collector("http://127.0.0.1:0", TOKEN) as collector,
        dw.Monitor(collector=collector.address, token="x") as worker,
    ):
        worker.request(model="m", ttft=0.1)
        worker.close()
        handing = worker.stats().collector
    assert (handing.delivered, handing.pending > 0, handing.failing) == (0, True, True)
    assert "401 the token is wrong" in handing.last_error


def test_a_folder_for_parcels_that_is_full_makes_the_worker_keep_them(tmp_path, monkeypatch):
    with Collector("http://127.0.0.1:0", TOKEN, {"monitor": {"folder": str(tmp_path / "c")}}) as collector:
        monkeypatch.setattr("driftwatch.collector.journal.put", full)
        status, text = asked(collector, "POST", PATH, parcel())
        assert (status, text) == (503, "it cannot be kept (No space left on device)")


def full(path: Path, content: bytes) -> None:
    raise OSError(28, "No space left on device")


def test_healthz_answers_while_it_judges(collector):
    with collector.monitor._work.lock:
        began = time.monotonic()
        assert asked(collector, "GET", "/healthz")[0] == 200
        assert asked(collector, "GET", "/metrics")[0] == 200
        assert time.monotonic() - began < 5.0

"""While the collector is away nothing is lost that fits, whoever dies, and what comes again is not counted twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.collector import Collector
from driftwatch.config import Config
from driftwatch.monitor.spool import Spool
from driftwatch.ticks import TickBuilder
from driftwatch.ticks.merging import Part, TickMerger, numbered
from driftwatch.ticks.tick import joined
from tests.monitor.calls import Clock, tell
from tests.ticks.test_tick import same
from tests.traffic import START, traffic

TOKEN = "s3cret"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_oldest_first_and_bounded(tmp_path):
    for folder in (None, tmp_path):
        spool = Spool(folder, "w", most=25)
        for k in range(5):
            spool.put(bytes([k]) * 10)
        assert spool.dropped == 3
        assert [spool.first()[:1], spool.done()][0] == b"\x03"
        assert spool.first()[:1] == b"\x04"
        spool.done()
        assert spool.first() is None
        spool.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_worker_left_is_taken_over_and_what_a_living_one_keeps_is_not(tmp_path):
    dead, alive, heir = Spool(tmp_path, "dead", 1000), Spool(tmp_path, "alive", 1000), Spool(tmp_path, "heir", 1000)
    dead.put(b"1")
    dead.put(b"2")
    alive.put(b"3")
    dead.close()
    heir.put(b"4")
    found = []
    while (content := heir.first()) is not None:
        found.append(content)
        heir.done()
    assert found == [b"1", b"2", b"4"]
    heir.close()
    assert [path.name for path in tmp_path.iterdir()] == ["alive"]
    alive.close()


def test_parcels_wait_for_a_collector_that_is_away(tmp_path):
    port, batch = free_port(), traffic(1, 60)
    config = {"monitor": {"folder": str(tmp_path)}}
    worker = dw.Monitor(config, clock="events", collector=f"http://127.0.0.1:{port}", token=TOKEN)
    tell(worker, batch, every=100)
    assert worker.stats().collector.failing
    assert worker.stats().collector.pending > 3
    assert list(tmp_path.glob("spool/*/*.parcel"))
    with Collector(f"http://127.0.0.1:{port}", TOKEN, clock="events") as collector:
        worker.close()
        assert worker.stats().collector.pending == 0
        collector.monitor.finish()
        assert collector.monitor.stats().streams[0].requests == len(batch)
    assert list(tmp_path.glob("spool/*/*.parcel")) == []


def work(port: int, folder: str, first: int, ready) -> None:
    """A worker of its own process, that is killed before it can send anything."""
    batch = traffic(1, 60)
    monitor = dw.Monitor(
        {"monitor": {"folder": folder}}, clock="events", collector=f"http://127.0.0.1:{port}", token=TOKEN
    )
    tell(monitor, batch.take(slice(first, None, 2)), every=50)
    ready.set()
    time.sleep(60)


def test_what_killed_workers_had_spooled_is_sent_by_the_next(tmp_path):
    context, port = multiprocessing.get_context("spawn"), free_port()
    for first in range(2):
        ready = context.Event()
        process = context.Process(target=work, args=(port, str(tmp_path), first, ready))
        process.start()
        assert ready.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    spooled = len(list(tmp_path.glob("spool/*/*.parcel")))
    assert spooled > 10
    clock = Clock()
    clock.now = START + 400.0
    with Collector(f"http://127.0.0.1:{port}", TOKEN, clock=clock) as collector:
        config = {"monitor": {"folder": str(tmp_path), "collector": collector.address}}
        with dw.Monitor(config, clock=clock, token=TOKEN) as heir:
            heir.marker("restart")
            heir.close()
            assert heir.stats().collector.delivered > spooled
            assert heir.stats().collector.pending == 0
        collector.monitor.finish()
        final = Config().ticks.lateness_s / Config().ticks.width_s + 1
        told = collector.monitor.stats().streams[0].requests
        assert told >= (traffic(1, 60).at < START + 5 * (59 - final)).sum()
    assert list(tmp_path.glob("spool/*")) == []


def collect(port: int, folder: str, ready) -> None:
    with Collector(f"http://127.0.0.1:{port}", TOKEN, {"monitor": {"folder": folder}}, clock="events"):
        ready.set()
        time.sleep(600)


def test_a_collector_that_is_killed_loses_nothing_and_counts_nothing_twice(tmp_path):
    context, port, batch = multiprocessing.get_context("spawn"), free_port(), traffic(1, 60)
    worker = dw.Monitor(clock="events", collector=f"http://127.0.0.1:{port}", token=TOKEN)
    for k in range(4):
        ready = context.Event()
        process = context.Process(target=collect, args=(port, str(tmp_path), ready))
        process.start()
        assert ready.wait(60)
        rows = slice(len(batch) * k // 4, len(batch) * (k + 1) // 4)
        tell(worker, batch.take(rows), every=50)
        deadline = time.monotonic() + 30
        while worker.stats().collector.pending and time.monotonic() < deadline:
            worker.flush()
            time.sleep(0.05)
        assert worker.stats().collector.pending == 0
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    with Collector(
        f"http://127.0.0.1:{port}", TOKEN, {"monitor": {"folder": str(tmp_path)}}, clock="events"
    ) as collector:
        worker.close()
        collector.monitor.finish()
        assert collector.monitor.stats().streams[0].requests == len(batch)
        assert collector.monitor.stats().late == 0


def parts_of(batch, worker: str, cuts) -> list[Part]:
    builder, found = TickBuilder(Config()), []
    builder.add(batch)
    for last in cuts:
        ticks = builder.close(last)
        streams = numbered(builder.streams, np.concatenate([ticks.stream, ticks.flow_stream]))
        segments = numbered(builder.segments, np.concatenate([ticks.segment, ticks.flow_segment]))
        found.append(Part(worker, last, ticks, streams, segments))
    return found


FIRST = int(START / 5)


@pytest.mark.parametrize("seed", range(5))
def test_ticks_add_up_to_those_of_one_process_whatever_the_order(seed):
    rng, batch = np.random.default_rng(seed), traffic(seed, 40)
    whose = rng.integers(0, 3, len(batch))
    one = TickBuilder(Config())
    one.add(batch)
    whole = one.close(FIRST + 39)
    merger = TickMerger(Config())
    cuts = [[*range(FIRST + w, FIRST + 39, 2 + w), FIRST + 39] for w in range(3)]
    parts = [part for w in range(3) for part in parts_of(batch.take(whose == w), f"w{w}", cuts[w])]
    for k in rng.permutation(len(parts)):
        merger.add(parts[k])
    found = [merger.close(last) for last in (*range(FIRST, FIRST + 39, 7), FIRST + 39)]
    assert same(joined(found), whole)
    assert merger.streams.known == one.streams.known
    assert list(merger.segments.known) == list(one.segments.known)


def test_nobody_waits_for_ever_for_a_worker_that_is_gone_or_far_behind():
    merger, now = TickMerger(Config()), START
    merger.told(now)
    for until in range(FIRST, FIRST + 30):
        now += 5.0
        merger.told(now)
        merger.add(Part("alive", until, parts_of(traffic(1, 1), "x", [0])[0].ticks))
        if until < FIRST + 10:
            merger.add(Part("dying", until, parts_of(traffic(1, 1), "x", [0])[0].ticks))
        merger.add(Part("slow clock", until - 720, parts_of(traffic(1, 1), "x", [0])[0].ticks))
    assert merger.final == FIRST + 29
    late = parts_of(traffic(1, 12), "dying", [FIRST + 11])[0]
    merger.close()
    merger.add(late)
    assert merger.late == int(late.ticks.requests.sum())


def test_when_all_workers_are_silent_time_goes_on():
    merger = TickMerger(Config())
    merger.told(START)
    merger.add(Part("w", FIRST, parts_of(traffic(1, 1), "x", [0])[0].ticks))
    merger.told(START + 100.0)
    assert merger.final == int((START + 100.0 - 25.0) / 5.0) - 1


def test_a_clock_that_is_ahead_is_refused_and_makes_nothing_late(tmp_path):
    clock = Clock()
    clock.now = START
    with Collector(f"unix://{tmp_path}/s", TOKEN, clock=clock) as collector:
        good = dw.Monitor(clock=clock, collector=collector.address, token=TOKEN)
        ahead = dw.Monitor(clock=lambda: clock.now + 3600.0, collector=collector.address, token=TOKEN)
        for _ in range(30):
            clock.now += 5.0
            for worker in (good, ahead):
                worker.request(model="m", ttft=0.1)
                worker.flush()
            collector.monitor.flush()
        assert collector.monitor._work.place.refused["it lies in the future"] > 20
        assert collector.monitor.stats().late == 0
        assert collector.monitor.stats().streams[0].requests >= 20
        good.close()
        ahead.close()

"""What a monitor knows is on disk: whole, of the newest moment that could be written, readable by later versions."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.errors import StateError
from driftwatch.monitor import checkpoint
from driftwatch.state import pack, read, unpack, write
from tests.monitor.calls import tell
from tests.sameness import assert_same, facts
from tests.traffic import START, traffic

GOLDEN = Path(__file__).parent / "golden" / "schema-1.npz"
QUICK = {"attribution": {"permutations": 99}}


@pytest.fixture(scope="module")
def slow():
    return traffic(1, 260, slower=2.5, since=150)


def half(batch, first: bool):
    early = batch.at < START + 5 * 190
    return batch.take(early if first else ~early)


@pytest.fixture(scope="module")
def uninterrupted(slow):
    with dw.Monitor(QUICK, clock="events") as monitor:
        tell(monitor, slow)
        monitor.finish()
    return facts(monitor.incidents())


def test_a_monitor_goes_on_where_another_one_was_saved(slow, uninterrupted, tmp_path):
    with dw.Monitor(QUICK, clock="events") as monitor:
        tell(monitor, half(slow, True))
        monitor.save(tmp_path / "state.npz")
    with dw.Monitor.load(tmp_path / "state.npz", clock="events") as other:
        assert other.config == monitor.config
        tell(other, half(slow, False))
        other.finish()
    assert other.stats().faults == {}
    assert_same(facts(other.incidents()), uninterrupted)


def test_a_folder_is_gone_on_from_by_itself(slow, uninterrupted, tmp_path):
    config = {**QUICK, "monitor": {"folder": str(tmp_path / "state")}}
    for first in (True, False):
        with dw.Monitor(config, clock="events") as monitor:
            tell(monitor, half(slow, first))
            if not first:
                monitor.finish()
        assert monitor.stats().faults == {}
        assert monitor.stats().checkpoint_at is not None
    assert_same(facts(monitor.incidents()), uninterrupted)


def test_a_damaged_file_is_counted_and_the_one_before_is_used(tmp_path):
    path = tmp_path / "state.npz"
    with dw.Monitor(clock="events") as monitor:
        tell(monitor, traffic(1, 80))
        monitor.save(path)
        requests = monitor.stats().streams[0].requests
        tell(monitor, traffic(1, 100))
        monitor.save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with dw.Monitor.load(path, clock="events") as other:
        other.flush()
        assert other.stats().streams[0].requests == requests
    path.with_name("state.npz.previous").write_bytes(b"nothing")
    with dw.Monitor.load(path, clock="events") as other:
        assert other.stats().faults == {"checkpoint": 1}
        assert "damaged, or no state of driftwatch" in other.stats().last_fault


@pytest.mark.parametrize("place", ["header", "data"])
def test_no_damage_gets_through(place, tmp_path):
    path = tmp_path / "state.npz"
    write(path, {"schema": 1}, {"numbers": np.arange(1000.0), "words": ["a"] * 100})
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(whole), 60):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        path.write_bytes(broken)
        try:
            header, data = read(path)
            state = unpack(header["state"], data)
        except StateError:
            continue
        assert header["schema"] == 1
        assert state["words"] == ["a"] * 100
        assert (state["numbers"] == np.arange(1000.0)).all()


def test_a_file_that_is_not_there_is_said_and_survived(tmp_path):
    with dw.Monitor.load(tmp_path / "none.npz", config=QUICK) as monitor:
        monitor.request(model="m", ttft=0.1)
    assert monitor.stats().faults == {"checkpoint": 1}
    assert "cannot be read (No such file or directory)" in monitor.stats().last_fault
    with pytest.raises(StateError, match="cannot be written"):
        monitor.save(tmp_path / "no folder" / "state.npz")


def test_other_settings_do_not_fit(tmp_path):
    with dw.Monitor(clock="events") as monitor:
        tell(monitor, traffic(1, 80))
        monitor.save(tmp_path / "state.npz")
    with dw.Monitor.load(tmp_path / "state.npz", config={"health": {"standard": False}}) as other:
        assert other.stats().faults == {}
    with dw.Monitor.load(tmp_path / "state.npz", config={"margins": {"ttft": 0.5}}) as other:
        assert "was written with other ticks" in other.stats().last_fault


def limited(path: str, queue) -> None:
    """In a process that may write no more than a little: as on a disk that is full."""
    with dw.Monitor({"monitor": {"folder": path}}, clock="events") as monitor:
        tell(monitor, traffic(1, 80))
        monitor._work.save_now()
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        tell(monitor, traffic(1, 120))
        monitor._work.save_now()
        queue.put((monitor.stats().faults, monitor.stats().last_fault))


def test_a_full_disk_is_counted_and_the_old_file_stays(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=limited, args=(str(tmp_path), queue))
    process.start()
    faults, last = queue.get(timeout=60)
    process.join()
    assert process.exitcode == 0
    assert faults == {"checkpoint": 1}
    assert "cannot be written (File too large)" in last
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".partial") == []
    with dw.Monitor({"monitor": {"folder": str(tmp_path)}}, clock="events") as monitor:
        monitor.flush()
        assert monitor.stats().faults == {}
        assert 0 < monitor.stats().streams[0].requests <= len(traffic(1, 80))


def test_a_folder_belongs_to_one_process(tmp_path):
    config = {"monitor": {"folder": str(tmp_path)}}
    with dw.Monitor(config) as first, dw.Monitor(config) as second:
        for monitor in (first, second):
            monitor.request(model="m", ttft=0.1)
            monitor.flush()
        assert first.stats().notes == ()
        (note,) = second.stats().notes
        assert note == f"{tmp_path}: another process keeps its state there; several workers need a collector"
    with dw.Monitor(config) as third:
        third.flush()
        assert third.stats().notes == ()


KILLED = """
import os, signal, sys, time, driftwatch as dw
monitor = dw.Monitor({"monitor": {"folder": sys.argv[1], "checkpoint_s": 0.2, "pause_s": 0.05}})
for _ in range(100): monitor.request(model="m", ttft=0.1)
while monitor.stats().checkpoint_at is None: time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_kill_the_time_that_is_not_known_is_counted(tmp_path, root):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, timeout=60)
    assert killed.returncode == -9
    later = time.time() + 3600.0
    with dw.Monitor({"monitor": {"folder": str(tmp_path)}}, clock=lambda: later) as monitor:
        monitor.flush()
        assert monitor.stats().faults == {}
        assert 3590 < monitor.stats().unwatched_s < 3620
        monitor.request(model="m", ttft=0.1)
        monitor.flush()
        assert monitor.incidents() == ()


def test_a_file_of_the_first_schema_is_read():
    """If this fails before the first release, make the file anew (its README says how); after it, count SCHEMA up and
    write a migration."""
    config, state = checkpoint.load(GOLDEN)
    with dw.Monitor.load(GOLDEN, clock="events") as monitor:
        monitor.flush()
        assert monitor.stats().faults == {}
        assert monitor.stats().state == "watching"
        tell(monitor, traffic(5, 200).take(slice(1200, None)))
        assert monitor.stats().faults == {}
    assert config.monitor.queue == 65_536
    assert state["offsets"] == {"log": 7}


def test_an_older_schema_is_brought_up_to_date_and_a_newer_one_refused(monkeypatch, tmp_path):
    def renamed(header):
        header["state"]["dict"][1][0] = "read_until"
        return {**header, "schema": 2}

    monkeypatch.setattr(checkpoint, "SCHEMA", 2)
    monkeypatch.setitem(checkpoint.MIGRATIONS, 1, renamed)
    assert checkpoint.load(GOLDEN)[1]["read_until"] == {"log": 7}
    monkeypatch.undo()
    monkeypatch.setattr(checkpoint, "SCHEMA", 0)
    with pytest.raises(StateError, match=r"schema 1 is not known here \(this version reads up to 0\)"):
        checkpoint.load(GOLDEN)


def test_what_cannot_be_saved_is_named():
    with pytest.raises(StateError, match="a Popen cannot be saved"):
        pack({"a": [subprocess.Popen]}["a"][0].__new__(subprocess.Popen))


def test_a_state_with_what_is_not_known_here_is_refused():
    with pytest.raises(StateError, match="holds a Gadget, which is not known here"):
        unpack(json.loads('{"Gadget": {}}'), b"")
    with pytest.raises(StateError, match="damaged"):
        unpack({"array": [["<f8"], [2], 0]}, b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_the_state_of_a_feed_is_saved_with_what_was_made_of_it(slow, tmp_path):
    with dw.Monitor(QUICK, clock="events") as monitor:
        monitor.feed(half(slow, True), "log", 190, more=True)
        monitor.save(tmp_path / "state.npz")
    with dw.Monitor.load(tmp_path / "state.npz", clock="events") as other:
        assert other.offsets == {"log": 190}

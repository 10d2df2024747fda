"""What serving code may rely on: it is never held up, nothing is raised, and what is not taken is counted."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.events.columns import concat_requests
from tests.monitor.calls import calls_of
from tests.sameness import assert_same, facts
from tests.traffic import START, traffic


def test_a_replay_finds_what_a_scan_finds():
    batch = traffic(3, 360, slower=2.0, since=200)
    rows = list(calls_of(batch))
    found = dw.scan(rows).incidents
    monitor = dw.Monitor(clock="events")
    rng, k = np.random.default_rng(0), 0
    while k < len(rows):
        step = int(rng.integers(1, 400))
        for row in rows[k : k + step]:
            monitor.request(**row)
        monitor.flush()
        k += step
    monitor.finish()
    assert len(found) == 1
    assert_same(facts(monitor.incidents()), facts(found))
    monitor.close()


def test_wrong_values_are_counted_by_reason_and_raise_nothing():
    class Hostile:
        def __float__(self):
            raise RuntimeError("no")

        def __str__(self):
            raise RuntimeError("no")

        def __bool__(self):
            raise RuntimeError("no")

    with dw.Monitor() as monitor:
        monitor.request(ttft="soon", model="m")
        monitor.request(latency=-1.0)
        monitor.request(latency=float("inf"))
        monitor.request(prompt_tokens=10**400)
        monitor.request(ttft=True)
        monitor.request(at="yesterday")
        monitor.request(at=4e9)
        monitor.request(ttft=Hostile())
        monitor.request(error=Hostile())
        monitor.request(model=Hostile(), labels=Hostile(), request_id=Hostile())
        monitor.request("m", 0.4)
        monitor.metric("up", "down")
        monitor.metric("up", 1.0, {"pod": 7, "no": None})
        monitor.metric()
        monitor.metric("up", 1.0, {}, None, "more")
        monitor.metric("up", 1.0, unit="s")
        monitor.marker("deploy", "v1", at="never")
        monitor.marker(1, 2, 3)
        monitor.request(request_id="\ud800", model="\ud800", nonsense={}, self=1, fields=2)
        monitor.flush()
        stats = monitor.stats()
    assert stats.quarantined == {
        "ttft is not a duration": 3,
        "latency is negative": 1,
        "latency is infinite": 1,
        "prompt_tokens is not a number": 1,
        "completed_at is not a time": 1,
        "it lies in the future": 1,
        "value is not a number": 2,
        "at is not a time": 1,
    }
    assert stats.shed == {"wrong arguments": 3}
    assert stats.faults == {}


def test_values_of_other_types_are_understood():
    from decimal import Decimal
    from http import HTTPStatus

    with dw.Monitor(clock="events") as monitor:
        at = datetime(2027, 1, 15, tzinfo=UTC)
        monitor.request(
            at=at, ttft=np.float32(0.5), latency=Decimal("2"), prompt_tokens=np.int64(3), status=HTTPStatus.OK
        )
        monitor.request(at="2027-01-15T00:00:01Z", ttft_ms=500, error=ValueError("secret"), model="m")
        monitor.request(at=np.datetime64("2027-01-15T00:00:02"), latency="2.5", finish_reason=["stop"], error=None)
        monitor.request(end_time=at.timestamp() + 4, input_tokens=7, labels={"tenant": 7})
        monitor.flush()
        waiting = concat_requests(monitor._work.place.engine.builder.waiting)
    assert monitor.stats().quarantined == {}
    assert waiting.completed_at.tolist() == [at.timestamp() + k for k in (0, 1, 2, 4)]
    assert waiting.ttft[:2].tolist() == [0.5, 0.5]
    assert waiting.latency[[0, 2]].tolist() == [2.0, 2.5]
    assert waiting.failed.tolist() == [False, True, False, False]
    assert waiting.labels["tenant"].to_list()[3] == "7"
    assert waiting.prompt_tokens[[0, 3]].tolist() == [3.0, 7.0]


def test_a_full_queue_sheds_and_says_so():
    monitor = dw.Monitor({"monitor": {"queue": 5}})
    with monitor._work.lock:  # the background thread cannot take anything out
        for _ in range(8):
            monitor.request(model="m", ttft=0.1)
        assert monitor.stats().queue == 5
        assert monitor.stats().shed == {"queue full": 3}
    monitor.close()
    monitor.request(model="m", ttft=0.1)
    assert monitor.stats().shed == {"queue full": 3, "closed": 1}


def test_texts_that_weigh_too_much_are_left_behind_and_their_calls_are_not():
    monitor = dw.Monitor({"monitor": {"text_mb": 1}})
    with monitor._work.lock:
        for _ in range(5):
            monitor.request(model="m", ttft=0.1, prompt="x" * 300_000, response="y" * 100_000)
        monitor.request(model="m", ttft=0.1, embedding=np.zeros(10**6))
        monitor.request(model="m", ttft=0.1, prompt=object())
        assert monitor.stats().shed == {"texts": 4}
        assert monitor.stats().queue == 7
        assert sum("response" in fields for _, _, fields in monitor._calls) == 2
    monitor.flush()
    monitor.request(model="m", ttft=0.1, response="y" * 900_000)
    assert monitor.stats().shed == {"texts": 4}
    monitor.close()


def test_no_call_of_many_threads_is_lost():
    monitor = dw.Monitor()
    threads = [
        threading.Thread(target=lambda: [monitor.request(model="m", ttft=0.1) for _ in range(5000)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monitor.flush()
    waiting = sum(map(len, monitor._work.place.engine.builder.waiting))
    assert waiting + monitor._work.place.engine.builder.taken + sum(monitor.stats().shed.values()) == 40_000
    monitor.close()


def test_the_thread_starts_with_the_first_call_and_ends_with_close():
    def named():
        return [t for t in threading.enumerate() if t.name == "driftwatch" and t.is_alive()]

    before = len(named())
    monitor = dw.Monitor()
    assert len(named()) == before
    monitor.request(model="m", ttft=0.1)
    assert len(named()) == before + 1
    monitor.close()
    assert len(named()) == before
    monitor.close()


def test_a_fault_inside_is_counted_and_nothing_is_raised(monkeypatch):
    monitor = dw.Monitor()
    monkeypatch.setattr(monitor._work.place, "advance", lambda now: 1 / 0)
    monitor.request(model="m", ttft=0.1)
    monitor.flush()
    monitor.close()
    assert monitor.stats().faults["judging"] == 1
    assert monitor.stats().last_fault == "judging: ZeroDivisionError: division by zero"


FORK = """
import json, os, sys, driftwatch as dw
monitor = dw.Monitor()
for _ in range(5): monitor.request(model="m", ttft=0.1)
if sys.argv[1] == "flushed": monitor.flush()
def counted():
    monitor.flush()
    return sum(map(len, monitor._work.place.engine.builder.waiting)) + monitor._work.place.engine.builder.taken
reading, writing = os.pipe()
child = os.fork()
if not child:
    monitor.request(model="m", ttft=0.1)
    os.write(writing, json.dumps([counted(), monitor._background.running]).encode())
    os._exit(0)
os.waitpid(child, 0)
monitor.request(model="m", ttft=0.1)
print(json.dumps({"child": json.loads(os.read(reading, 99)), "parent": counted()}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("when", ["waiting", "flushed"])
def test_after_a_fork_nothing_is_doubled(when, root):
    done = subprocess.run([sys.executable, "-c", FORK, when], capture_output=True, text=True, check=True, cwd=root)
    assert json.loads(done.stdout) == {"child": [1, True], "parent": 6}


BUSY = """
import os, sys, time, driftwatch as dw
monitor, working = dw.Monitor(), []
def slowly(now):
    working.append(1); time.sleep(float(sys.argv[1])); working.clear()
    return []
monitor._work.place.advance = slowly
monitor.request(model="m", ttft=0.1)
while not working: time.sleep(0.001)
began = time.monotonic()
child = os.fork()
if not child:
    monitor.request(model="m", ttft=0.1)
    monitor.flush()
    os._exit(len(working))
took = time.monotonic() - began
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), took < 3.0)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(("seconds", "half_done"), [("0.3", 0), ("10", 1)])
def test_a_fork_waits_for_the_work_in_progress_but_not_for_long(seconds, half_done, root):
    done = subprocess.run([sys.executable, "-c", BUSY, seconds], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == [str(half_done), "True"]


def test_what_waits_is_taken_in_when_the_interpreter_ends(root):
    code = (
        "import driftwatch as dw\n"
        "from driftwatch.monitor.work import Work\n"
        "end = Work.end\n"
        "Work.end = lambda self, s: (end(self, s), print(sum(map(len, self.place.engine.builder.waiting))))\n"
        "monitor = dw.Monitor()\n"
        "for _ in range(100): monitor.request(model='m', ttft=0.1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "100"
    assert done.stderr == ""


def test_time_goes_on_without_requests():
    now = [START]
    monitor = dw.Monitor(clock=lambda: now[0])
    for batch in (traffic(1, 120, rate=10.0),):
        for row in calls_of(batch):
            now[0] = row["completed_at"]
            monitor.request(**row)
            if len(monitor._calls) > 1000:
                monitor.flush()
    monitor.flush()
    assert monitor.stats().state == "watching"
    assert monitor.incidents() == ()
    now[0] += 300.0
    monitor.flush()
    assert [incident.kind for incident in monitor.incidents()] == ["telemetry"]
    monitor.close()

"""The benchmark of delivery in small: real processes are killed, and nothing is lost."""

import shutil
from contextlib import ExitStack
from itertools import pairwise

import delivery
import pytest
from delivering.judge import judge
from delivering.plan import plan, wanted
from delivering.receiver import OK, Received, Reply


def test_senders_are_killed_and_everything_arrives_in_order(tmp_path):
    if shutil.which("prometheus-alertmanager") is None:
        pytest.skip("needs Debian's package prometheus-alertmanager")
    with ExitStack() as stack:
        found = delivery.measured(tmp_path, stack, incidents=25, kills=4)
    assert found["kills"] >= 4
    assert len(found["sinks"]) == 3
    for verdict in found["sinks"].values():
        assert (verdict["asked"], verdict["arrived"], verdict["lost"]) == (50, 50, 0)
        assert (verdict["disorder"], verdict["unnamed"]) == (0, 0)
    assert found["mistrusted"] == 0
    assert found["notified"] == {"firing": 25, "resolved": 25}
    assert found["still_firing"] == 0


def test_the_plan_tells_each_incident_in_order():
    transitions = plan(30)
    assert len(transitions) == 90
    for name in {i.id for i in transitions}:
        seqs = [i.seq for i in transitions if i.id == name]
        assert all(a < b for a, b in pairwise(seqs))
    assert len(wanted(transitions)) == 60


def judged(*messages):
    transitions = plan(1)
    received = [Received("POST", "/", {"key": key}, b"", reply, at=10.0 + n) for n, (key, reply) in enumerate(messages)]
    return judge(received, lambda m: [("dw-000000", int(m.headers["key"]))], transitions, [9.0, 9.0, 9.0])


def test_the_judge_sees_what_is_lost_doubled_or_out_of_order():
    fine = judged(("1", OK), ("2", OK), ("3", OK))
    assert (fine.arrived, fine.lost, fine.duplicates, fine.disorder) == (2, 0, 0, 0)
    assert judged(("1", OK)).lost == 1
    assert judged(("1", OK), ("3", Reply(how="reset"))).lost == 1
    assert judged(("1", OK), ("3", Reply(500))).lost == 1
    doubled = judged(("1", Reply(how="reset")), ("1", OK), ("3", OK))
    assert (doubled.lost, doubled.duplicates, doubled.longest_s) == (0, 1, 3.0)
    assert judged(("3", OK), ("1", OK)).disorder == 1
    assert judged(("1", OK), ("7", OK)).unnamed == 1

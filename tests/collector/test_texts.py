"""What answers say goes the same way: read in the background, let go, and the same from several workers."""

from __future__ import annotations

import numpy as np

import driftwatch as dw
from driftwatch.collector import Collector
from tests.collector.test_server import TOKEN
from tests.monitor.calls import calls_of
from tests.sameness import assert_same, facts
from tests.spoken import spoken

CONFIG = {"attribution": {"permutations": 99}, "text": {"dimensions": 64}}


def calls(seed: int = 1, ticks: int = 200):
    batch = spoken(seed, ticks, since=150)
    assert batch.texts is not None
    for k, call in enumerate(calls_of(batch)):
        prompt, response = batch.texts.prompt[k], batch.texts.response[k]
        yield {**call, "request_id": f"r{k}", "prompt": [{"role": "user", "content": prompt}], "response": response}


def test_answers_told_live_and_by_three_workers_are_heard_as_in_a_scan():
    every = list(calls())
    expected = dw.scan(every, config=CONFIG).incidents
    assert {f.signal for f in expected[0].findings} & {"answer_shift", "answer_jump"}
    rng = np.random.default_rng(0)
    with Collector("http://127.0.0.1:0", TOKEN, CONFIG, clock="events") as collector:
        workers = [dw.Monitor(CONFIG, clock="events", collector=collector.address, token=TOKEN) for _ in range(3)]
        with dw.Monitor(CONFIG, clock="events") as alone:
            for k, call in enumerate(every):
                workers[rng.integers(3)].request(**call)
                alone.request(**call)
                if not k % 40:
                    for monitor in (alone, *workers):
                        monitor.flush()
            alone.finish()
        for worker in workers:
            worker.close()
            assert worker.stats().faults == {}
        collector.monitor.finish()
        # a worker that got no answer in time sends again: known by its number, and counted once
        assert set(collector.monitor.stats().quarantined) <= {"parcel: it came before"}
        assert_same(facts(alone.incidents()), facts(expected))
        assert_same(facts(collector.monitor.incidents()), facts(expected))


def test_no_text_is_held_nor_saved(tmp_path):
    secret = "xyzzy plugh"
    with dw.Monitor({**CONFIG, "monitor": {"folder": str(tmp_path)}}) as monitor:
        monitor.request(model="m", ttft=0.1, prompt=secret, response=f"{secret} {secret}", scores={"judge": 0.5})
        monitor.request(model="m", ttft=0.1, prompt=7, response={"a": 1}, embedding="no vector", scores=[1])
        monitor.flush()
        assert monitor.stats().faults == {}
        waiting = monitor._work.place.engine.builder.waiting
        assert all(part.texts is None for part in waiting)
        assert sum(map(len, waiting)) == 2
    assert secret.encode() not in (tmp_path / "monitor.npz").read_bytes()

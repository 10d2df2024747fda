"""Several workers are one stream and one page: what they tell together is what one process would have told."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.collector import Collector
from driftwatch.config import Config
from driftwatch.events.columns import Markers, Metrics, Requests, concat_requests
from driftwatch.readers import Quarantine, read_markers, read_metrics, read_requests
from tests.monitor.calls import calls_of
from tests.sameness import assert_same, facts

WORKERS, THREADS = 3, 4


def recorded(folder) -> tuple[Requests, list[Metrics], Markers]:
    config, quarantine = Config(), Quarantine()
    requests = concat_requests(list(read_requests(folder / "requests.jsonl.gz", config, quarantine)))
    metrics = list(read_metrics(folder / "metrics.om.gz", config, quarantine))
    return requests, metrics, read_markers(folder / "markers.jsonl", config, quarantine)


def between(metrics: Metrics, low: float, high: float) -> Metrics:
    rows = (metrics.at >= low) & (metrics.at < high)
    return Metrics(metrics.at[rows], metrics.series[rows], metrics.value[rows], metrics.keys)


@pytest.fixture(scope="module")
def log(bundled):
    return recorded(bundled)


@pytest.fixture(scope="module")
def expected(bundled):
    found = dw.scan(bundled).incidents
    assert len(found) == 1
    return facts(found)


def told(monitors: list[dw.Monitor], log, seed: int) -> None:
    """Play a recording into some monitors, a few seconds at a time, from several threads in any order."""
    requests, metrics, markers = log
    rng = np.random.default_rng(seed)
    whose = rng.integers(0, len(monitors), len(requests))
    monitors[0].feed(markers)
    edges = np.append(np.arange(requests.at.min() - 20.0, requests.at.max(), 6.5), requests.at.max() + 1.0)
    for low, high in pairwise(edges):
        for batch in metrics:
            if len(part := between(batch, low, high)):
                monitors[rng.integers(0, len(monitors))].feed(part)
        rows = np.flatnonzero((requests.at >= low) & (requests.at < high))
        calls = list(zip(whose[rows], calls_of(requests.take(rows)), strict=True))
        rng.shuffle(calls)
        shares = [calls[k::THREADS] for k in range(THREADS)]
        threads = [threading.Thread(target=lambda s=s: [monitors[w].request(**c) for w, c in s]) for s in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for monitor in monitors:
            monitor.flush()


def test_calls_from_four_threads_find_what_a_scan_finds(log, expected):
    with dw.Monitor(clock="events") as monitor:
        told([monitor], log, 1)
        monitor.finish()
    assert monitor.stats().late == 0
    assert_same(facts(monitor.incidents()), expected)


@pytest.mark.parametrize("listen", ["http://127.0.0.1:0", "unix"])
def test_three_workers_and_a_collector_find_what_a_scan_finds(listen, log, expected, tmp_path):
    listen = listen if listen != "unix" else f"unix://{tmp_path}/socket"
    with Collector(listen, "secret", clock="events") as collector:
        workers = [dw.Monitor(clock="events", collector=collector.address, token="secret") for _ in range(WORKERS)]
        told(workers, log, 2)
        for worker in workers:
            worker.close()
            assert worker.stats().collector.pending == 0
            assert worker.stats().late == 0
        collector.monitor.finish()
        assert collector.monitor.stats().late == 0
        assert collector.monitor.stats().faults == {}
        assert_same(facts(collector.monitor.incidents()), expected)

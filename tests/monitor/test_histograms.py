"""Where an engine's histograms are all that there is, they are judged as they are scraped."""

from itertools import pairwise

import numpy as np

import driftwatch as dw
from driftwatch.config import Config
from driftwatch.readers import Quarantine, read_metrics
from tests.collector.test_together import between
from tests.sameness import assert_same, facts


def test_histograms_told_live_find_what_a_scan_of_them_finds(bundled):
    metrics = list(read_metrics(bundled / "metrics.om.gz", Config(), Quarantine()))
    expected = dw.scan(metrics=bundled / "metrics.om.gz").incidents
    assert len(expected) == 1
    first, last = min(m.at.min() for m in metrics), max(m.at.max() for m in metrics)
    now = [first]
    opened = None
    with dw.Monitor({"monitor": {"traffic": "histograms"}}, clock=lambda: now[0]) as monitor:
        for low, high in pairwise(np.append(np.arange(first, last, 9.0), last + 1.0)):
            now[0] = min(high, last)
            for batch in metrics:
                monitor.feed(between(batch, low, high))
            monitor.flush()
            opened = opened or (monitor.incidents() and high)
        assert 0 < opened - expected[0].opened_at.timestamp() < 30
        monitor.finish()
        assert monitor.stats().faults == {}
        assert_same(facts(monitor.incidents()), facts(expected))

"""Baselines that have learnt from synthetic traffic."""

import numpy as np

from driftwatch.baseline import StreamBaseline
from driftwatch.config import Config, Learning
from driftwatch.incidents.panel import margins_of
from driftwatch.incidents.watch import EPOCH
from driftwatch.ticks import TickBuilder
from tests.traffic import START

FIRST = int(START // 5.0)
LEARN = 2 * EPOCH - FIRST % EPOCH + EPOCH  # a warm-up of two to three epochs, which ends where one ends
SETTLED = 1  # ticks at its start that are not learnt from: few requests take longer


def ticks_of(requests):
    builder = TickBuilder(Config())
    builder.add(requests)
    return builder.close(int(requests.at.max() // 5.0))


def fresh(complete=True, **learning):
    return StreamBaseline(Learning(**{"min_effective": 0.0} | learning), margins_of(Config()), complete=complete)


def learnt(requests, until=LEARN, **learning):
    """A baseline that took the first ticks, how it judged them, and the ticks that follow."""
    baseline, ticks = fresh(**learning), ticks_of(requests)
    baseline.collect(ticks.between(FIRST, FIRST + until - 1), FIRST)
    judged = baseline.start(FIRST + until - 1)
    return baseline, judged, ticks.between(FIRST + until, FIRST + 10**6)


def rest_judged(requests, until=LEARN):
    baseline, judged, rest = learnt(requests, until)
    assert judged is not None
    return baseline.judge(rest, FIRST + until, int(rest.tick[-1]))


def mean(track):
    return float(np.average(track.value, weights=track.total))


def without(requests, first, last):
    """The same requests but for those of these ticks."""
    tick = np.floor((requests.at - START) / 5.0)
    return requests.take((tick < first) | (tick > last))

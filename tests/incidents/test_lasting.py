"""What lasts opens an incident, at once or in bursts; one noisy minute does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.detectors.protocol import Moves
from driftwatch.engine import Engine
from tests.incidents.test_watch import FIRST, LEARN, advanced, watching
from tests.traffic import START, traffic


def opened(slower, seed=0, **settings):
    """Seconds after the start at which incidents opened, and what led them."""
    engine = Engine(Config.parse(settings))
    engine.add(traffic(seed, ticks=len(slower), rate=4.0, slower=slower, since=0))
    found = engine.advance() + engine.finish()
    return [(i.opened_at.timestamp() - START, i.findings[0].signal) for i in found if i.transition == "open"]


def bursts(ticks, begins, length, factor):
    slower = np.ones(ticks)
    for begin in begins:
        slower[begin : begin + length] = factor
    return slower


@given(st.integers(1, 200), st.integers(0, 300), st.floats(0.01, 9.0))
def test_equal_moves_count_one_each_however_long_the_quiet_between_them(moved, quiet, size):
    moves = np.random.default_rng(moved).permutation(np.append(np.full(moved, size), np.zeros(quiet)))
    assert Moves(moves, np.zeros(len(moves))).lasted == moved


def test_chance_is_counted_out():
    rng = np.random.default_rng(0)
    noisy = np.append(np.ones(20), np.zeros(100)) + rng.normal(0.0, 0.5, 120)
    assert Moves(noisy, np.full(120, 0.25)).lasted == pytest.approx(20, abs=8)
    assert Moves(noisy, np.zeros(120)).lasted < 20


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_one_noisy_minute_opens_nothing_and_two_that_last_do(seed, factor):
    assert opened(bursts(300, [200], 12, factor), seed) == []
    found = opened(bursts(300, [200], 36, factor), seed)
    assert len(found) == 1
    assert 1000 + 90 <= found[0][0] <= 1000 + 180


def test_short_bursts_open_one_when_they_have_lasted_in_all():
    found = opened(bursts(500, [200, 260, 320, 380], 8, 3.0), 1)
    assert found
    assert 5 * 265 <= found[0][0] <= 5 * 420
    assert opened(bursts(500, [200], 8, 3.0), 1) == []
    assert opened(bursts(500, [200], 8, 3.0), 1, incidents={"lasting_s": 30.0})


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, 349), max_size=12, unique=True))
def test_bursts_are_told_at_the_same_tick_however_they_were_cut(cuts):
    requests = traffic(
        1, ticks=LEARN + 350, rate=4.0, slower=bursts(LEARN + 350, range(LEARN + 40, 9999, 60), 8, 3.0), since=0
    )
    found = []
    for edges in ([], sorted(cuts)):
        watch, rest = watching(requests)
        alarms, first = {}, LEARN
        for last in (*(LEARN + e for e in edges), LEARN + 349):
            if last < first:
                continue
            for name, alarm in advanced(watch, rest, first, last)[1].items():
                alarms.setdefault(name, alarm.tick)
            first = last + 1
        found.append(alarms)
    assert found[0] == found[1]
    assert "ttft_bursts" in found[0]


def test_a_burst_that_stands_is_not_learnt_as_healthy():
    watch, rest = watching(traffic(2, ticks=LEARN + 900, slower=bursts(LEARN + 900, [LEARN + 40], 8, 4.0), since=0))
    told = advanced(watch, rest, LEARN, LEARN + 99)[1]
    assert told == {}
    (span,) = {(low - FIRST - LEARN, high - FIRST - LEARN) for low, high in watch.spans()} or {(0, 0)}
    assert 35 <= span[0] <= 42
    assert span[1] <= 60
    advanced(watch, rest, LEARN + 100, LEARN + 899)
    assert watch.spans() == []

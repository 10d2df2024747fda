import math
from dataclasses import replace

import numpy as np
import pytest

from driftwatch.baseline import StreamBaseline
from driftwatch.config import Config, Learning
from driftwatch.detectors import LocationDetector, ProportionDetector
from driftwatch.events.signals import SIGNALS
from driftwatch.incidents import log_threshold
from driftwatch.incidents.learnt import arrays_of, take_arrays
from driftwatch.incidents.panel import margins_of, panels_of, signal_tests, text_panels_of
from driftwatch.incidents.watch import EPOCH, StreamWatch
from driftwatch.ticks import TickBuilder
from tests.traffic import START, traffic

FIRST = int(START // 5.0)
LEARN = 2 * EPOCH - FIRST % EPOCH + EPOCH
ALARM = log_threshold(Config())


def ticks_of(requests):
    builder = TickBuilder(Config())
    builder.add(requests)
    return builder.close(int(requests.at.max() // 5.0))


def watch_of(title="model=m"):
    return StreamWatch(title, Config(), StreamBaseline(Learning(min_effective=0), margins_of(Config())))


def watching(requests):
    """A watch that has learnt the first ticks, and the rest of them."""
    ticks, watch = ticks_of(requests), watch_of()
    watch.advance(ticks.between(FIRST, FIRST + LEARN - 1), FIRST, FIRST + LEARN - 1)
    assert watch.start(FIRST + LEARN - 1) is not None
    return watch, ticks.between(FIRST + LEARN, FIRST + 10**6)


def advanced(watch, ticks, first, last):
    judged = watch.advance(ticks.between(FIRST + first, FIRST + last), FIRST + first, FIRST + last)
    return judged, {a.signal: a for a in watch.alarms(ALARM)}


def test_margins_are_ratios_in_log_units_and_differences_of_shares():
    margins = margins_of(Config.parse({"margins": {"ttft": 0.5, "error_share": 0.07, "traffic": 1.0}}))
    assert margins["ttft"] == pytest.approx(math.log(1.5))
    assert margins["traffic"] == pytest.approx(math.log(2.0))
    assert margins["error_share"] == 0.07
    assert margins.keys() == {s.name for s in SIGNALS}


def test_each_signal_has_a_column_in_the_detector_of_its_shape_and_a_seed_of_its_own():
    seeds = set()
    for stream in ("a", "b"):
        config = Config.parse({"learning": {"max_ticks": 100}, "margins": {"itl": 0.2}})
        tests = signal_tests((*panels_of(config, stream), *text_panels_of(config, stream)))
        assert len({(id(t.detector), t.column) for t in tests.values()}) == len(tests)
        for signal in SIGNALS:
            detector, column = tests[signal.name].detector, tests[signal.name].column
            assert isinstance(detector, ProportionDetector if signal.shape == "share" else LocationDetector)
            assert detector.capacity == (100 if signal.shape != "score" else 2048)
            if isinstance(detector, LocationDetector):
                again = signal_tests((*panels_of(Config(), stream), *text_panels_of(Config(), stream)))[
                    signal.name
                ].detector
                assert detector.seeds[column] == again.seeds[column]
                seeds.add(int(detector.seeds[column]))
        assert tests["itl"].detector.margin[tests["itl"].column] == pytest.approx(math.log(1.2))
    assert len(seeds) == 2 * sum(s.shape != "share" for s in SIGNALS)


def test_what_users_do_may_creep_and_what_the_service_does_to_them_may_not():
    tests = signal_tests(panels_of(Config(), "a"))
    slow = {t.signal for t in tests.values() if t.panel.slow}
    assert {"ttft", "itl", "latency", "output_length", "length_share", "error_share"} <= slow
    assert not slow & {"traffic", "prompt_length", "novel_share"}
    assert {t.panel.span for t in tests.values()} == {1, 720}


def test_it_learns_first_and_says_how_far_it_is():
    watch, ticks = watch_of(), ticks_of(traffic(0))
    assert advanced(watch, ticks, 0, 23) == (None, {})
    assert watch.start(FIRST + 23) is None
    assert watch.refused == ("everything: learning is 50% done",)
    advanced(watch, ticks, 24, LEARN - 1)
    assert watch.start(FIRST + LEARN - 1) is not None
    assert watch.refused == ()
    assert (watch.ticks, watch.learnt_ticks) == (LEARN, LEARN)
    assert watch.requests == (traffic(0).at < START + 5.0 * LEARN).sum()
    fast = [test for test in watch.tests.values() if not test.panel.slow and test.signal != "prefill_share"]
    assert all(test.ready for test in fast)
    assert not any(test.ready for test in watch.tests.values() if test.panel.slow)


def test_what_is_not_measured_is_said():
    requests = traffic(1)
    watch, _ = watching(replace(requests, itl=np.full(len(requests), np.nan)))
    assert watch.refused == ("inter-token latency: not measured",)
    assert not watch.tests["itl"].ready


def test_a_slow_engine_raises_alarms_of_what_users_feel_and_of_nothing_else():
    watch, rest = watching(traffic(2, slower=3.0, since=LEARN + 30))
    _, alarms = advanced(watch, rest, LEARN, LEARN + 29)
    assert alarms == {}
    _, alarms = advanced(watch, rest, LEARN + 30, LEARN + 80)
    assert {"ttft", "itl", "latency"} <= alarms.keys()
    assert not {"traffic", "prompt_length", "novel_share", "output_length", "error_share"} & alarms.keys()
    for alarm in alarms.values():
        assert alarm.stream == "model=m"
        assert alarm.shift.log_e >= ALARM
        assert abs(alarm.shift.onset - FIRST - LEARN - 30) <= 3
        assert FIRST + LEARN + 30 < alarm.tick < FIRST + LEARN + 60


def test_an_alarm_comes_at_the_same_tick_however_the_ticks_were_cut():
    found = []
    for step in (1, 7, 60):
        watch, rest = watching(traffic(3, slower=2.0, since=LEARN + 20))
        first = {}
        for start in range(LEARN, LEARN + 60, step):
            _, alarms = advanced(watch, rest, start, min(start + step, LEARN + 60) - 1)
            first = alarms | first
        found.append({name: (a.tick, a.shift.onset, round(a.shift.size, 9)) for name, a in first.items()})
    assert found[0]
    assert found[0] == found[1] == found[2]


def test_a_move_within_the_margin_is_no_alarm():
    watch, rest = watching(traffic(4, ticks=900, slower=1.07, since=LEARN))
    _, alarms = advanced(watch, rest, LEARN, 899)
    assert alarms == {}
    beyond = set()
    for tick in range(FIRST + LEARN, FIRST + 900, 5):
        shift = watch.tests["itl"].detector.describe(watch.tests["itl"].column, tick)
        beyond.add(abs(shift.size) - 1.28 * shift.error > math.log(1.1))
        assert (watch.look("itl", tick) is not None) == (abs(shift.size) - 1.28 * shift.error > math.log(1.1))
    assert beyond == {True, False}


def test_it_is_recovered_when_the_move_is_gone():
    bad, good = traffic(5, ticks=LEARN + 60, slower=3.0, since=LEARN + 20), traffic(6, ticks=LEARN + 120)
    watch, rest = watching(bad)
    _, alarms = advanced(watch, rest, LEARN, LEARN + 59)
    alarm = alarms["latency"]
    assert not watch.recovered(alarm, EPOCH, FIRST + LEARN + 59)
    after = ticks_of(good).between(FIRST + LEARN + 60, FIRST + LEARN + 119)
    advanced(watch, after, LEARN + 60, LEARN + 119)
    assert watch.recovered(alarm, EPOCH, FIRST + LEARN + 119)
    assert not watch.recovered(alarm, EPOCH, FIRST + LEARN + 300)  # nothing was seen: nothing is known
    later = watch.again(alarm, FIRST + LEARN + 59)
    assert later.shift.onset == alarm.shift.onset
    assert later.shift.count > alarm.shift.count
    watch.restart()
    assert watch.look("latency", FIRST + LEARN + 119) is None


def test_half_better_is_not_recovered():
    bad, better = (
        traffic(10, ticks=LEARN + 60, slower=3.0, since=LEARN),
        traffic(11, ticks=LEARN + 160, slower=1.4, since=0),
    )
    watch, rest = watching(bad)
    _, alarms = advanced(watch, rest, LEARN, LEARN + 59)
    advanced(watch, ticks_of(better).between(FIRST + LEARN + 60, FIRST + 10**6), LEARN + 60, LEARN + 159)
    size = watch.tests["itl"].detector.recent(watch.tests["itl"].column, FIRST + LEARN + 100, FIRST + LEARN + 159).size
    assert size < 0.5 * alarms["itl"].shift.size
    assert not watch.recovered(alarms["itl"], 60, FIRST + LEARN + 159)


def test_while_something_may_be_changing_it_is_in_doubt():
    watch, rest = watching(traffic(7, slower=2.0, since=LEARN + 30))
    assert not watch.in_doubt(FIRST + LEARN - 1)
    advanced(watch, rest, LEARN, LEARN + 29)
    assert not watch.in_doubt(FIRST + LEARN + 29)
    advanced(watch, rest, LEARN + 30, LEARN + 60)
    assert watch.in_doubt(FIRST + LEARN + 60)


def test_more_traffic_is_no_doubt_about_health():
    calm, busy = traffic(8, ticks=LEARN), traffic(8, ticks=LEARN + 60, rate=16.0)
    watch, _ = watching(calm)
    _, alarms = advanced(watch, ticks_of(busy), LEARN, LEARN + 59)
    assert "traffic" in alarms
    assert watch.evidence("traffic", FIRST + LEARN + 59) > 10
    assert not watch.in_doubt(FIRST + LEARN + 59)


def test_what_was_learnt_is_taken_over_by_name():
    watch, rest = watching(traffic(9))
    again = watch_of()
    take_arrays(again, arrays_of(watch))
    assert again.refused == ()
    assert arrays_of(again).keys() == arrays_of(watch).keys()
    for name, array in arrays_of(watch).items():
        np.testing.assert_array_equal(arrays_of(again)[name], array)
    judged, alarms = advanced(again, rest, LEARN, LEARN + 60)
    assert alarms == {}
    assert judged is not None

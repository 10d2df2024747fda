"""Whatever the wall clock does, the monitor's time goes on evenly; who hears of it are the figures, not the pager."""

import pytest

import driftwatch as dw
from driftwatch.monitor.clock import SteadyClock
from tests.monitor.calls import calls_of
from tests.traffic import START, traffic


class Clocks:
    """A wall clock that can be set, and one that cannot."""

    def __init__(self):
        self.wall, self.steady = START, 1000.0

    def pass_(self, seconds):
        self.wall, self.steady = self.wall + seconds, self.steady + seconds

    def steadied(self):
        return SteadyClock(lambda: self.wall, lambda: self.steady)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86_400.0, 1.5])
@pytest.mark.parametrize("given", [True, False])
def test_a_jump_of_the_wall_clock_is_counted_and_makes_no_incident(jump, given, monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(
        "driftwatch.monitor.monitor.SteadyClock", lambda: SteadyClock(lambda: clocks.wall, lambda: clocks.steady)
    )
    monitor = dw.Monitor({"attribution": {"permutations": 99}})
    monitor._background.running = True  # all is done in this thread
    batch = traffic(1, 300, rate=6.0)
    for k, call in enumerate(calls_of(batch)):
        clocks.pass_(call.pop("completed_at") - START - (clocks.steady - 1000.0))
        if k == 4000:
            monitor.flush()
            clocks.wall += jump
            monitor.flush()
        if given:  # by the wall clock
            call["at"] = clocks.wall
        monitor.request(**call)
        if not k % 200:
            monitor.flush()
    monitor.flush()
    stats = monitor.stats()
    assert stats.clock_jumps == 1
    assert stats.clock_offset_s == pytest.approx(-jump)
    assert monitor.incidents() == ()
    assert stats.late == 0
    assert stats.quarantined == {}
    assert stats.streams[0].requests > 0.9 * len(batch)
    monitor._background.running = False
    monitor.close()


def test_a_clock_that_is_slewed_is_followed():
    clocks = Clocks()
    clock = SteadyClock(lambda: clocks.wall, lambda: clocks.steady)
    for _ in range(1000):
        clocks.pass_(1.0)
        clocks.wall += 0.01
        clock.look()
    assert clock.jumps == 0
    assert clock.now() == pytest.approx(clocks.wall)


def test_a_clock_that_was_set_back_while_nobody_looked_does_not_make_all_late(tmp_path, monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(
        "driftwatch.monitor.monitor.SteadyClock", lambda: SteadyClock(lambda: clocks.wall, lambda: clocks.steady)
    )
    config = {"monitor": {"folder": str(tmp_path)}}
    monitor = dw.Monitor(config)
    for _ in range(30):
        clocks.pass_(5.0)
        monitor.request(model="m", ttft=0.1)
        monitor.flush()
    monitor.close()
    before = monitor.stats().streams[0].requests
    clocks.wall -= 3600.0
    monitor = dw.Monitor(config)
    for _ in range(30):
        clocks.pass_(5.0)
        monitor.request(model="m", ttft=0.1)
        monitor.flush()
    assert monitor.stats().late == 0
    assert monitor.stats().clock_jumps == 1
    assert monitor.stats().streams[0].requests >= before + 25
    monitor.close()


def test_what_lies_in_the_future_is_left_out_and_makes_nothing_late():
    clocks = Clocks()
    with dw.Monitor(clock=lambda: clocks.wall) as monitor:
        for k in range(40):
            clocks.pass_(5.0)
            monitor.request(model="m", ttft=0.1)
            monitor.request(model="m", ttft=0.1, at=clocks.wall + 3500.0)
            monitor.request(model="m", ttft=0.1, at=clocks.wall - 3500.0) if k else None
            monitor.flush()
    stats = monitor.stats()
    assert stats.quarantined == {"it lies in the future": 40}
    assert stats.late == 39
    assert stats.streams[0].requests >= 36

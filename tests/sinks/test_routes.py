"""Who is told what, and when."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.sinks import Outbox, Quiet, Route
from tests.sinks.scripted import Clock, Scripted
from tests.sinks.stories import opened, resolved, updated

EVENING = datetime(2026, 11, 27, 23, 0, tzinfo=UTC).timestamp()
NIGHT = Quiet(time(22), time(7))


@pytest.fixture
def routed(tmp_path):
    """An outbox with one sink and one route, in the evening."""
    boxes = []

    def make(route, now=EVENING, **more):
        clock, sink = Clock(now), Scripted(**more)
        boxes.append(Outbox(tmp_path / "outbox.db", [sink], routes={"scripted": route}, clock=clock))
        return boxes[-1], sink, clock

    yield make
    for box in boxes:
        box.close()


@pytest.mark.parametrize(
    ("route", "takes"),
    [
        (Route(), True),
        (Route("critical"), False),
        (Route("warning"), True),
        (Route(streams=("model=chat*",)), True),
        (Route(streams=("model=batch",)), False),
        (Route(kinds=("degradation",)), True),
        (Route(kinds=("workload", "telemetry")), False),
    ],
)
def test_severity_stream_and_kind_decide(route, takes):
    assert route.takes(opened(severity="warning")) is takes


def test_who_was_told_that_it_opened_is_told_how_it_ends(routed):
    outbox, sink, _ = routed(Route("critical"))
    story = [opened(severity="critical")]
    story.append(updated(story[0], severity="warning"))
    story.append(resolved(story[1]))
    outbox.put(story)
    outbox.put([opened("dw-0002", severity="warning")])
    outbox.deliver()
    assert sink.taken == [("dw-0001", 1), ("dw-0001", 2), ("dw-0001", 3)]


def test_one_that_gets_worse_is_told_from_then_on(routed):
    outbox, sink, _ = routed(Route("critical"))
    mild = opened(severity="warning")
    outbox.put([mild, updated(mild, severity="critical")])
    outbox.deliver()
    assert sink.taken == [("dw-0001", 2)]


def test_at_night_only_what_matters_is_sent_and_the_rest_in_the_morning(routed):
    outbox, sink, clock = routed(Route(quiet=NIGHT), most=10)
    outbox.put([opened(severity="warning"), opened("dw-0002", severity="critical")])
    outbox.deliver()
    assert sink.taken == [("dw-0002", 1)]
    clock.pass_(7 * 3600 + 3599)
    assert outbox.deliver() == []
    clock.pass_(2)
    outbox.deliver()
    assert sink.taken == [("dw-0002", 1), ("dw-0001", 1)]


def test_what_gets_worse_at_night_is_sent_with_what_came_before_it(routed):
    outbox, sink, _ = routed(Route(quiet=NIGHT))
    mild = opened(severity="warning")
    outbox.put([mild])
    outbox.deliver()
    outbox.put([updated(mild, severity="critical")])
    outbox.deliver()
    assert sink.taken == [("dw-0001", 1), ("dw-0001", 2)]


def test_what_opens_within_seconds_is_one_message(routed):
    outbox, sink, clock = routed(Route(group_s=30), most=10)
    outbox.put([opened()])
    clock.pass_(10)
    outbox.put([opened("dw-0002")])
    assert outbox.deliver() == []
    clock.pass_(30)
    outbox.deliver()
    assert sink.messages == [[("dw-0001", 1), ("dw-0002", 1)]]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.times(), st.times())
def test_quiet_hours_end_at_their_end_and_last_less_than_a_day(at, start, end):
    at, quiet = at.replace(tzinfo=UTC), Quiet(start, end)
    until = quiet.until(at)
    if until is not None:
        assert timedelta() < until - at <= timedelta(days=1)
        assert until.time() == end
        assert quiet.until(until) is None or start == end
        assert quiet.until(until - timedelta(microseconds=1)) == until


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))
def test_it_is_either_quiet_or_not(at):
    at = at.replace(tzinfo=UTC)
    night, day = Quiet(time(22), time(7)), Quiet(time(7), time(22))
    assert (night.until(at) is None) != (day.until(at) is None)


def test_hours_are_by_the_clock_on_the_wall():
    berlin = Quiet(time(22), time(7), ZoneInfo("Europe/Berlin"))
    assert berlin.until(datetime(2026, 7, 1, 21, tzinfo=UTC)) == datetime(2026, 7, 2, 5, tzinfo=UTC)
    assert berlin.until(datetime(2026, 12, 1, 21, 30, tzinfo=UTC)) == datetime(2026, 12, 2, 6, tzinfo=UTC)
    assert berlin.until(datetime(2026, 7, 1, 5, tzinfo=UTC)) is None


def test_a_route_for_no_sink_is_a_mistake(tmp_path):
    from driftwatch import ConfigError

    with pytest.raises(ConfigError, match="a route is for no sink: pager"):
        Outbox(tmp_path / "outbox.db", [Scripted()], routes={"pager": Route()})

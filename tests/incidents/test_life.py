from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.detectors import Shift
from driftwatch.events.signals import BY_NAME, SIGNALS
from driftwatch.incidents import Alarm, join, opened
from driftwatch.incidents.life import FIRST_UPDATE, kind_of, severity_of


def alarm(stream="a", signal="ttft", onset=100, size=0.5, tick=None, log_e=20.0, low=None):
    shift = Shift(onset, onset if low is None else low, onset + 2, size, 0.05, 0.0, log_e, 50, log_e - 5.0)
    return Alarm(stream, signal, onset + 12 if tick is None else tick, shift, signal)


@pytest.mark.parametrize(
    ("signal", "up", "down"),
    [
        *((name, "degradation", "improvement") for name in ("ttft", "itl", "latency")),
        *((name, "degradation", "improvement") for name in ("ttft_tail", "itl_tail", "latency_tail")),
        *((name, "degradation", "improvement") for name in ("length_share", "abort_share", "error_share")),
        ("output_length", "change", "change"),
        *((name, "workload", "workload") for name in ("traffic", "prompt_length", "novel_share")),
    ],
)
def test_what_a_move_means(signal, up, down):
    assert (kind_of(BY_NAME[signal], 0.4), kind_of(BY_NAME[signal], -0.4)) == (up, down)


def test_every_signal_has_a_meaning_and_none_is_bad_both_ways():
    for signal in SIGNALS:
        kinds = [kind_of(signal, size) for size in (1.0, -1.0)]
        assert kinds.count("degradation") <= 1


@pytest.mark.parametrize(
    ("kind", "change", "share", "severity"),
    [
        ("degradation", 0.3, False, "warning"),
        ("degradation", 1.0, False, "critical"),
        ("degradation", 0.19, True, "warning"),
        ("degradation", -0.2, True, "critical"),
        ("improvement", 9.0, False, "info"),
        ("workload", 9.0, True, "info"),
        ("change", 9.0, False, "warning"),
        ("telemetry", 9.0, False, "warning"),
    ],
)
def test_only_a_degradation_is_more_than_information(kind, change, share, severity):
    assert severity_of(kind, change, share, Config()) == severity


def test_what_is_critical_can_be_set():
    config = Config.parse({"incidents": {"critical_change": 0.25}})
    assert severity_of("degradation", 0.3, False, config) == "critical"


def test_an_id_comes_from_stream_kind_and_onset_and_nothing_else():
    first = opened(alarm())
    assert first.id == "dw-8d69450ba5da"  # the same in every process and release
    assert opened(alarm(size=2.0, tick=500, log_e=99.0)).id == first.id
    assert opened(alarm(signal="latency")).id == first.id
    others = {opened(a).id for a in (alarm("b"), alarm(size=-0.5), alarm(onset=101), alarm(signal="output_length"))}
    assert len(others | {first.id}) == 5


def test_a_new_incident_is_its_alarm():
    life = opened(alarm(onset=100, low=90))
    assert (life.stream, life.kind, life.opened, life.onset, life.earliest) == ("a", "degradation", 112, 100, 90)
    assert life.status == "open"
    assert life.resolved is None
    assert list(life.alarms) == [("a", "ttft")]


def test_it_is_looked_at_again_after_twice_as_long_each_time():
    life = opened(alarm(tick=112))
    looks = []
    for _ in range(5):
        looks.append(life.next_update)
        life.schedule(life.next_update)
    assert [look - 112 for look in looks] == [FIRST_UPDATE * 2**k for k in range(5)]
    life.schedule(112 + 1000)
    assert life.next_update > 1112


def test_in_one_stream_all_belongs_together_while_it_is_open():
    life = opened(alarm("a", onset=100))
    assert join([life], alarm("a", "error_share", onset=9000), 24) is life
    life.resolved = 5000
    assert join([life], alarm("a", "error_share", onset=9000), 24) is None


@pytest.mark.parametrize(("onset", "together"), [(100, True), (124, True), (76, True), (125, False), (75, False)])
def test_in_another_stream_what_began_at_the_same_time(onset, together):
    life = opened(alarm("a", onset=100))
    assert (join([life], alarm("b", onset=onset), 24) is life) == together


def test_the_stream_counts_before_the_time_and_the_nearest_before_the_first():
    own, near, nearer = opened(alarm("b", onset=10)), opened(alarm("a", onset=90)), opened(alarm("c", onset=98))
    assert join([near, nearer, own], alarm("b", onset=100), 24) is own
    assert join([near, nearer], alarm("b", onset=100), 24) is nearer
    assert join([nearer, near], alarm("b", onset=100), 24) is nearer
    assert join([], alarm(), 24) is None


def test_an_incident_is_joined_through_any_of_its_streams():
    life = opened(alarm("a", onset=100))
    life.take(alarm("b", onset=110))
    assert join([life], alarm("b", "itl", onset=5000), 24) is life
    assert join([life], alarm("c", onset=120), 24) is life


def test_a_worse_kind_leads_and_a_lesser_one_does_not():
    life = opened(alarm(signal="traffic", size=1.0, onset=100))
    assert life.kind == "workload"
    for signal, size, kind, lead in (
        ("output_length", -0.5, "change", "output_length"),
        ("ttft", -0.5, "change", "output_length"),
        ("latency", 0.5, "degradation", "latency"),
        ("prompt_length", 0.5, "degradation", "latency"),
    ):
        life.take(alarm(signal=signal, size=size))
        assert (life.kind, life.lead.signal) == (kind, lead)
    assert len(life.alarms) == 5


def test_the_lead_is_renewed_by_itself():
    life = opened(alarm(onset=100))
    life.take(alarm(onset=90, size=0.9, tick=300, low=80))
    assert (life.onset, life.earliest, life.lead.shift.size) == (90, 80, 0.9)
    assert len(life.alarms) == 1


def test_an_alarm_is_heard_when_it_was_loud_enough():
    life = opened(alarm(log_e=20.0))
    life.alarms[("a", "itl")] = alarm(signal="itl", log_e=5.0)
    assert life.heard(alarm(), 18.2)
    assert not life.heard(alarm(signal="itl"), 18.2)
    assert not life.heard(alarm("b"), 18.2)


ALARMS = st.lists(
    st.builds(
        alarm,
        st.sampled_from("abc"),
        st.sampled_from([s.name for s in SIGNALS]),
        st.integers(0, 300),
        st.sampled_from([-0.5, 0.5]),
    ),
    max_size=12,
)


@given(ALARMS)
def test_any_alarms_become_incidents_each_with_one_place(alarms):
    lives = []
    for one in alarms:
        life = join(lives, one, 24)
        if life is None:
            lives.append(opened(one))
        else:
            life.take(one)
    keys = [key for life in lives for key in life.alarms]
    assert sorted(keys) == sorted({(a.stream, a.signal) for a in alarms})
    for life in lives:
        assert life.lead in life.alarms.values()
        assert life.earliest <= life.onset
    streams = [{stream for stream, _ in life.alarms} for life in lives]
    assert all(not a & b for k, a in enumerate(streams) for b in streams[k + 1 :])
    assert all(a.opened <= b.opened for a, b in pairwise(sorted(lives, key=lambda life: life.opened)))


def test_a_louder_signal_of_the_same_kind_does_not_change_the_story():
    life = opened(alarm(signal="ttft", log_e=20.0))
    life.take(alarm(signal="latency", log_e=90.0))
    assert life.lead.signal == "ttft"


def test_where_all_got_slower_the_slowest_do_not_lead():
    life = opened(alarm(signal="ttft_tail"))
    life.take(alarm(signal="latency_tail", log_e=90.0))
    life.take(alarm(signal="length_share", log_e=90.0))
    life.take(alarm("b", "ttft", log_e=90.0))
    life.take(alarm(signal="itl", size=-0.5))
    life.take(alarm(signal="itl", onset=103))
    assert life.lead.signal == "ttft_tail"
    life.take(alarm(signal="latency", onset=90))
    assert (life.lead.signal, life.onset, life.id) == ("latency", 90, opened(alarm(signal="ttft_tail")).id)
    for signal in ("ttft", "ttft_tail", "latency_tail"):
        life.take(alarm(signal=signal, log_e=99.0))
    assert life.lead.signal == "latency"

"""The rules of the score, on incidents made by hand."""

from __future__ import annotations

import pytest

judging = pytest.importorskip("scoring.judging", reason="the benchmarks are not beside the tests")

START, ONSET, END = 0.0, 3000.0, 6000.0
KV = {"name": "kv_cache_usage", "scope": {}, "tier": "supported"}
BATCH = {"name": "traffic", "scope": {"tenant": "batch"}, "tier": "supported"}
QUEUE = {"name": "queue_depth", "scope": {}, "tier": "supported"}


def truth(**other):
    return {
        "number": 20,
        "title": "hog",
        "control": False,
        "telemetry": True,
        "started_at": START,
        "ended_at": END,
        "onset_at": ONSET,
        "until": None,
        "who": {"tenant": "chat"},
        "kinds": ["degradation"],
        "causes": ["kv_cache_usage", "traffic{tenant=batch}"],
        "chain": ["preemptions"],
        "measured": True,
        "silent": True,
    } | other


def healthy(**other):
    return truth(control=True, onset_at=None, kinds=[], causes=[], chain=[], who={}, measured=False) | other


def incident(opened=ONSET + 60.0, causes=(KV,), **other):
    return {
        "kind": "degradation",
        "opened": opened,
        "onset": ONSET + 10.0,
        "silent": True,
        "causes": list(causes),
        "where": [{"tenant": "chat"}],
    } | other


def verdict(of, *incidents, alarms=()):
    case = {"name": "hog", "severity": "moderate", "seed": 0, "truth": of, "incidents": list(incidents)}
    return judging.judged(case | {"rivals": {"rule": list(alarms)}, "cpu": {"scan": 1.0}, "requests": 10})


def test_all_is_right_about_an_incident_that_is():
    row = verdict(truth(), incident())
    assert (row["detected"], row["delay"], row["onset_error"]) == (True, 60.0, 10.0)
    assert (row["kind"], row["cause"], row["silent"], row["segment"]) == (True, "right", True, True)
    assert (row["claims"], row["false_first"], row["false_any"], row["false"]) == (True, False, False, 0)
    assert row["asked"]
    assert row["hours"] == pytest.approx((ONSET - START - judging.LEARNT_S) / 3600)


@pytest.mark.parametrize(
    ("opened", "until", "detected", "false"),
    [
        (ONSET - 1, None, False, 1),
        (ONSET, None, True, 0),
        (END + 120, None, True, 0),
        (END + 121, None, False, 0),
        (4121, 4000, False, 0),
        (4120, 4000, True, 0),
    ],
)
def test_it_counts_from_the_onset_to_two_minutes_after_the_end(opened, until, detected, false):
    row = verdict(truth(until=until), incident(opened))
    assert (row["detected"], row["false"]) == (detected, false)


def test_what_is_not_detected_is_not_asked_about():
    row = verdict(truth())
    assert row["detected"] is False
    assert [row[name] for name in judging.ABOUT] == [None] * len(judging.ABOUT)
    assert not row["claims"]


@pytest.mark.parametrize(("kinds", "detected"), [(["degradation"], False), (["degradation", "telemetry"], True)])
def test_lost_telemetry_detects_only_what_loses_telemetry(kinds, detected):
    assert verdict(truth(kinds=kinds), incident(kind="telemetry", causes=()))["detected"] is detected


def test_the_first_incident_speaks_and_its_kind_may_be_wrong():
    row = verdict(truth(), incident(ONSET + 300), incident(ONSET + 100, kind="workload", causes=()))
    assert (row["detected"], row["delay"], row["kind"], row["cause"]) == (True, 100.0, False, "abstained")


@pytest.mark.parametrize(
    ("causes", "answer"),
    [
        ([], "abstained"),
        ([KV | {"tier": "consistent"}, QUEUE], "abstained"),
        ([BATCH], "right"),
        ([BATCH | {"scope": {"tenant": "chat"}}], "wrong"),
        ([BATCH | {"scope": {}}], "wrong"),
        ([{"name": "preemptions", "scope": {}, "tier": "supported"}], "wrong"),
    ],
)
def test_only_a_supported_first_cause_is_a_claim(causes, answer):
    assert verdict(truth(), incident(causes=causes))["cause"] == answer
    assert verdict(truth(measured=False), incident(causes=causes))["cause"] is None


@pytest.mark.parametrize(
    ("causes", "first", "any_"),
    [
        ([KV, QUEUE], False, True),
        ([QUEUE, KV], True, True),
        ([KV, QUEUE | {"tier": "consistent"}], False, False),
        ([{"name": "preemptions", "scope": {}, "tier": "supported"}], False, False),  # part of the chain
    ],
)
def test_a_claim_is_false_where_it_is_neither_cause_nor_chain(causes, first, any_):
    row = verdict(truth(), incident(causes=causes))
    assert (row["false_first"], row["false_any"]) == (first, any_)


def test_whatever_a_false_incident_claims_is_false():
    row = verdict(truth(), incident(ONSET - 500), incident())
    assert (row["detected"], row["false"], row["false_first"]) == (True, 1, True)
    row = verdict(healthy(), incident())
    assert (row["detected"], row["false"], row["false_first"]) == (None, 1, True)


def test_a_control_is_watched_to_its_end_and_may_be_named_as_what_it_is():
    assert verdict(healthy())["hours"] == pytest.approx((END - START - judging.LEARNT_S) / 3600)
    mix = healthy(kinds=["workload"])
    row = verdict(mix, incident(kind="workload", causes=()), incident(kind="improvement", causes=()))
    assert (row["detected"], row["false"], row["kind"], row["asked"]) == (True, 1, None, False)


def test_silence_and_segment_are_compared_with_the_truth():
    row = verdict(truth(silent=False, who={"tenant": "batch"}), incident())
    assert (row["silent"], row["segment"]) == (False, False)
    row = verdict(truth(), incident(where=[{"replica": "a"}, {"tenant": "chat", "replica": "b"}]))
    assert row["segment"] is True
    assert verdict(truth(who={}), incident())["segment"] is None


def test_alarms_of_a_rival_before_the_onset_are_false_and_the_first_one_after_it_detects():
    row = verdict(truth(), alarms=[100.0, 1500.0, 1700.0, 2600.0, ONSET + 30, ONSET + 60])["rivals"]["rule"]
    assert (row["detected"], row["delay"], row["false"]) == (True, 30.0, 2)
    assert row["hours"] == pytest.approx((ONSET - judging.RIVALS_LEARNT_S) / 3600)
    assert verdict(truth(), alarms=[END + 121])["rivals"]["rule"]["detected"] is False


def test_an_alarm_on_a_control_is_false_unless_an_incident_is_right_there():
    assert verdict(healthy(), alarms=[5000.0])["rivals"]["rule"]["false"] == 1
    queue = verdict(healthy(kinds=["degradation"], onset_at=ONSET), alarms=[2000.0, 5000.0])["rivals"]["rule"]
    assert (queue["detected"], queue["false"]) == (None, 1)


def test_no_telemetry_scenario_is_forgotten_or_added():
    assert judging.TELEMETRY == (1, 2, 3, 4, 5, 6, 16, 18, 19, 20, 21, 22, 23)

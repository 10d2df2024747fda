"""Scenarios and controls: each tells its truth, is as bad as it says, and leaves alone what it does not touch."""

import json
from dataclasses import fields
from functools import cache

import numpy as np
import pytest

from driftwatch.errors import InputError
from driftwatch.simulate import CONFOUNDERS, CONTROLS, SCENARIOS, SEVERITIES, simulate
from driftwatch.simulate.case import case
from driftwatch.simulate.columns import ABORT
from driftwatch.simulate.confounders import DECOYS
from driftwatch.simulate.recording import spoilt
from driftwatch.simulate.severity import RELATIVE
from driftwatch.simulate.shapes import SHAPES, Course

ALL = [*SCENARIOS, *CONTROLS]
MOVING = [name for name, scenario in SCENARIOS.items() if scenario.signal != "answers"]
SPOILING = [name for name, scenario in SCENARIOS.items() if scenario.signal == "answers"]
TWINS = {"acceptance_decay", "pressure_garbles"}  # to their engines they do what another scenario does
LONG = {"retraction_hysteresis"}  # its burst outweighs all else in a recording of 12 minutes
SEED = 2


@cache
def short(name):
    """Twelve minutes of it."""
    return simulate(name, seed=SEED, minutes=12)


def same(one, other):
    """Whether two tables of columns are the same to the bit."""
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.name != "labels"]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("name", ALL)
def test_request_rows_are_whole_and_in_order(name):
    recorded = short(name)
    rows = recorded.requests
    ended = ~np.isnan(rows.completed_at)
    assert ended.sum() > 1500
    assert ended[: ended.sum()].all()  # what has not ended comes last
    assert (np.diff(rows.completed_at[ended]) >= 0).all()
    assert np.isfinite(rows.started_at).all()
    assert (rows.prompt_tokens > 0).all()
    assert (rows.latency[ended] > 0).all()
    assert (rows.output_tokens[ended] >= 0).all()
    answered = ended & (rows.output_tokens > 0)
    assert (rows.ttft[answered] <= rows.latency[answered] + 1e-6).all()
    assert (rows.queue_time[answered] >= 0).all()
    assert (np.isfinite(rows.itl[ended]) == (rows.output_tokens[ended] > 1)).all()
    assert not np.isfinite(np.stack([rows.ttft, rows.latency, rows.itl, rows.output_tokens])[:, ~ended]).any()
    assert all((column.codes >= 0).all() for label, column in rows.labels.items() if label != "adapter")


@pytest.mark.parametrize("name", ALL)
def test_every_sample_is_a_number_of_the_recording_s_time(name):
    recorded = short(name)
    metrics, case_ = recorded.metrics, recorded.case
    assert np.isfinite(metrics.value).all()
    assert (np.diff(metrics.at) >= 0).all()
    assert metrics.at[0] >= case_.start
    assert metrics.at[-1] <= case_.end
    names = {key.name for key in metrics.keys}
    assert names >= {"vllm:kv_cache_usage_perc", "vllm:num_requests_running", "DCGM_FI_DEV_GPU_UTIL"}


@pytest.mark.parametrize("name", ALL)
def test_the_truth_is_whole_and_its_times_lie_inside(name):
    truth, scenario = short(name).truth, (SCENARIOS | CONTROLS)[name]
    assert json.loads(json.dumps(truth, allow_nan=False)) == truth
    assert list(truth) == list(short("healthy").truth)
    assert truth["control"] == (name in CONTROLS)
    assert truth["severity"] == ("moderate" if name in SCENARIOS else None)
    if truth["onset_at"] is not None:
        middle = (truth["started_at"] + truth["ended_at"]) / 2
        assert middle <= truth["onset_at"] < truth["until"] <= truth["ended_at"]
    assert (truth["onset_at"] is None) == (name in ("healthy", "diurnal_load"))
    assert (truth["effect"]["relative"] is None) == (scenario.signal == "answers")


@pytest.mark.parametrize("name", ALL)
def test_before_its_onset_nothing_differs_from_the_rerun_without_the_fault(name):
    recorded = short(name)
    run, healthy, onset = recorded.run, recorded.healthy, recorded.case.course.onset
    before, there = (r.outcomes.completed_at < onset for r in (run, healthy))
    assert before.sum() > 500
    assert same(run.traffic.take(before), healthy.traffic.take(there))
    columns = [(getattr(run.outcomes, f.name), getattr(healthy.outcomes, f.name)) for f in fields(run.outcomes)]
    assert all(np.array_equal(a[before], b[there], equal_nan=True) for a, b in columns)
    assert np.array_equal(
        run.steps[0].start[run.steps[0].start < onset], healthy.steps[0].start[healthy.steps[0].start < onset]
    )


@pytest.mark.parametrize("name", ALL)
def test_a_fault_of_no_size_is_none(name):
    drawn = case(name, seed=SEED, minutes=12)
    fault, service = drawn.scenario.fault, drawn.world.deployment.service
    sent = fault.sent(drawn.traffic, drawn.course, 0.0, service.model, drawn.end, SEED)
    assert same(sent, drawn.traffic)
    plans = fault.plans(service, drawn.plans, drawn.course, 0.0)
    assert all(settings == plan[0][1] for plan, one in zip(drawn.plans, plans, strict=True) for _, settings in one)


def test_a_rerun_is_the_same_to_the_bit():
    drawn, again = (case("kv_hog", seed=SEED, minutes=12).run(0.1) for _ in range(2))
    assert same(drawn.outcomes, again.outcomes)
    assert same(case("kv_hog", seed=SEED, minutes=12).run(0.0).outcomes, short("kv_hog").healthy.outcomes)


@pytest.mark.parametrize("name", [name for name in MOVING if name not in LONG | TWINS])
def test_the_worse_the_severity_the_larger_the_fault(name):
    mild, severe = (case(name, severity, SEED, minutes=12).size for severity in ("mild", "severe"))
    assert 0 < mild < short(name).case.size < severe <= SCENARIOS[name].most


@pytest.mark.parametrize("name", SPOILING)
def test_the_worse_the_severity_the_more_answers_are_spoilt(name):
    shares = []
    for severity in SEVERITIES:
        drawn = case(name, severity, SEED, minutes=12)
        run = drawn.run(drawn.size)
        shares.append(spoilt(drawn, run)[drawn.reached(run)].mean())
    assert 0 < shares[0] < shares[1] < shares[2] <= 1


@pytest.mark.parametrize("name", ["preemption_cliff", "prefix_miss", "throttled_gpu"])
def test_users_feel_what_the_severity_says(name):
    moved = simulate(name, seed=SEED).truth["effect"]["relative"]
    assert moved == pytest.approx(RELATIVE["moderate"], rel=0.3)


def test_spoilt_are_only_those_whom_it_can_hit():
    for name, who in (("wrong_adapter", "adapter"), ("cached_speculation", "cached")):
        recorded = short(name)
        hit = recorded.run.traffic.labels["adapter"].equals("legal")
        hit = hit if who == "adapter" else recorded.run.outcomes.cached_tokens > 0
        mask = recorded.spoilt
        assert mask.any()
        assert not mask[~hit].any()
        assert not mask[recorded.run.traffic.at < recorded.case.course.onset].any()
        assert not mask[recorded.run.outcomes.finish == ABORT].any()


# shapes


@pytest.mark.parametrize("shape", SHAPES)
def test_a_course_is_0_outside_and_within_1_inside(shape):
    course = Course(1000.0, 4000.0, shape, ramp_s=1200.0)
    at = np.arange(0.0, 5000.0)
    amount = course.at(at)
    outside = (at < 1000) | (at >= 4000)
    assert (amount[outside] == 0).all()
    assert amount[~outside].max() == 1
    assert ((amount >= 0) & (amount <= 1)).all()


def test_a_ramp_only_grows_and_then_stays():
    amount = Course(1000.0, 4000.0, "ramp", ramp_s=1200.0).at(np.arange(1000.0, 4000.0))
    assert (np.diff(amount) >= 0).all()
    assert (amount[1200:] == 1).all()
    assert amount[600] == pytest.approx(0.5)


def test_flapping_is_off_in_between():
    amount = Course(1000.0, 4000.0, "flapping").at(np.arange(1000.0, 4000.0))
    assert set(amount) == {0.0, 1.0}
    assert (amount[:240] == 1).all()
    assert (amount[240:360] == 0).all()
    assert (amount[360:600] == 1).all()


def test_a_wavering_fault_wavers_about_its_size_alike_in_every_rerun():
    one, again = (Course(1000.0, 9000.0, wobble=0.1, seed=4).at(np.arange(1000.0, 9000.0)) for _ in range(2))
    assert np.array_equal(one, again)
    assert 0.02 < np.log(one).std() < 0.2
    assert np.median(one) == pytest.approx(1.0, rel=0.1)


def test_between_flaps_the_engine_has_its_blocks_back():
    drawn = case("preemption_cliff", seed=SEED, minutes=30, shape="flapping")
    service = drawn.world.deployment.service
    (plan, *_) = drawn.scenario.fault.plans(service, drawn.plans, drawn.course, 0.5)
    blocks = {t - drawn.course.onset: settings.kv_blocks for t, settings in plan}
    whole = service.replicas[0].kv_blocks
    assert {blocks[t] for t in blocks if 0 <= t < 240} == {whole // 2}
    assert {blocks[t] for t in blocks if 240 <= t < 360} == {whole}


# confounders


def confounded(*names):
    return simulate("healthy", seed=SEED, minutes=12, confounders=names)


def test_decoys_are_series_of_neighbours_and_change_nothing_else():
    plain, decoyed = short("healthy"), confounded("decoys")
    assert len(decoyed.series) == len(plain.series) + DECOYS
    assert same(decoyed.run.traffic, plain.run.traffic)
    assert same(decoyed.run.outcomes, plain.run.outcomes)


def test_a_deploy_replaces_a_pod_whose_counters_begin_anew():
    recorded = confounded("deploy")
    (at, replica), *_ = recorded.case.world.deploys
    pods = [set(r.requests.labels["replica"].to_list()) for r in (short("healthy"), recorded)]
    (new,) = pods[1] - pods[0]
    assert new.endswith(f"-{replica}")
    assert recorded.markers.at.tolist() == [at]
    metrics = recorded.metrics
    keys = metrics.keys
    (place,) = (
        k for k, key in enumerate(keys) if key.name == "vllm:generation_tokens_total" and ("pod", new) in key.labels
    )
    mine = metrics.series == place
    assert metrics.at[mine][0] >= at
    counted = metrics.value[mine]
    assert (np.diff(counted) >= 0).all()
    old = recorded.requests.completed_at < at
    assert counted[0] < 0.5 * recorded.requests.output_tokens[old].sum() / 2


def changed_at(recorded):
    """When the first request differs from the plain recording's."""
    plain, other = short("healthy").case.traffic, recorded.case.traffic
    n = min(len(plain), len(other))
    return other.at[np.flatnonzero(plain.at[:n] != other.at[:n])[0]]


def test_a_new_mix_changes_the_traffic_and_nothing_before_its_time():
    recorded = confounded("mix")
    tenants = {tenant.name: tenant for tenant in recorded.case.world.deployment.tenants}
    at = np.arange(recorded.case.start, recorded.case.end)
    begins = at[np.flatnonzero(tenants["api"].load(at) != 1)[0]]
    assert recorded.case.start < begins - 1 <= changed_at(recorded)
    plain = short("healthy").run
    before, there = (r.outcomes.completed_at < begins - 1 for r in (recorded.run, plain))
    assert np.array_equal(recorded.run.outcomes.completed_at[before], plain.outcomes.completed_at[there])
    after, usual = (r.case.traffic for r in (recorded, short("healthy")))
    documents, fewer = (
        [(t.labels["tenant"].equals(name) & (t.at > begins)).sum() for t in (after, usual)] for name in ("api", "chat")
    )
    assert documents[0] > 1.15 * documents[1]
    assert fewer[0] < fewer[1]


def test_a_day_changes_the_traffic_from_the_beginning():
    recorded = confounded("diurnal")
    assert changed_at(recorded) < recorded.case.start + 30
    assert all(tenant.swing == 0.25 for tenant in recorded.case.world.deployment.tenants)


def test_confounders_compose_with_a_fault_and_with_each_other():
    recorded = simulate("throttled_gpu", seed=SEED, minutes=12, confounders=list(CONFOUNDERS))
    assert len(recorded.case.world.deploys) == len(recorded.markers) == 1
    assert sum(dict(one.labels).get("pod", "").startswith("vllm") for one in recorded.series) > 100
    assert 0.1 < recorded.truth["effect"]["relative"] < 0.5
    assert recorded.case.world.decoys == DECOYS
    assert len(set(recorded.requests.labels["replica"].to_list())) == 3


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"scenario": "kv_hogg"}, "kv_hog"),
        ({"severity": "fatal"}, "moderate"),
        ({"shape": "round"}, "flapping"),
        ({"confounders": ["rain"]}, "decoys"),
        ({"minutes": 9}, "at least 10"),
    ],
)
def test_what_cannot_be_simulated_is_one_clear_line(options, hint):
    with pytest.raises(InputError, match=hint):
        simulate(**({"scenario": "healthy", "minutes": 12} | options))

from datetime import timedelta
from pathlib import Path

import pytest

from driftwatch.events.catalogue import BY_NAME as SERIES
from driftwatch.events.catalogue import RATIOS
from driftwatch.explain import headline, render, tell
from driftwatch.explain.steps import next_steps
from driftwatch.incidents.chapters import Memory
from driftwatch.incidents.models import Cause, Incident

SAMPLE = Incident.model_validate_json((Path(__file__).parent / "sample.json").read_text(encoding="utf-8"))


def changed(**fields):
    return SAMPLE.model_copy(update=fields)


def section(incident, key):
    found = [s for s in tell(incident).sections if s.key == key]
    return " / ".join(found[0].sentences) if found else ""


def cause(**fields):
    return SAMPLE.causes[0].model_copy(update=fields)


def checks(*states):
    pattern = SAMPLE.health[0]
    return tuple(
        pattern.model_copy(update={"name": f"check {n}", "state": state, "newly": newly})
        for n, (state, newly) in enumerate(states)
    )


def test_the_headline_says_what_changed_by_how_much_and_where():
    assert headline(SAMPLE) == "Time to first token 0.05 s -> 3.1 s (x62) for model=smollm2"


def test_the_signal_that_moved_most_leads_whatever_the_order():
    assert headline(changed(findings=SAMPLE.findings[::-1])) == headline(SAMPLE)


def test_better_is_suspicious():
    finding = SAMPLE.findings[0].model_copy(update={"before": 3.0, "after": 0.3, "change": -0.9})
    assert headline(changed(kind="improvement", findings=(finding,))).startswith("Suspiciously better: ")


def test_a_share_moves_by_points():
    finding = SAMPLE.findings[0].model_copy(
        update={"signal": "error_share", "unit": "share", "before": 0.0, "after": 0.042, "change": 0.042}
    )
    assert headline(changed(findings=(finding,))).startswith("Failed requests 0% -> 4.2% (+4.2 points)")


def tail(**fields):
    slow = {"signal": "latency_tail", "unit": "share", "before": 0.05, "after": 0.18, "change": 0.13}
    return SAMPLE.findings[0].model_copy(update=slow | {"interval": (0.09, 0.17)} | fields)


def test_slow_answers_are_said_to_be_so():
    incident = changed(findings=(tail(),))
    assert headline(incident).startswith("Slow answers 5% -> 18% (+13 points)")
    assert "further behind the rest than the healthy 95% point; 95% interval +9 points to" in section(incident, "what")


def test_the_slowest_do_not_lead_where_all_got_slower():
    whole = SAMPLE.findings[0].model_copy(update={"before": 1.0, "after": 1.2, "change": 0.2})
    both = changed(findings=(whole, tail(after=0.9, change=0.85)))
    assert headline(both).startswith("Time to first token")
    assert section(both, "what").startswith("Time to first token")
    assert headline(changed(findings=(tail(), whole))).startswith("Slow answers")


def test_a_signal_that_was_zero_came_from_nothing():
    finding = SAMPLE.findings[0].model_copy(update={"before": 0.0, "after": 2.0, "change": float("inf")})
    assert "(from nothing)" in headline(changed(findings=(finding,)))


def test_how_long_it_went_unnoticed():
    assert "Noticed 1 min 4 s later" in section(SAMPLE, "since")
    assert "Noticed 5 s earlier" in section(changed(opened_at=SAMPLE.onset - timedelta(seconds=5)), "since")


def test_an_open_incident_goes_on_and_a_resolved_one_does_not():
    resolved = changed(status="resolved", resolved_at=SAMPLE.onset + timedelta(minutes=3))
    assert "Still going on" in section(SAMPLE, "since")
    assert "Still going on" not in section(resolved, "since")
    assert "Resolved 3 min after it began" in section(resolved, "since")


def test_times_are_utc_whatever_zone_they_come_in():
    from zoneinfo import ZoneInfo

    elsewhere = SAMPLE.onset.astimezone(ZoneInfo("Asia/Kolkata"))
    assert section(changed(onset=elsewhere), "since") == section(SAMPLE, "since")


def test_a_silent_incident_is_called_out():
    assert section(SAMPLE, "green").startswith("Your infrastructure checks stayed green (3 of 3 that are measured)")
    assert "silent" in tell(SAMPLE).badges


def test_absent_is_not_green():
    words = section(changed(health=checks(("absent", False)), silent=False), "green")
    assert "stayed green" not in words
    assert "cannot be said" in words
    assert "Not measured, so not counted as green: check 0" in words


def test_a_check_that_fired_before_did_not_stay_green():
    words = section(changed(health=checks(("green", False), ("firing", False))), "green")
    assert "stayed green" not in words
    assert "before the onset already: check 1" in words


def test_a_check_that_newly_fires_is_named_and_nothing_is_called_silent():
    words = section(changed(health=checks(("green", False), ("firing", True)), silent=False), "green")
    assert words == "Infrastructure checks newly firing: check 1; 1 green"


def test_a_supported_cause_is_said_with_its_share_its_lag_its_chain_and_its_driver():
    words = section(SAMPLE, "cause")
    assert words.startswith("Supported by the data: ")
    for fact in ("55% to 85% of the excess, 10 s ahead", "Chain: ", "What drives it: ", "tenant=batch", "p = 0.002"):
        assert fact in words


def test_what_is_left_over_and_who_is_next_are_said():
    said = section(SAMPLE, "cause")
    assert "left unexplained by it: 15% to 45% of the excess" in said.lower()
    assert "the runner-up: preemptions (consistent" in said.lower()
    alone = section(changed(causes=(cause(share_low=1.0, share_high=1.0),)), "cause").lower()
    assert "unexplained" not in alone
    assert "runner-up" not in alone


def test_a_consistent_cause_is_not_called_the_cause():
    words = section(changed(causes=(cause(tier="consistent", reason="it was pinned at its ceiling"),)), "cause")
    assert "Supported" not in words
    assert "but not proven to be its cause" in words
    assert "Because: it was pinned at its ceiling" in words


@pytest.mark.parametrize("causes", [(), (cause(tier="ruled_out"),)])
def test_without_a_cause_that_stands_the_cause_is_unknown(causes):
    incident = changed(causes=causes)
    assert section(incident, "cause").startswith("Unknown: no measured cause explains it")
    assert all(found is None for found, _ in next_steps(incident))


def test_what_was_ruled_out_says_by_which_test():
    assert "191 s before the onset" in section(SAMPLE, "ruled_out")


def test_caveats_are_kept():
    assert all(note[1:] in section(SAMPLE, "sure") for note in SAMPLE.notes)


def test_no_cause_is_claimed_of_a_ruled_out_one():
    words = render(changed(causes=(cause(tier="ruled_out"),), health=()), "text")
    assert "--gpu-memory-utilization" not in words


@pytest.mark.parametrize(
    ("name", "role", "flag"),
    [
        ("kv_cache_usage", "mechanism", "--gpu-memory-utilization"),
        ("preemptions", "mechanism", "--max-num-seqs"),
        ("concurrency_cap", "mechanism", "--max-num-seqs"),
        ("prefix_hit_rate", "mechanism", "--enable-prefix-caching"),
        ("spec_decode_accept_rate", "mechanism", "--speculative-config"),
        ("prompt_tokens", "exogenous", "--max-num-batched-tokens"),
        ("kv_cache deploy", "event", None),
        ("traffic", "exogenous", None),
        ("gpu_sm_clock", "mechanism", None),
        ("gpu_memory_share", "mechanism", "--gpu-memory-utilization"),
        ("gpu_memory_bandwidth", "mechanism", "--max-num-seqs"),
        ("host_cpu", "mechanism", None),
    ],
)
def test_next_steps_fit_the_cause(name, role, flag):
    steps = next_steps(changed(causes=(cause(name=name, role=role),)))
    flags = [flag for _, step in steps for _, flags in step.flags for flag in flags]
    assert flag in flags if flag else not any("memory" in f for f in flags)
    assert {c.name for c, _ in steps if c} == {name}


def test_steps_name_who_sends_the_load_and_not_what_is_hit():
    hit = cause(scope={"replica": "a"})
    advice = next(s for s in tell(changed(causes=(hit, SAMPLE.causes[2]))).sections if s.key == "next").advice
    assert advice[0].do == "Limit requests or tokens in flight for tenant=batch, at the gateway"


def test_who_may_send_the_load_is_only_a_perhaps():
    perhaps = SAMPLE.causes[2].model_copy(update={"tier": "consistent"})
    incident = changed(causes=(cause(), perhaps))
    advice = next(s for s in tell(incident).sections if s.key == "next").advice
    assert "whoever sends most (perhaps tenant=batch)" in advice[0].do
    assert "What may drive it: traffic of tenant=batch" in section(incident, "cause")


def test_a_check_that_went_beyond_its_threshold_and_did_not_fire_says_so():
    check = SAMPLE.health[2].model_copy(update={"worst": 1.0})
    table = next(s for s in tell(changed(health=(check,))).sections if s.key == "green").table
    assert table.rows[0][3] == "100% (did not fire)"


def test_steps_for_a_cause_that_is_not_proven_say_if():
    advice = next(s for s in tell(changed(causes=(cause(tier="consistent"),))).sections if s.key == "next").advice
    assert all(a.do.startswith("If it is ") for a in advice)


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match=r"'pdf'.*'text', 'markdown' or 'html'"):
        render(SAMPLE, "pdf")


def test_a_cause_needs_no_numbers():
    bare = Cause(name="x", role="mechanism", tier="supported", share_low=0, share_high=1, lag_s=0)
    assert "at the same time" in section(changed(causes=(bare,)), "cause")


ENGINES = {"vLLM", "SGLang", "TGI"}
CAN_BE_SUPPORTED = [
    (name, known.role)
    for name, known in {**SERIES, **{ratio.name: ratio for ratio in RATIOS}}.items()
    if known.role in ("mechanism", "exogenous")
] + [("concurrency_cap", "mechanism"), ("host_memory", "mechanism"), ("prompt_tokens", "mechanism")]
CAN_BE_SUPPORTED += [("traffic", "exogenous"), ("held_tokens", "exogenous"), ("prompt_length", "exogenous")]


@pytest.mark.parametrize(("name", "role"), [*CAN_BE_SUPPORTED, ("a_series_of_yours", "mechanism"), ("v42", "event")])
def test_every_cause_that_can_be_supported_has_a_next_step_with_its_trade_off(name, role):
    steps = [step for found, step in next_steps(changed(causes=(cause(name=name, role=role),), memory=None)) if found]
    assert steps
    for step in steps:
        assert {engine for engine, _ in step.flags} <= ENGINES
        assert step.cost or not step.flags


def test_pages_and_takers_have_steps_of_their_own_where_no_cause_stands():
    paging = {"where": {"gpu": "0"}, "utilization": 1.0, "power": (300.0, 200.0)}
    taken = {"who": "train", "where": {"gpu": "0"}, "before": 0.0, "after": 1e9}
    for memory in ({"paging": [paging]}, {"takers": [taken]}):
        steps = next_steps(changed(causes=(), memory=Memory.model_validate(memory)))
        assert any("--gpu-memory-utilization" in flags for _, step in steps for _, flags in step.flags)

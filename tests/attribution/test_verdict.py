"""What measurements amount to, one rule at a time."""

import numpy as np
import pytest

from driftwatch.attribution.causes.candidates import Candidate, families
from driftwatch.attribution.causes.dose import Dose
from driftwatch.attribution.causes.effect import effect_of
from driftwatch.attribution.causes.measure import _aside, _downstream, _within_the_whole
from driftwatch.attribution.causes.screening import Moved, Screened, ran_short, screen
from driftwatch.attribution.causes.shares import Share, family_term, shares, window_of
from driftwatch.attribution.causes.verdict import Case, decided, verdict
from driftwatch.config import Attribution


def case(role="exogenous", *, placebo=0.0, wander=0.0, name="traffic", sure=0.5, p=0.001, **more):
    (family,) = families([Candidate(name, role, np.arange(20.0))], 10, 1.0)
    screened = Screened(family, (Moved(1.0, 2.0, 5.0, placebo),))
    dose = Dose(correlation=0.6, single=p, familywise=p, lag=0, follows=-0.5, readings=40, spread=1.0)
    share = Share(sure, 0.7, 0.9, sure, wander)
    return Case(screened, share, dose, ticks=60, readings=40, pinned=0.0, lag_s=0.0, chain=("traffic", "ttft"), **more)


@pytest.mark.parametrize(("role", "placebo", "tier"), [
    ("exogenous", 0.0, "supported"),
    ("exogenous", 0.05, "consistent"),  # there was as much of it while all was well
    ("mechanism", 0.05, "supported"),
])  # fmt: skip
def test_what_users_did_must_be_without_example(role, placebo, tier):
    assert decided(case(role, placebo=placebo), 0.05)[0] == tier


@pytest.mark.parametrize(("stranger", "tier"), [(False, "supported"), (True, "consistent")])
def test_what_is_not_known_to_act_must_be_surer(stranger, tier):
    assert decided(case("mechanism", p=0.02, stranger=stranger), 0.05)[0] == tier


def test_beside_a_mechanism_that_stands_only_its_driver_is_blamed():
    driver, other = case(drives=("kv_cache_usage", 0.9)), case()
    assert _aside(driver, [driver, other]) is driver
    assert decided(_aside(other, [driver, other]), 0.05)[0] == "consistent"
    assert _aside(other, [other]) is other


def test_beside_a_mechanism_that_nobody_drives_no_traffic_is_blamed():
    mechanism, other = case("mechanism"), case()
    assert decided(_aside(other, [other, mechanism]), 0.05)[0] == "consistent"


@pytest.mark.parametrize(("sure", "tiers"), [(0.4, ["supported", "supported"]), (0.7, ["consistent", "supported"])])
def test_two_mechanisms_explain_no_more_than_all_and_the_one_that_is_known_to_act_stands(sure, tiers):
    effect = effect_of(np.r_[np.zeros(100), np.ones(60)], 100, 5.0, Attribution(), "ttft")
    cases = [case("mechanism", name=name, sure=sure) for name in ("a", "preemptions")]
    assert [decided(c, 0.05)[0] for c in _within_the_whole(effect, cases)] == tiers


@pytest.mark.parametrize(("sure", "tier"), [(0.4, "consistent"), (0.55, "supported")])
def test_users_are_blamed_for_the_larger_part_or_not_at_all(sure, tier):
    assert decided(case(sure=sure), 0.05)[0] == tier


def family(values, name="kv_cache_usage", ceiling=1.0):
    (found,) = families([Candidate(name, "mechanism", values, ceiling=ceiling)], 200, 1.0)
    return found


def test_a_cache_that_ran_short_later_may_have_moved_the_prefix_cache_all_the_same():
    rng, tick = np.random.default_rng(0), np.arange(300)
    short, roomy = (0.2 + 0.02 * rng.normal(size=300) + most * (tick >= 240) for most in (0.75, 0.3))
    screened = [screen(family(values), 200, 5.0, late=220) for values in (short, roomy)]
    assert all("after the onset" in s.out or "headroom" in s.out for s in screened)
    assert [ran_short(s, 200) for s in screened] == [True, False]
    hits = case("mechanism", name="prefix_hit_rate")
    assert decided(_downstream(hits, [hits], [], 0.05), 0.05)[0] == "supported"
    assert decided(_downstream(hits, [hits], [screened[0].family], 0.05), 0.05)[0] == "consistent"


def test_what_is_known_to_act_may_drift_from_the_onset_on_and_what_is_not_must_step():
    values = np.r_[np.zeros(200), np.linspace(0.0, 1.0, 100)] + 0.01 * np.random.default_rng(0).normal(size=300)
    drifting = family(values, "spec_decode_accept_rate", None)
    assert screen(drifting, 200, 5.0, late=210, drifts=True).out == ""
    assert "after the onset" in screen(drifting, 200, 5.0, late=210).out


def test_the_range_that_is_printed_allows_for_what_healthy_times_wander_by():
    plain, wide = (verdict(case(wander=wander), 0.05) for wander in (0.0, 0.2))
    assert (plain.share_low, plain.share_high) == (0.5, 0.9)
    assert (round(wide.share_low, 9), wide.share_high) == (0.3, 1.0)
    assert wide.tier == plain.tier


def test_healthy_times_that_wander_make_it_wider():
    rng, n, onset = np.random.default_rng(0), 300, 200
    level = np.r_[rng.normal(0.2, 0.05, onset), rng.normal(0.8, 0.05, n - onset)]
    (family,) = families([Candidate("use", "mechanism", level)], onset, 1.0)
    found = []
    for slow in (0.0, 0.3):
        excess = level + slow * np.sin(np.arange(n) / 15) + 0.02 * rng.normal(size=n)
        window = window_of(excess - 0.2, onset, 0)
        (share,) = shares([family_term(family, window, [0])], window, onset, rng, [True])
        found.append(share.wander)
    assert found[0] < 0.1 < found[1]

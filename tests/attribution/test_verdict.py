"""What measurements amount to, one rule at a time."""

import numpy as np
import pytest

from driftwatch.attribution.causes.candidates import Candidate, families
from driftwatch.attribution.causes.dose import Dose
from driftwatch.attribution.causes.effect import effect_of
from driftwatch.attribution.causes.measure import _aside, _within_the_whole
from driftwatch.attribution.causes.screening import Moved, Screened
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

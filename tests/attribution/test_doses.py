"""The dose-response that a person sees: bounded points, a monotone ramp, and where it saturates."""

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.attribution.causes.candidates import Candidate
from driftwatch.attribution.doses import _dose, doses_of
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.models import Cause


@pytest.fixture(scope="module")
def incident(bundled):
    return dw.scan(str(bundled)).incidents[0]


def cause(**fields):
    known = {"role": "mechanism", "tier": "supported", "share_low": 0.5, "share_high": 0.9, "lag_s": 0.0}
    return Cause(**(known | {"name": "kv_cache_usage"} | fields))


def made(response, *, signal="ttft", bad="up", harm=1.0, level=None, n=4000, onset=3000):
    rng = np.random.default_rng(3)
    level = np.r_[rng.uniform(0.1, 0.4, onset), rng.uniform(0.3, 1.0, n - onset)] if level is None else level
    excess = response(level) + rng.normal(0, 0.02, n)
    candidate = Candidate("kv_cache_usage", "mechanism", level, "share", bad)
    return _dose(BY_NAME[signal], excess, harm, onset, candidate, cause(), 5.0)


def test_a_real_incident_has_the_dose_of_its_cause(incident):
    dose = incident.doses[0]
    assert (dose.name, dose.unit, dose.signal, dose.excess_unit) == ("kv_cache_usage", "share", "ttft", "times")
    assert len(dose.healthy) <= 100
    assert len(dose.during) <= 100
    assert np.median([y for _, y in dose.during]) > 5 * np.median([y for _, y in dose.healthy])
    heights = [y for _, y in dose.ramp]
    assert heights == sorted(heights)
    assert heights[-1] > 10
    assert dose.saturates is None


def test_doses_are_of_causes_that_are_drawn(incident):
    assert len(incident.doses) <= 2
    assert {dose.name for dose in incident.doses} <= {line.name for line in incident.chart.lines}


def test_what_the_checks_saw_is_drawn_too(incident):
    lines = [line for line in incident.chart.lines if line.role == "health"]
    checks = {check.name: check for check in incident.health}
    assert 0 < len(lines) <= 2
    for line in lines:
        assert checks[line.name].layer == "infrastructure"
        assert len(line.value) == len(incident.chart.time)
        assert max(v for v in line.value if v is not None) <= checks[line.name].worst + 1e-6


def test_a_ramp_that_saturates_says_where():
    dose = made(lambda level: 2.0 * np.clip((level - 0.25) / 0.25, 0, 1))
    assert 0.4 < dose.saturates < 0.75
    assert dose.ramp[-1][1] == pytest.approx(np.exp(2.0), rel=0.15)


def test_a_ramp_that_rises_to_its_end_does_not_saturate():
    assert made(lambda level: 2.0 * np.clip(level - 0.7, 0, None)).saturates is None


def test_a_signal_that_is_better_high_falls_where_its_cause_rises():
    dose = made(lambda level: -np.clip(level - 0.4, 0, None), signal="output_length", harm=-1.0)
    heights = [y for _, y in dose.ramp]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] < 0.8


def test_a_cause_that_is_bad_when_low_is_read_from_high_to_low():
    level = np.r_[np.full(3000, 0.8), np.linspace(0.8, 0.2, 1000)]
    dose = made(lambda level: 0.8 - level, bad="down", level=level)
    levels = [x for x, _ in dose.ramp]
    assert levels == sorted(levels, reverse=True)
    assert dose.ramp[-1][1] > dose.ramp[0][1]


def test_a_share_is_told_as_a_difference():
    dose = made(lambda level: 0.2 * (level > 0.5), signal="error_share")
    assert dose.excess_unit == "share"
    assert max(y for _, y in dose.during) < 0.4


def test_without_a_cause_that_stands_there_is_no_dose():
    causes = (cause(tier="ruled_out"), cause(role="event"))
    level = Candidate("kv_cache_usage", "mechanism", np.linspace(0.0, 1.0, 100))
    nothing = doses_of("ttft", np.zeros(100), 50, 1.0, causes, [level], 5.0)
    assert nothing == ()

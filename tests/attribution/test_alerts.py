"""Alerts of a Prometheus server in an incident: beside the checks, and silent only where none of them newly fired."""

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.simulate import simulate


@pytest.fixture(scope="module")
def recorded():
    return simulate("kv_hog", severity="severe", seed=1, minutes=24)


def scanned(recorded, *alerts):
    """With alerts: name, state, and from how many seconds after the onset on (None: from the beginning)."""
    metrics, begin, end = recorded.metrics, recorded.case.start, recorded.case.end
    onset = recorded.case.course.onset
    keys, at, code = list(metrics.keys), [metrics.at], [metrics.series]
    for name, state, since in alerts:
        labels = (("alertname", name), ("alertstate", state), ("severity", "page"))
        times = np.arange(begin if since is None else onset + since, end, 15.0)
        at.append(times)
        code.append(np.full(len(times), len(keys), np.int32))
        keys.append(SeriesKey("ALERTS", labels, "gauge"))
    whole, number = np.concatenate(at), np.concatenate(code)
    value = np.concatenate([metrics.value, np.ones(len(whole) - len(metrics))])
    order = np.argsort(whole, kind="stable")
    both = Metrics(whole[order], number[order], value[order], tuple(keys))
    (incident,) = dw.scan(recorded.requests, metrics=both, markers=recorded.markers).incidents
    return incident


def test_without_an_alert_it_is_silent_and_the_closest_check_is_named(recorded):
    incident = scanned(recorded)
    assert incident.silent
    assert incident.contrast.felt == incident.findings[0].signal
    closest = next(check for check in incident.health if check.name == incident.contrast.shown)
    rooms = [c.room for c in incident.health if c.layer == "infrastructure" and c.unit and c.room is not None]
    assert closest.room == min(rooms) > 0
    assert "the check closest to firing was" in " ".join(incident.explain().split())


def test_an_alert_that_fires_with_the_onset_is_no_silence(recorded):
    incident = scanned(recorded, ("NodeOnFire", "pending", 20.0), ("NodeOnFire", "firing", 60.0))
    assert not incident.silent
    assert incident.contrast is None
    (check,) = [c for c in incident.health if c.series == "ALERTS"]
    assert (check.name, check.state, check.newly) == ("NodeOnFire", "firing", True)
    assert "newly firing: NodeOnFire" in " ".join(incident.explain().split())


@pytest.mark.parametrize(
    "alert",
    [
        ("NodeOnFire", "firing", None),  # since long before
        ("NodeOnFire", "pending", 60.0),
        ("VllmKVCacheNearFull", "firing", 60.0),  # of the serving layer
        ("DriftwatchIncident", "firing", 60.0),  # ours
        ("Watchdog", "firing", None),
    ],
    ids=str,
)
def test_other_alerts_leave_it_silent(recorded, alert):
    incident = scanned(recorded, alert)
    assert incident.silent
    shown = [c for c in incident.health if c.series == "ALERTS"]
    assert bool(shown) == (alert[0] not in ("DriftwatchIncident", "Watchdog"))
    assert not any(c.newly for c in shown if c.layer == "infrastructure")

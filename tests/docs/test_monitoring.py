"""The dashboard and the alert rules for driftwatch itself: valid, tested, and about metrics that there are."""

import json
import re
import shutil
import subprocess
from importlib import import_module

import pytest

METRICS = {
    *("requests_total", "shed_total", "quarantined_total", "late_total", "duplicates_total", "streams", "evidence"),
    *("threshold", "incident", "incidents_total", "tick_lag_seconds", "queue_length", "checkpoint_timestamp_seconds"),
    *("checkpoint_errors_total", "background_cpu_seconds_total", "outbox_pending", "outbox_dead"),
    *("outbox_delivered_total", "outbox_failed_total", "faults_total", "clock_jumps_total"),
}
RULES = "docs/monitoring/driftwatch.rules.yml"


def promtool(*arguments, root):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs Debian's package prometheus")
    done = subprocess.run([program, *arguments], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def dashboard(root):
    return json.loads((root / "docs" / "monitoring" / "grafana-dashboard.json").read_text())


@pytest.fixture
def queries(dashboard):
    """All PromQL of the dashboard, with its variables filled in."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    known = {"$stream": ".*", "$__rate_interval": "5m", "$__range": "6h"}
    for name, value in known.items():
        found = [query.replace(name, value) for query in found]
    assert not [query for query in found if "$" in query]
    return found


def named(text):
    return {name.removeprefix("driftwatch_") for name in re.findall(r"\bdriftwatch_\w+", text)}


def test_the_rules_are_valid(root):
    assert "11 rules found" in promtool("check", "rules", RULES, root=root)


def test_the_rules_fire_when_they_should_and_only_then(root):
    assert "SUCCESS" in promtool("test", "rules", RULES.replace(".yml", ".test.yml"), root=root)


def test_the_queries_of_the_dashboard_are_valid(queries, root, tmp_path):
    rules = [{"record": f"checked:{n}", "expr": query} for n, query in enumerate(queries)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(queries)} rules found" in promtool("check", "rules", str(tmp_path / "queries.yml"), root=root)


def test_the_dashboard_shows_every_metric_and_no_other(queries):
    assert named(" ".join(queries)) == METRICS


def test_the_rules_are_about_metrics_that_there_are(root):
    expressions = re.findall(r"(?ms)^        expr: (.*?)^        (?:for|labels)", (root / RULES).read_text())
    assert len(expressions) == 11
    assert named(" ".join(expressions)) <= METRICS


def test_panels_do_not_overlap(dashboard):
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_is_up_to_date(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "docs"))
    made = import_module("dashboard").dashboard()
    assert (root / "docs" / "monitoring" / "grafana-dashboard.json").read_text() == made, (
        "run: python docs/dashboard.py"
    )

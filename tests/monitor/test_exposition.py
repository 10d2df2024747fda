"""The page that Prometheus scrapes: names that do not change, values that match, any text as a label."""

import shutil
import subprocess
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

import driftwatch as dw
from driftwatch.monitor.exposition import exposition
from driftwatch.monitor.stats import Stats, StreamStats
from tests.monitor.calls import Clock, tell
from tests.traffic import traffic

FIXED = {
    "driftwatch_requests_total": {"stream"},
    "driftwatch_shed_total": {"reason"},
    "driftwatch_quarantined_total": {"reason"},
    "driftwatch_late_total": set(),
    "driftwatch_duplicates_total": set(),
    "driftwatch_streams": {"state"},
    "driftwatch_evidence": {"stream", "signal"},
    "driftwatch_threshold": set(),
    "driftwatch_incident": {"id", "stream", "kind", "severity", "cause"},
    "driftwatch_incidents_total": {"kind", "severity"},
    "driftwatch_tick_lag_seconds": set(),
    "driftwatch_queue_length": set(),
    "driftwatch_checkpoint_timestamp_seconds": set(),
    "driftwatch_checkpoint_errors_total": set(),
    "driftwatch_background_cpu_seconds_total": set(),
    "driftwatch_outbox_pending": {"sink"},
    "driftwatch_outbox_dead": {"sink"},
    "driftwatch_outbox_delivered_total": {"sink"},
    "driftwatch_outbox_failed_total": {"sink", "reason"},
}
SINK = SimpleNamespace(pending=3, dead=1, delivered=9, failed={"timeout": 2})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    config = {"attribution": {"permutations": 99}, "monitor": {"folder": str(tmp_path_factory.mktemp("state"))}}
    batch = traffic(1, 260, slower=2.5, since=150)
    clock = Clock()
    with dw.Monitor(config, clock=clock) as monitor:
        tell(monitor, batch, every=100, clock=clock)
        monitor.request(model="m", latency=-1.0)
        monitor.request("wrong")
        monitor.flush()
        monitor._work.save_now()
        stats, incidents = monitor.stats(), monitor.incidents()
    return exposition(stats, incidents, {"webhook": SINK})


def samples(page):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_the_names_and_labels_are_those_that_were_promised(page):
    labels = {name: set(dict(pairs)) for name, pairs in samples(page)}
    assert {name: labels.get(name) for name in FIXED} == FIXED


def test_the_values_are_what_happened(page):
    found = samples(page)
    assert found["driftwatch_streams", (("state", "watching"),)] == 1
    assert found["driftwatch_shed_total", (("reason", "wrong arguments"),)] == 1
    assert found["driftwatch_quarantined_total", (("reason", "latency is negative"),)] == 1
    assert found["driftwatch_outbox_failed_total", (("reason", "timeout"), ("sink", "webhook"))] == 2
    (incident,) = [dict(labels) for name, labels in found if name == "driftwatch_incident"]
    assert (incident["stream"], incident["kind"]) == ("model=m", "degradation")
    evidence = found["driftwatch_evidence", (("signal", "ttft"), ("stream", "model=m"))]
    assert evidence > found["driftwatch_threshold", ()] > 8


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's prometheus)")
def test_promtool_has_nothing_to_say(page):
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "new\nline", "日本", "\ud800", "}"])
def test_any_text_may_be_a_label(name):
    stream = StreamStats(name="m", state="learning", progress=0.5, requests=7, effective_ticks=0.0)
    page = exposition(
        Stats(state="learning", threshold=8.0, streams=(stream.model_copy(update={"name": name}),)), [], {}
    )
    told = name.encode("utf-8", "replace").decode()
    assert samples(page)["driftwatch_requests_total", (("stream", told),)] == 7


def test_a_page_does_not_grow_without_end():
    streams = tuple(
        StreamStats(
            name=f"m{k}",
            state="learning",
            progress=0,
            requests=1,
            effective_ticks=0,
            evidence={"ttft": 1.0, "itl": 2.0},
        )
        for k in range(5000)
    )
    page = exposition(Stats(state="learning", threshold=8.0, streams=streams), [], {})
    assert len(samples(page)) < 5000

"""A real Prometheus server with rules of its own: what fires there is a health check here."""

import shutil
import socket
import subprocess
import time

import numpy as np
import pytest

pytest.importorskip("httpx2")

from driftwatch.attribution.checks.alerts import alerts_of
from driftwatch.attribution.checks.health import silent
from driftwatch.config import Config
from driftwatch.events.columns import Metrics
from driftwatch.incidents.staleness import Staleness
from driftwatch.live.prometheus import Api, PrometheusServer
from driftwatch.live.settings import Server
from driftwatch.readers.quarantine import Quarantine
from driftwatch.ticks.series import SeriesStore
from tests.live.servers import site
from tests.live.test_prometheus import PROMETHEUS, ready

CONFIG = """
global: {evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: vllm
    scrape_interval: 1s
    static_configs: [{targets: ["%s"]}]
"""
RULES = """
groups:
  - name: ours
    rules:
      - {alert: QueueTooLong, expr: 'vllm:num_requests_waiting > 5', labels: {severity: page}}
      - {alert: VllmQueueTooLong, expr: 'vllm:num_requests_waiting > 5'}
      - {alert: QueueLongForAnHour, expr: 'vllm:num_requests_waiting > 5', for: 1h}
      - {alert: NeverFires, expr: 'vllm:num_requests_waiting > 1000'}
      - {alert: FiredBefore, expr: 'vector(1)'}
      - {alert: Watchdog, expr: 'vector(1)'}
"""

NOTHING = Metrics(np.empty(0), np.empty(0, np.int32), np.empty(0), ())


def page(waiting):
    return f"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting {waiting}\n".encode()


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """What is read of a server on which alerts begin to fire; ticks of a second, and the tick of the onset."""
    if PROMETHEUS is None or shutil.which("promtool") is None:
        pytest.skip("there is no prometheus on this machine (Debian: apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("alerts")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "rules.yml").write_text(RULES)
    subprocess.run(["promtool", "check", "rules", folder / "rules.yml"], check=True, capture_output=True)
    with site() as target:
        target.body = page(0)
        (folder / "prometheus.yml").write_text(CONFIG % (folder / "rules.yml", target.url.split("/")[2]))
        command = [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with subprocess.Popen(command) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                ready(url)
                wait_for(url, 'ALERTS{alertname="FiredBefore"}')
                yield follow(url, target)
            finally:
                process.terminate()


def wait_for(url, query):
    asking, deadline = Api(Server(url=url)), time.monotonic() + 40
    while time.monotonic() < deadline and not len(asking.instant(query)):
        time.sleep(0.2)
    assert len(asking.instant(query)), query
    asking.close()


def follow(url, target):
    store, staleness = SeriesStore(1.0, 10_000), Staleness(1.0)
    source = PrometheusServer(Server(url=url, select='{job="vllm"}', every_s=1), Config(), Quarantine())
    first = int(time.time())

    def read():
        for batch in source.read(time.time()):
            store.add(batch)
            staleness.add(batch)

    for _ in range(3):
        read()
        time.sleep(1.0)
    onset, target.body = int(time.time()), page(9)
    wait_for(url, 'ALERTS{alertname="QueueTooLong",alertstate="firing"}')
    for _ in range(3):
        read()
        time.sleep(1.0)
    source.close()
    return store, staleness, first, onset, int(time.time())


def test_alerts_are_read_beside_what_is_selected_and_say_when_they_began(followed):
    store, _, first, onset, last = followed
    config = Config().health
    # an alert counts as begun with the onset up to a minute before it: here all is within that minute
    guarded = {check.name: check for check in alerts_of(store, config, first - 120, onset, last)}
    assert set(guarded) == {"QueueTooLong", "VllmQueueTooLong", "QueueLongForAnHour", "FiredBefore"}
    assert (guarded["QueueTooLong"].state, guarded["QueueTooLong"].newly) == ("firing", True)
    assert guarded["QueueTooLong"].source == "your Prometheus server, severity page"
    assert guarded["QueueTooLong"].layer == "infrastructure"
    assert guarded["VllmQueueTooLong"].layer == "serving"
    assert guarded["QueueLongForAnHour"].state == "green"
    assert guarded["QueueLongForAnHour"].source.endswith("pending")
    assert not silent(tuple(guarded.values()))


def test_what_fired_before_is_not_new(followed):
    store, _, _, _, last = followed
    onset = last + 70  # a sample is held for a minute and a half; a minute before the onset counts as begun with it
    (before,) = [c for c in alerts_of(store, Config().health, last - 200, onset, onset + 5) if c.name == "FiredBefore"]
    assert (before.state, before.newly) == ("firing", False)


def test_the_names_decide_on_the_layer_and_on_what_says_nothing(followed):
    store, _, first, onset, last = followed
    health = Config.parse({"health": {"serving_alerts": ["Queue*"], "ignored_alerts": ["Fired*"]}}).health
    found = {check.name: check.layer for check in alerts_of(store, health, first, onset, last)}
    assert found["QueueTooLong"] == "serving"
    assert found["VllmQueueTooLong"] == "infrastructure"
    assert "FiredBefore" not in found
    assert "Watchdog" in found


def test_an_alert_that_is_over_is_no_lost_metric(followed):
    store, staleness, _, _, _ = followed
    assert store.ids("alert")
    assert {name for _, name in staleness.units} >= {"vllm:num_requests_waiting", "up"}
    assert "ALERTS" not in {name for _, name in staleness.units}


def test_alerts_need_not_be_asked_for(followed, monkeypatch):
    asked = []
    source = PrometheusServer(Server(url="http://127.0.0.1:9", alerts=False), Config(), Quarantine())
    monkeypatch.setattr(source._api, "instant", lambda query: asked.append(query) or NOTHING)
    list(source.read(10.0))
    source.close()
    assert asked == ['{__name__!=""}[30s]']

"""A real Prometheus server, which scrapes a page of ours."""

import shutil
import socket
import subprocess
import time

import numpy as np
import pytest

pytest.importorskip("httpx2")

import httpx2

from driftwatch.config import Config
from driftwatch.live.prometheus import Api, PrometheusServer
from driftwatch.live.settings import Server
from driftwatch.live.source import SourceError
from driftwatch.readers.quarantine import Quarantine
from tests.live.servers import site

PROMETHEUS = shutil.which("prometheus")
CONFIG = """
scrape_configs:
  - job_name: vllm
    scrape_interval: 1s
    static_configs: [{targets: ["%s"]}]
"""


def page(n: int) -> bytes:
    return f"""# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{{engine="0"}} {n}
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0"}} {n % 5}
not_asked_for 1
""".encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Prometheus that has scraped for some seconds, while a counter grew and began anew once."""
    if PROMETHEUS is None:
        pytest.skip("there is no prometheus on this machine (Debian: apt-get install prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with site() as target:
        target.body = page(100)
        (folder / "prometheus.yml").write_text(CONFIG % target.url.split("/")[2])
        command = [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with subprocess.Popen(command) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                ready(url)
                target.asked.clear()
                for n in (100, 110, 120, 5, 15):
                    target.body = page(n)
                    seen = len(target.asked)
                    while len(target.asked) < seen + 2:
                        time.sleep(0.05)
                time.sleep(0.5)
                yield url
            finally:
                process.terminate()


def ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/-/ready").status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("prometheus does not start")


def api(url: str, **more) -> Api:
    return Api(Server(url=url, **more), Config(), Quarantine())


def test_raw_samples_have_the_times_of_their_scrapes(server):
    asking = api(server, labels={"cluster": "a"})
    found = asking.instant('{__name__=~"vllm:.*|not_asked_for"}[5m]')
    asking.close()
    assert {key.name for key in found.keys} == {"vllm:num_preemptions_total", "vllm:num_requests_running"}
    assert all({"job": "vllm", "engine": "0", "cluster": "a"}.items() <= dict(key.labels).items() for key in found.keys)
    code = [key.name for key in found.keys].index("vllm:num_preemptions_total")
    values, at = found.value[found.series == code], found.at[found.series == code]
    assert list(dict.fromkeys(values.tolist())) == [100.0, 110.0, 120.0, 5.0, 15.0]
    assert np.all(np.diff(at) > 0.5)  # a second apart, but for a busy machine
    assert np.all(np.diff(found.at) >= 0)


def test_an_expression_at_one_time_and_over_a_range(server):
    now, asking = time.time(), api(server)
    at_once = asking.instant("vllm:num_preemptions_total", now)
    assert (at_once.value.tolist(), at_once.at.tolist()) == ([15.0], [pytest.approx(now, abs=0.01)])
    steps = asking.range("vllm:num_preemptions_total", now - 4, now, 1.0)
    asking.close()
    assert 2 <= len(steps) <= 5
    assert steps.value[-1] == 15.0
    assert np.diff(steps.at) % 1.0 == pytest.approx(0.0, abs=1e-6)


def test_a_server_is_followed_and_each_sample_is_given_once(server):
    source = PrometheusServer(Server(url=server, select='{job="vllm"}', every_s=1), Config(), Quarantine())
    parts = []
    for _ in range(4):
        parts += source.read(time.time())
        time.sleep(0.7)
    now = time.time()
    (rest,) = source.read(now)
    source.close()
    rows = [(p.keys[k], at) for p in [*parts, rest] for k, at in zip(p.series, p.at.tolist(), strict=True)]
    assert len(rows) == len(set(rows)) > 6
    assert {"up", "vllm:num_preemptions_total", "vllm:num_requests_running"} <= {key.name for key, _ in rows}
    asking = api(server)
    everything = asking.instant('vllm:num_preemptions_total{job="vllm"}[1m]', now)
    asking.close()
    first = min(at for key, at in rows if key.name == "vllm:num_preemptions_total")
    given = [at for key, at in rows if key.name == "vllm:num_preemptions_total"]
    assert given == everything.at[everything.at >= first].tolist()


def test_a_refused_query_is_said(server):
    asking = api(server)
    with pytest.raises(SourceError, match="status 400"):
        asking.instant("{", time.time())
    asking.close()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"status":"success"}', b'{"status":"success","data":{"result":[{}]}}'])
def test_what_is_no_answer_of_the_api_is_said(body):
    with site() as other:
        other.body = body
        asking = api(other.url)
        with pytest.raises(SourceError, match="not an answer of the Prometheus API"):
            asking.instant("up", 1.0)
        asking.close()

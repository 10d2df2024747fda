"""Kubernetes by the names of kube-state-metrics: a page of its own kind becomes health checks."""

import pytest

pytest.importorskip("httpx2")

from driftwatch.config import Config
from driftwatch.live.pages import Page
from driftwatch.live.settings import Target
from driftwatch.readers.quarantine import Quarantine
from driftwatch.ticks.series import SeriesStore
from tests.live.servers import site

POD = 'namespace="serving",pod="vllm-0",uid="1"'
PAGE = """# HELP kube_pod_container_status_restarts_total [STABLE] The number of container restarts per container.
# TYPE kube_pod_container_status_restarts_total counter
kube_pod_container_status_restarts_total{POD,container="vllm"} RESTARTS
# TYPE kube_pod_status_ready gauge
kube_pod_status_ready{POD,condition="true"} READY
kube_pod_status_ready{POD,condition="false"} UNREADY
kube_pod_status_ready{POD,condition="unknown"} 0
# TYPE kube_pod_container_status_last_terminated_reason gauge
kube_pod_container_status_last_terminated_reason{POD,container="vllm",reason="OOMKilled"} 1
kube_pod_container_status_last_terminated_reason{POD,container="vllm",reason="Error"} 0
# TYPE kube_node_info gauge
kube_node_info{node="a"} 1
"""


def page_of(restarts: int, ready: int) -> bytes:
    filled = PAGE.replace("POD", POD).replace("UNREADY", str(1 - ready)).replace("READY", str(ready))
    return filled.replace("RESTARTS", str(restarts)).encode()


def test_restarts_readiness_and_kills():
    store = SeriesStore(5.0, 100)
    with site() as target:
        page = Page(Target(url=target.url), Config(), Quarantine())
        for at, restarts, ready in ((0.0, 3, 1), (5.0, 3, 1), (10.0, 4, 0), (15.0, 4, 1)):
            target.body = page_of(restarts, ready)
            for batch in page.read(at):
                store.add(batch)
        page.close()
    assert {series.name for series in store.ids()} >= {"pod_restarts", "pod_ready", "pod_oom", "target_up"}
    assert store.combined("pod_ready", 0, 3).tolist() == [1.0, 1.0, 0.0, 1.0]
    assert store.combined("pod_restarts", 0, 3).tolist()[:3] == [0.0, 0.2, 0.0]
    assert store.combined("pod_oom", 0, 3).max() == 1.0
    assert all(dict(series.labels)["pod"] == "vllm-0" for series in store.ids("pod_ready"))

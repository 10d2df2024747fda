"""Pages of metrics: as Prometheus would read them, from servers that behave, and that do not."""

import gzip
import time

import numpy as np
import pytest

pytest.importorskip("prometheus_client")
pytest.importorskip("httpx2")

from prometheus_client import parser

from driftwatch.config import Config
from driftwatch.events.catalogue import resolve
from driftwatch.live.fetch import Fetcher
from driftwatch.live.pages import Page
from driftwatch.live.poller import Poller
from driftwatch.live.settings import Target
from driftwatch.live.source import SourceError
from driftwatch.readers.quarantine import Quarantine
from driftwatch.ticks.series import SeriesStore
from tests.live.servers import babbles, breaks_off, drips, floods, listening, silent, site

PAGE = b"""# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a b"} 3.0
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{engine="0"} 7.0
vllm:not_asked_for{x="y"} 1
"""


@pytest.fixture
def page():
    with site() as served:
        served.body = PAGE
        yield served


def page_of(url: str, config=None, quarantine=None, **more) -> Page:
    return Page(Target(url=url, **more), config or Config(), quarantine or Quarantine())


def samples(batches) -> dict:
    return {
        (batch.keys[k].name, batch.keys[k].labels): (at, value)
        for batch in batches
        for at, k, value in zip(batch.at.tolist(), batch.series.tolist(), batch.value.tolist(), strict=True)
    }


def test_what_a_page_says(page):
    source = page_of(page.url, labels={"replica": "a"})
    found = samples(source.read(10.0))
    source.close()
    where = (("instance", page.url.split("/")[2]), ("replica", "a"))
    assert found == {
        ("vllm:num_requests_running", (("engine", "0"), where[0], ("model_name", "a b"), where[1])): (10.0, 3.0),
        ("vllm:num_preemptions_total", (("engine", "0"), *where)): (10.0, 7.0),
        ("up", where): (10.0, 1.0),
    }


def test_the_real_page_of_a_vllm_reads_as_prometheus_client_reads_it(page, root):
    page.body = gzip.decompress((root / "tests/live/vllm-page.prom.gz").read_bytes())
    quarantine = Quarantine()
    source = page_of(page.url, quarantine=quarantine)
    found = {
        (name, tuple(pair for pair in labels if pair[0] != "instance")): value
        for (name, labels), (_, value) in samples(source.read(10.0)).items()
        if name != "up"
    }
    source.close()
    theirs = {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in parser.text_string_to_metric_families(page.body.decode())
        for s in family.samples
        if resolve(s.name) is not None
    }
    assert found == theirs
    assert len(found) > 100
    assert quarantine.total == 0


def test_samples_keep_times_of_their_own(page):
    page.body = b"vllm:num_requests_running 3 1767225600000\nvllm:num_requests_waiting 4\n"
    source = page_of(page.url)
    found = samples(source.read(1767225605.0))
    source.close()
    assert [at for at, _ in found.values()] == [1767225600.0, 1767225605.0, 1767225605.0]


def test_the_restart_of_a_target_makes_no_jump(page):
    """A counter that begins again from nothing grew by what it shows."""
    source, store = page_of(page.url), SeriesStore(5.0, 100)
    for at, value in enumerate([100, 110, 120, 5, 15]):
        page.body = f"vllm:num_preemptions_total {value}\n".encode()
        for batch in source.read(at * 5.0):
            store.add(batch)
    source.close()
    (series,) = store.ids("preemptions")
    assert store.values(series, 0, 3).tolist() == [2.0, 2.0, 1.0, 2.0]


def test_broken_lines_are_counted_and_the_others_kept(page):
    page.body = b'vllm:num_requests_running 3\nvllm:x{a="b 1\n\xff\xfe\nvllm:num_requests_waiting many\n'
    quarantine = Quarantine()
    source = page_of(page.url, quarantine=quarantine)
    assert {name for name, _ in samples(source.read(10.0))} == {"vllm:num_requests_running", "up"}
    source.close()
    assert quarantine.total == 3


def test_a_token_goes_with_it(page, monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "s3cret")
    source = page_of(page.url, token="env:PAGE_TOKEN")
    source.read(1.0)
    source.close()
    assert page.asked[0][1]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(Target(url=page.url, token="s3cret"))


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (silent, "no answer within 0.3 s"),
        (drips, "no end within 0.3 s"),
        (floods, "longer than 1000000 bytes"),
        (babbles, "RemoteProtocolError"),
        (breaks_off, "RemoteProtocolError|ReadError"),
    ],
)
def test_a_server_that_misbehaves_costs_a_bounded_time(talk, why):
    with listening(talk) as url:
        fetcher, began = Fetcher(0.3, limit=1_000_000), time.monotonic()
        with pytest.raises(SourceError, match=why):
            fetcher.get(url, "*/*")
        fetcher.close()
        assert time.monotonic() - began < 5


def test_errors_are_said(page):
    source = page_of(page.url)
    page.status = 503
    with pytest.raises(SourceError, match="status 503"):
        source.read(1.0)
    source.close()
    gone = page_of("http://127.0.0.1:9/metrics")
    with pytest.raises(SourceError, match="ConnectError"):
        gone.read(1.0)
    gone.close()
    (batch,) = gone.failed(2.0)
    assert (batch.keys[0].name, batch.value.tolist(), batch.at.tolist()) == ("up", [0.0], [2.0])


def test_a_target_that_hangs_is_counted_and_reported_and_holds_up_no_other(page):
    taken = []
    with listening(silent) as stuck, site() as other:
        other.body = PAGE
        targets = [(stuck, 0.8), (page.url, 0.5), (other.url, 0.5)]
        sources = [page_of(url, every_s=0.5, timeout_s=timeout) for url, timeout in targets]
        poller = Poller(sources, lambda source, batch: taken.append(batch))
        until = time.monotonic() + 4
        while time.monotonic() < until:
            time.sleep(min(poller.turn(), 0.05))
        health = poller.health()
        poller.stop()
    assert "no answer within 0.8 s" in health[stuck].last_error
    assert health[stuck].failures >= 2
    assert health[stuck].overdue >= 2
    assert health[stuck].reads == 0
    for url in (page.url, other.url):
        assert health[url].reads >= 6
        assert (health[url].failures, health[url].overdue, health[url].last_error) == (0, 0, "")
    up = [
        (b.keys[0].labels[0][1], v)
        for b in taken
        for k, v in zip(b.series, b.value, strict=True)
        if b.keys[k].name == "up"
    ]
    assert {value for instance, value in up if instance in stuck} == {0.0}
    assert {value for instance, value in up if instance in page.url} == {1.0}


def test_a_source_that_raises_anything_is_a_failure_of_its_own(page):
    class Wrong:
        name, every_s = "wrong", 0.5

        def read(self, at):
            raise ZeroDivisionError("no")

        def failed(self, at):
            return []

        def close(self):
            pass

    source, taken = page_of(page.url, every_s=0.5), []
    poller = Poller([Wrong(), source], lambda source, batch: taken.append(batch))
    for _ in range(30):
        time.sleep(min(poller.turn(), 0.05))
    poller.stop()
    assert poller.health()["wrong"].last_error == "ZeroDivisionError: no"
    assert poller.health()["wrong"].failures >= 2
    assert poller.health()[page.url].reads >= 2
    assert np.all(np.isfinite(taken[0].at))

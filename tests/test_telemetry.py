"""Telemetry incidents through the engine: one story for what is lost together, and none at the end of a log."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.events.columns import Coded, Metrics, Requests, SeriesKey, concat_requests
from driftwatch.incidents.models import Incident
from tests.sameness import assert_same, facts
from tests.traffic import START, traffic

GPU = ("DCGM_FI_DEV_GPU_TEMP", "vllm:kv_cache_usage_perc", "up")


def tick_of(at):
    return (at.timestamp() - START) / 5


def without(requests: Requests, *gaps: tuple[int, int]) -> Requests:
    tick = (requests.at - START) / 5.0
    return requests.take(~np.any([(tick >= a) & (tick < b) for a, b in gaps], axis=0))


def ordered(*parts: Requests) -> Requests:
    both = concat_requests(parts)
    return both.take(np.argsort(both.at, kind="stable"))


def named(requests: Requests, model: str) -> Requests:
    labels = {**requests.labels, "model": Coded.constant(model, len(requests))}
    return replace(requests, labels=labels, id_hash=requests.id_hash + np.uint64(10**6))


def hanging(requests: Requests, first: int, last: int, share: float) -> Requests:
    tick, u = (requests.at - START) / 5.0, np.random.default_rng(0).random(len(requests))
    lost = (tick >= first) & (tick < last) & (u < share)
    return ordered(replace(requests, completed_at=np.where(lost, np.nan, requests.completed_at)))


def scraped(until: float, stops: dict[str, tuple[float, float]] | None = None) -> Metrics:
    parts = []
    keys = tuple(SeriesKey(name, (("instance", source),)) for source in ("g1", "g2") for name in GPU)
    for k, key in enumerate(keys):
        a, b = (stops or {}).get(key.labels[0][1], (9e9, 9e9))
        at = np.arange(0.0, until, 15.0)
        at = at[(at < a) | (at >= b)]
        parts.append((START + at, np.full(len(at), k), np.full(len(at), 0.5)))
    at, series, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Metrics(at, series.astype(np.int32), value, keys)


def run(batches: list[Requests], metrics: Metrics | None = None) -> list[Incident]:
    engine = Engine(Config(), keep_series=True)
    if metrics is not None:
        engine.add(metrics)
    found: list[Incident] = []
    for batch in batches:
        engine.add(batch)
        found += engine.advance()
    return found + engine.finish()


@pytest.fixture(scope="module")
def healthy() -> Requests:
    return traffic(1, ticks=400)


def test_traffic_that_vanishes_is_one_story_from_open_to_resolved(healthy: Requests) -> None:
    found = run([without(healthy, (200, 260))])
    assert {i.kind for i in found} == {"telemetry"}
    assert len({i.id for i in found}) == 1
    assert [i.seq for i in found] == list(range(1, len(found) + 1))
    first, last = found[0], found[-1]
    assert (tick_of(first.onset), first.transition, last.transition) == (200, "open", "resolve")
    assert 15 <= (first.opened_at - first.onset).total_seconds() <= 60
    loss = last.losses[0]
    assert (loss.what, loss.source, tick_of(loss.until)) == ("traffic", "model=m", 260)
    assert loss.missing == pytest.approx(60 * 20, rel=0.1)
    assert last.causes == ()
    assert last.segments == ()
    assert first.severity == "warning"


def test_the_end_of_the_log_is_no_vanished_traffic(healthy: Requests) -> None:
    assert run([healthy]) == []
    assert run([healthy], scraped(2000.0)) == []


def test_metrics_that_go_on_show_that_it_vanished(healthy: Requests) -> None:
    found = run([without(healthy, (300, 999))], scraped(2000.0))
    assert {(i.kind, tick_of(i.onset), i.status) for i in found} == {("telemetry", 300, "open")}
    assert found[-1].silent
    assert "metrics kept coming" in found[-1].notes


def test_told_the_time_it_is_noticed_while_nothing_comes(healthy: Requests) -> None:
    engine = Engine(Config())
    engine.add(healthy)
    assert engine.advance() == []
    end = START + 2000.0
    found = [i for s in range(5, 125, 5) for i in engine.advance(now=end + s)]
    assert [(i.kind, i.transition) for i in found[:1]] == [("telemetry", "open")]
    assert (found[0].opened_at.timestamp() - end) <= 60


def test_one_of_two_streams(healthy: Requests) -> None:
    found = run([ordered(healthy, without(named(traffic(9, ticks=400), "other"), (200, 999)))])
    assert {(i.kind, i.stream, tick_of(i.onset)) for i in found} == {("telemetry", "model=other", 200)}
    assert "other streams went on" in found[-1].notes


def test_when_all_stops_and_comes_back_it_is_one_story(healthy: Requests) -> None:
    both = without(ordered(healthy, named(traffic(9, ticks=400), "other")), (200, 260))
    gap = (1000.0, 1300.0)
    found = run([both], scraped(2000.0, {"g1": gap, "g2": gap}))
    assert len({i.id for i in found}) == 1
    assert found[-1].transition == "resolve"
    assert sorted((loss.what, loss.source) for loss in found[-1].losses) == [
        ("series", "instance=g1"),
        ("series", "instance=g2"),
        ("traffic", "model=m"),
        ("traffic", "model=other"),
    ]
    assert any("whatever collects" in note for note in found[-1].notes)


def test_requests_that_hang(healthy: Requests) -> None:
    found = run([hanging(healthy, 200, 260, 0.3)])
    assert {i.kind for i in found} == {"telemetry"}
    assert len({i.id for i in found}) == 1
    assert abs(tick_of(found[0].onset) - 200) <= 2
    assert found[-1].transition == "resolve"
    assert (found[0].losses[0].what, found[0].findings) == ("requests", ())
    assert run([hanging(healthy, 0, 999, 0.02)]) == []


def test_an_exporter_that_goes_stale_while_requests_go_on(healthy: Requests) -> None:
    found = run([healthy], scraped(2000.0, {"g1": (1000.0, 1500.0)}))
    assert {(i.kind, i.stream) for i in found} == {("telemetry", "instance=g1")}
    assert [i.transition for i in found][:: len(found) - 1] == ["open", "resolve"]
    assert (found[0].losses[0].missing, found[0].losses[0].of) == (3, 3)
    assert 0 <= tick_of(found[0].onset) - 200 <= 3


@pytest.mark.parametrize("rate", [0.5, 4.0, 20.0])
def test_a_change_of_rate_that_is_no_silence_is_still_workload(rate: float) -> None:
    slow = traffic(3, ticks=400, rate=rate)
    thinned = slow.take(((slow.at - START) / 5.0 < 200) | (np.arange(len(slow)) % 10 == 0))
    assert {i.kind for i in run([thinned])} <= {"workload"}


@pytest.mark.parametrize("seed", range(2))
def test_hours_of_healthy_sparse_traffic_are_quiet(seed: int) -> None:
    assert [i for i in run([traffic(seed, ticks=8_000, rate=1 / 60)]) if i.kind == "telemetry"] == []


def test_what_was_lost_is_not_learnt(healthy: Requests) -> None:
    longer = traffic(1, ticks=700)
    found = run([without(longer, (200, 400))])
    assert {i.kind for i in found} == {"telemetry"}
    assert found[-1].transition == "resolve"


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_it_is_told_in_words(healthy: Requests, format: str) -> None:
    if format == "html":
        pytest.importorskip("altair")
    gone = run([without(healthy, (200, 260))])[-1].explain(format)
    hung = run([hanging(healthy, 200, 260, 0.3)])[0].explain(format)
    stale = run([healthy], scraped(2000.0, {"g1": (1000.0, 1500.0)}))[0].explain(format)
    assert "No requests on model=m for 5 min" in gone
    assert "requests on model=m began and have not ended" in hung
    assert "all 3 metrics of instance=g1 went stale" in stale.replace("All", "all")
    assert not any("the excess" in text for text in (gone, hung, stale))


@given(cuts=st.lists(st.integers(0, 9000), max_size=12))
@settings(max_examples=8, deadline=None)
def test_any_cut_into_batches_gives_the_same_transitions(cuts: list[int]) -> None:
    whole, metrics = _CASE
    edges = [0, *sorted(c for c in cuts if c < len(whole)), len(whole)]
    parts = [whole.take(np.arange(a, b)) for a, b in pairwise(edges) if b > a]
    assert_same(facts(run(parts, metrics)), facts(_EXPECTED))


_CASE = (
    ordered(
        hanging(without(traffic(1, ticks=330), (150, 190)), 215, 245, 0.5),
        without(named(traffic(9, ticks=330), "other"), (152, 170), (260, 290)),
    ),
    scraped(1650.0, {"g1": (600.0, 900.0)}),
)
_EXPECTED = run([_CASE[0]], _CASE[1])


def test_that_case_has_all_of_it() -> None:
    assert {loss.what for i in _EXPECTED for loss in i.losses} == {"traffic", "requests", "series"}

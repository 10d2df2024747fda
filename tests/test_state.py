"""Saved, taken up and gone on is the same as never having stopped, at any moment and whatever is going on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.engine.commands import accept, acknowledge
from driftwatch.engine.state import engine_state, pass_over, take_engine_state
from driftwatch.errors import InputError, StateError
from driftwatch.events.columns import Coded, Markers, Metrics, Requests, SeriesKey, concat_requests
from driftwatch.state import pack, unpack
from driftwatch.ticks import TickBuilder
from tests.sameness import assert_same, facts
from tests.traffic import START, traffic

TICKS = 420
QUICK = Config.parse({"attribution": {"permutations": 99}})
_KEYS = (
    SeriesKey("vllm:kv_cache_usage_perc", (("pod", "a"),)),
    SeriesKey("vllm:num_preemptions_total", (("pod", "a"),)),
)


def eventful() -> Requests:
    """Two streams: one slows down and recovers, falls silent and comes back; requests begin and some never end."""
    slower = np.ones(TICKS)
    slower[150:220] = 2.5
    first = traffic(1, TICKS, slower=slower, since=0)
    tick = np.floor((first.at - START) / 5.0)
    first = first.take((tick < 290) | (tick >= 330))
    second = traffic(2, TICKS, rate=2.0)
    second = replace(
        second,
        id_hash=second.id_hash + np.uint64(10**9),
        labels={**second.labels, "model": Coded.constant("other", len(second))},
    )
    begun = replace(second, completed_at=np.full(len(second), np.nan), id_hash=second.id_hash)
    return concat_requests([first, second, begun.take(begun.started_at > START)])


def measured() -> Metrics:
    at = START + 15.0 * np.arange(TICKS // 3)
    some = np.ones(len(at), np.bool_)
    some[100:115] = False  # the exporter is away for a while
    usage = np.clip(0.3 + 0.6 * ((at >= START + 5 * 150) & (at < START + 5 * 220)), 0, 1)
    count = np.cumsum(usage > 0.8) * 3.0
    return Metrics(
        np.concatenate([at[some]] * 2),
        np.repeat(np.array([0, 1], np.int32), some.sum()),
        np.concatenate([usage[some], count[some]]),
        _KEYS,
    )


MARKERS = Markers(
    np.array([START + 700.0, START + 1500.0]),
    ("deploy", "maintenance"),
    ("v2", "planned"),
    ({"replica": "a"}, {"until": str(START + 1600.0), "model": "m"}),
)


def played(cuts: frozenset[int], step: int = 7, *, commands: bool = True):
    """All transitions; after each of these steps the engine is saved, and another one goes on."""
    requests, metrics = eventful(), measured()
    requests = requests.take(np.argsort(requests.at, kind="stable"))
    engine, found = Engine(QUICK), []
    engine.add(MARKERS)
    edges = START + 5.0 * np.arange(0, TICKS + step, step)
    for k, (low, high) in enumerate(pairwise(edges)):
        engine.add(requests.take((requests.at >= low) & (requests.at < high)))
        rows = (metrics.at >= low) & (metrics.at < high)
        engine.add(Metrics(metrics.at[rows], metrics.series[rows], metrics.value[rows], metrics.keys))
        found += engine.advance(now=high)
        alive = [life.id for life in engine.lives if life.resolved is None]
        if commands and k == 30 and alive:
            found.append(acknowledge(engine, alive[0]))
        if k in cuts:
            engine = gone_on(engine)
    return found + engine.finish()


def gone_on(engine: Engine) -> Engine:
    tree, data = pack(engine_state(engine))
    other = Engine(QUICK)
    take_engine_state(other, unpack(json.loads(json.dumps(tree, allow_nan=False)), data))
    return other


@pytest.fixture(scope="module")
def expected():
    found = played(frozenset())
    kinds = {(i.kind, i.transition) for i in found}
    assert {("degradation", "open"), ("degradation", "acknowledge"), ("degradation", "resolve")} <= kinds
    assert ("telemetry", "open") in kinds
    return found


@given(cuts=st.frozensets(st.integers(0, TICKS // 7 - 1), min_size=1, max_size=5))
@settings(max_examples=8, deadline=None)
def test_to_stop_and_go_on_changes_nothing(expected, cuts):
    assert_same(facts(played(cuts)), facts(expected))


def test_to_stop_and_go_on_after_every_step_changes_nothing(expected):
    assert_same(facts(played(frozenset(range(TICKS)))), facts(expected))


def test_all_that_changes_is_saved():
    """Attributes of living objects that are not saved follow from the configuration; a new one must be one or other."""
    builder = TickBuilder(QUICK)
    assert vars(builder).keys() - set(TickBuilder.STATE) == {"width", "lateness"}
    engine = Engine(QUICK)
    fixed = {"config", "rest", "keep_series", "baseline", "threshold", "history_ticks", "_rules"}
    assert vars(engine).keys() - engine_state(engine).keys() == fixed
    telemetry = engine.telemetry
    assert vars(telemetry).keys() - set(telemetry.STATE) == {"threshold", "width", "together"}
    staleness = telemetry.staleness
    assert vars(staleness).keys() - set(staleness.STATE) == {"width_s", "of_key"}
    series = engine.series
    assert vars(series).keys() - series.keep().keys() == {
        "width_s",
        "history_ticks",
        "lateness_s",
        "names",
        "max_series",
    }
    watch = engine.fresh("m")
    slots = set(type(watch).__slots__) - watch.keep().keys()
    assert slots == {"title", "config", "panels", "tests", "margins"}
    assert set(type(watch.baseline).__slots__) - watch.baseline.keep().keys() == {
        "settings", "margins", "complete", "sender"
    }  # fmt: skip


def test_what_lacks_something_is_refused():
    state = engine_state(Engine(QUICK))
    del state["telemetry"]
    with pytest.raises(StateError, match="lacks 'telemetry'"):
        take_engine_state(Engine(QUICK), state)


def test_a_command_to_an_incident_that_is_not_open_says_which_are():
    with pytest.raises(InputError, match="no incident 'dw-1' is open; open are: none"):
        acknowledge(Engine(QUICK), "dw-1")


def opened_incident() -> tuple[Engine, str, Requests]:
    batch = traffic(1, 400, slower=2.5, since=150)
    engine = Engine(QUICK)
    engine.add(batch.take(batch.at < START + 5 * 220))
    found = engine.advance()
    assert found[0].transition == "open"
    return engine, found[0].id, batch.take(batch.at >= START + 5 * 220)


def test_what_is_accepted_is_the_new_normal():
    engine, id, rest = opened_incident()
    said = accept(engine, id)
    assert (said.status, said.transition, said.resolved_at is not None) == ("resolved", "accept", True)
    assert not next(iter(engine.watches.values())).baseline.ready
    engine.add(rest)
    assert engine.advance() + engine.finish() == []
    assert next(iter(engine.watches.values())).baseline.ready


def test_what_is_acknowledged_goes_on_being_watched():
    engine, id, rest = opened_incident()
    assert acknowledge(engine, id).status == "acknowledged"
    engine.add(rest)
    later = engine.finish()
    assert {(i.id, i.status, i.transition) for i in later} == {(id, "acknowledged", "update")}


def maintained(first: int, last: int, where: dict[str, str], **slower) -> list:
    config = {
        "attribution": {"permutations": 99},
        "incidents": {
            "maintenance": [
                {
                    "start": datetime.fromtimestamp(START + 5 * first, UTC),
                    "end": datetime.fromtimestamp(START + 5 * last, UTC),
                    "where": where,
                }
            ]
        },
    }
    engine = Engine(Config.parse(config))
    engine.add(traffic(1, 420, **slower))
    return engine.finish()


def test_what_begins_and_ends_under_maintenance_is_not_told():
    slower = np.ones(420)
    slower[150:200] = 2.5
    assert maintained(140, 300, {}, slower=slower, since=0) == []
    assert maintained(140, 300, {"model": "m"}, slower=slower, since=0) == []
    assert maintained(140, 300, {"model": "other"}, slower=slower, since=0)[0].transition == "open"


def test_what_outlasts_the_maintenance_is_told_after_it():
    found = maintained(140, 240, {}, slower=2.5, since=150)
    assert found[0].transition == "open"
    assert 0 <= found[0].updated_at.timestamp() - (START + 5 * 240) <= 150
    assert abs(found[0].onset.timestamp() - (START + 5 * 150)) <= 30


def test_a_pause_in_which_nobody_listened_is_no_silence():
    batch = traffic(1, 500)
    batch = batch.take((batch.at < START + 5 * 200) | (batch.at >= START + 5 * 400))
    engine = Engine(QUICK)
    engine.add(batch.take(batch.at < START + 5 * 200))
    assert engine.advance(now=START + 5 * 200) == []
    engine = gone_on(engine)
    pass_over(engine, START + 5 * 400)
    engine.add(batch.take(batch.at >= START + 5 * 400))
    assert engine.advance(now=START + 5 * 500) == []
    silence = engine.telemetry.silences["model=m"]
    assert silence.longest < 10
    known = pack(engine_state(engine))
    pass_over(engine, START)
    assert pack(engine_state(engine)) == known

"""The engine as a whole: the same incidents however events arrive, and a life from open to resolved."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.errors import StateError
from driftwatch.events.columns import Coded, Markers, Metrics, Requests, SeriesKey, concat_requests
from driftwatch.incidents.models import Incident
from tests.sameness import assert_same, facts
from tests.traffic import START, some_slower, traffic

SLOW_SINCE = 140
LATENESS = Config().ticks.lateness_s
QUICK = Config.parse({"attribution": {"permutations": 99}})


@pytest.fixture(scope="module")
def slow() -> Requests:
    """A stream that becomes three times slower."""
    return traffic(1, ticks=190, slower=3.0, since=SLOW_SINCE)


def run(
    batches: list[Requests], config: Config | None = None, before: list[Metrics | Markers] | None = None
) -> list[Incident]:
    engine = Engine(config or QUICK, keep_series=True)
    for extra in before or []:
        engine.add(extra)
    found: list[Incident] = []
    for batch in batches:
        engine.add(batch)
        found += engine.advance()
    return found + engine.finish()


@pytest.fixture(scope="module")
def expected(slow: Requests) -> list[Incident]:
    """The transitions of the stream read at once."""
    return run([slow])


def test_the_change_is_one_incident_with_its_onset(expected: list[Incident]) -> None:
    assert len({i.id for i in expected}) == 1
    first = expected[0]
    assert first.kind == "degradation"
    changed_at = START + 5.0 * SLOW_SINCE
    assert abs(first.onset.timestamp() - changed_at) <= 15
    assert 0 < first.opened_at.timestamp() - changed_at <= 120
    moved = {f.signal: f.change for f in expected[-1].findings}
    assert moved["ttft"] == pytest.approx(2.0, abs=0.5)
    assert [i.seq for i in expected] == list(range(1, len(expected) + 1))


@given(cuts=st.lists(st.integers(0, 3800), max_size=12))
@settings(max_examples=10, deadline=None)
def test_any_cut_into_batches_gives_the_same_transitions(
    slow: Requests, expected: list[Incident], cuts: list[int]
) -> None:
    edges = [0, *sorted(c for c in cuts if c < len(slow)), len(slow)]
    parts = [slow.take(np.arange(a, b)) for a, b in pairwise(edges) if b > a]
    assert_same(facts(run(parts)), facts(expected))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_order_within_the_lateness_window_does_not_matter(slow: Requests, expected: list[Incident], seed: int) -> None:
    rng = np.random.default_rng(seed)
    delayed = np.argsort(slow.at + rng.random(len(slow)) * (LATENESS - 0.1), kind="stable")
    pieces = np.array_split(delayed, 37)
    assert_same(facts(run([slow.take(piece) for piece in pieces])), facts(expected))


def test_one_request_at_a_time_is_the_same(slow: Requests) -> None:
    head = slow.take(slow.at < START + 5.0 * (SLOW_SINCE + 14))
    one_by_one = [head.take(np.array([k])) for k in range(len(head))]
    assert_same(facts(run(one_by_one)), facts(run([head])))


def test_repeated_rows_change_nothing(slow: Requests, expected: list[Incident]) -> None:
    again = concat_requests([slow, slow.take(np.arange(0, len(slow), 7))])
    assert_same(facts(run([again.take(np.argsort(again.at, kind="stable"))])), facts(expected))


def test_healthy_streams_are_quiet() -> None:
    for seed in range(6):
        assert run([traffic(100 + seed, ticks=400)]) == []


def test_longer_prompts_are_workload_not_degradation() -> None:
    kinds = {i.kind for i in run([traffic(3, ticks=300, longer_prompts=2.5, since=SLOW_SINCE)])}
    assert kinds == {"workload"}


def test_faster_is_an_improvement() -> None:
    kinds = [i.kind for i in run([traffic(4, slower=0.3, since=SLOW_SINCE)])]
    assert set(kinds) == {"improvement"}


def test_more_answers_cut_at_the_limit_is_a_degradation() -> None:
    found = run([traffic(5, cut_share_since=0.6, since=SLOW_SINCE)])
    assert {i.kind for i in found} == {"degradation"}
    assert found[-1].findings[0].signal == "length_share"


@pytest.mark.parametrize("seed", [5, 6])
def test_one_answer_in_ten_that_takes_forever_is_found_in_the_tail(seed: int) -> None:
    found = run([some_slower(traffic(seed, ticks=320), 0.1, 4.0, SLOW_SINCE)])
    assert [i.kind for i in found[:1]] == ["degradation"]
    assert len({i.id for i in found}) == 1
    assert {f.signal for i in found for f in i.findings} <= {"ttft_tail", "itl_tail", "latency_tail"}
    last = found[-1].findings[0]
    assert (last.direction, last.unit) == ("up", "share")
    assert last.before == pytest.approx(0.05, abs=0.025)
    assert last.after == pytest.approx(0.145, abs=0.03)
    assert 0 < found[0].opened_at.timestamp() - (START + 5.0 * SLOW_SINCE) <= 600
    assert abs(found[-1].onset.timestamp() - (START + 5.0 * SLOW_SINCE)) <= 150


def test_a_slow_tail_of_one_tenant_is_laid_at_its_door() -> None:
    found = run([some_slower(traffic(8, ticks=320, rate=8.0), 0.5, 4.0, SLOW_SINCE, tenant=1)])
    lead = found[-1].findings[0].signal
    assert lead.endswith("_tail")
    worst = found[-1].segments[0]
    assert (worst.where, worst.signal) == ({"tenant": "batch"}, lead.removesuffix("_tail"))
    assert worst.after > 1.3 * worst.before


@pytest.mark.parametrize(("share", "factor", "severity"), [(0.15, 4.0, "warning"), (0.35, 6.0, "critical")])
def test_a_fifth_of_slow_answers_is_critical(share: float, factor: float, severity: str) -> None:
    last = run([some_slower(traffic(9, ticks=320), share, factor, SLOW_SINCE)])[-1]
    assert last.findings[0].signal.endswith("_tail") == (severity == "warning")
    assert last.severity == severity


def test_where_everything_got_slower_the_tail_does_not_lead() -> None:
    for seed, rate, slower in ((30, 4.0, 1.6), (31, 1.0, 3.0), (32, 0.1, 6.0), (33, 0.02, 6.0)):
        slow = traffic(
            seed, ticks=200 if rate > 0.5 else 3000, rate=rate, slower=slower, since=150 if rate > 0.5 else 2000
        )
        found = [i for i in run([slow]) if i.kind == "degradation"]
        assert found
        assert found[-1].findings[0].signal in ("ttft", "itl", "latency")


@pytest.mark.parametrize("rate", [0.0167, 0.1, 1.0])
def test_healthy_heavy_tails_are_quiet_for_many_hours(rate: float) -> None:
    for seed in range(2):
        assert run([traffic(200 + seed, ticks=round(min(8640, 30_000 / rate / 5)), rate=rate)]) == []


def test_an_engines_coarse_buckets_without_tokens_are_quiet() -> None:
    for seed in range(3):
        requests = traffic(210 + seed, ticks=2000)
        coarse = {name: 2.0 ** np.rint(np.log2(getattr(requests, name))) for name in ("ttft", "itl", "latency")}
        unknown = np.full(len(requests), np.nan)
        assert run([replace(requests, prompt_tokens=unknown, output_tokens=unknown, **coarse)]) == []


def test_a_young_reference_of_a_few_requests_a_tick_does_not_page() -> None:
    for seed in range(12):
        assert run([traffic(220 + seed, ticks=400, rate=0.42)]) == []


@pytest.mark.parametrize(("span_s", "seen"), [(120.0, True), (86_400.0, False)])
def test_what_creeps_in_is_seen_on_the_slow_time_scale_alone(span_s: float, seen: bool) -> None:
    """+60% over hours: a test that goes on learning forgives it; spans against what was first learnt do not."""
    learning = {"max_ticks": 500, "span_s": span_s, "anchor_spans": 48}
    rise = np.exp(np.log(1.6) * np.clip((np.arange(6000) - 1500) / 4000, 0, 1))
    found = run([traffic(1, ticks=6000, rate=1.0, slower=rise, since=0)], QUICK.parse({"learning": learning}))
    assert bool(found) == seen
    if seen:
        assert len({i.id for i in found}) == 1
        first = found[0]
        assert first.kind == "degradation"
        assert 0.1 < first.findings[0].change < 0.4
        assert first.onset.timestamp() > START + 5.0 * 1500
        assert first.opened_at.timestamp() < START + 5.0 * 4500
        assert found[-1].transition != "resolve"


def test_a_healthy_stream_is_quiet_on_the_slow_time_scale_too() -> None:
    learning = {"span_s": 60.0, "anchor_spans": 60}
    assert run([traffic(2, ticks=9000, rate=1.0)], QUICK.parse({"learning": learning})) == []


def test_it_resolves_when_the_trouble_is_over() -> None:
    bad, good = traffic(6, ticks=220, slower=3.0, since=SLOW_SINCE), traffic(7, ticks=520)
    after = good.take(good.at >= START + 5.0 * 220)
    found = run([concat_requests([bad, after])])
    assert (found[-1].status, found[-1].transition) == ("resolved", "resolve")
    assert len({i.id for i in found}) == 1
    assert found[-1].resolved_at is not None
    assert 60 <= found[-1].resolved_at.timestamp() - (START + 5.0 * 220) <= 400


def test_two_streams_do_not_touch_each_other() -> None:
    sick, well = traffic(8, slower=3.0, since=SLOW_SINCE), traffic(9)
    other = Coded.constant("other", len(well))
    well = replace(well, labels={**well.labels, "model": other}, id_hash=well.id_hash + np.uint64(10**6))
    both = concat_requests([sick, well])
    found = run([both.take(np.argsort(both.at, kind="stable"))])
    alone = run([sick])
    assert {f.stream for i in found for f in i.findings} == {"model=m"}
    assert [i.opened_at for i in found[:1]] == [i.opened_at for i in alone[:1]]
    assert found[0].id == alone[0].id


def test_a_gap_of_days_is_passed_over() -> None:
    early, late = traffic(10, ticks=120), traffic(11, ticks=120)
    days = 5 * 86_400.0
    later = replace(late, started_at=late.started_at + days, completed_at=late.completed_at + days)
    assert [i.kind for i in run([concat_requests([early, later])]) if i.kind == "degradation"] == []


def test_a_mechanism_that_moves_with_the_trouble_is_named_and_a_marker_far_away_is_not() -> None:
    rng = np.random.default_rng(0)
    swings = np.convolve(rng.normal(0, 0.12, 244), np.ones(5) / 2.2, "valid")
    use = np.clip(np.where(np.arange(240) >= SLOW_SINCE, 0.82 + swings, 0.4 + 0.2 * swings), 0.0, 1.0)
    slow = traffic(1, slower=np.exp(5.0 * np.maximum(use - 0.6, 0.0)), since=SLOW_SINCE)
    key = (SeriesKey("vllm:kv_cache_usage_perc", (("pod", "a"),)), SeriesKey("up", (("pod", "a"),)))
    at = START + np.arange(0.0, 1200.0, 5.0)
    values = np.concatenate([use, np.ones(240)])
    metrics = Metrics(np.tile(at, 2), np.repeat([0, 1], 240).astype(np.int32), values, key)
    markers = Markers(np.array([START + 300.0]), ("config",), ("log level",), ({},))
    last = run([slow], Config(), before=[metrics, markers])[-1]
    blamed = [c for c in last.causes if c.tier != "ruled_out"]
    assert [(c.name, c.tier) for c in blamed[:1]] == [("kv_cache_usage", "supported")]
    assert all(c.name != "log level" for c in blamed)
    assert last.silent


def test_without_metrics_nothing_is_blamed(expected: list[Incident]) -> None:
    last = expected[-1]
    assert [c for c in last.causes if c.role == "mechanism"] == []
    assert not any(c.tier == "supported" for c in last.causes)
    assert any("memory pressure can be neither blamed nor ruled out" in note for note in last.notes)
    assert {c.state for c in last.health if c.series != "error_share"} == {"absent"}


def test_a_baseline_learnt_elsewhere_judges_from_the_first_tick() -> None:
    engine = Engine(Config())
    engine.add(traffic(20, ticks=300))
    engine.advance()
    engine.finish()
    watching = Engine(Config(), baseline=engine.learnt())
    watching.add(traffic(21, ticks=60, slower=3.0, since=10))
    found = watching.advance() + watching.finish()
    assert [i.kind for i in found[:1]] == ["degradation"]
    assert abs(found[0].onset.timestamp() - (START + 50.0)) <= 15


def test_a_baseline_that_was_learnt_without_tails_is_refused_with_what_to_do() -> None:
    engine = Engine(Config())
    engine.add(traffic(20, ticks=120))
    engine.finish()
    streams = {t: {k: v for k, v in a.items() if "apart" not in k} for t, a in engine.learnt().streams.items()}
    watching = Engine(Config(), baseline=Baseline(streams))
    watching.add(traffic(21, ticks=60))
    with pytest.raises(StateError, match=r"lacks 'apart': learn it anew with 'driftwatch fit'"):
        watching.advance()


@pytest.mark.parametrize("pause", [1000.0, 3605.0, 3700.0, 9000.0, 86_400.0])
def test_a_pause_is_the_same_however_it_is_read(pause: float) -> None:
    early, late = traffic(12, ticks=90), traffic(13, ticks=120, slower=3.0, since=20)
    at = START + 450.0 + pause - START
    later = replace(
        late,
        started_at=late.started_at + at,
        completed_at=late.completed_at + at,
        id_hash=late.id_hash + np.uint64(10**6),
    )
    both = concat_requests([early, later])
    edges = np.unique(np.linspace(0, len(both), 90).astype(int))
    pieces = [both.take(np.arange(a, b)) for a, b in pairwise(edges)]
    whole = run([both])
    assert "degradation" in {i.kind for i in whole}
    assert_same(facts(run(pieces)), facts(whole))


def test_more_streams_than_allowed_are_judged_together() -> None:
    many = replace(traffic(14), labels={"model": Coded.of([f"m{k % 7}" for k in range(len(traffic(14)))])})
    engine = Engine(Config.parse({"streams": {"max_streams": 3}}))
    engine.add(many)
    engine.finish()
    assert sorted(w.title for w in engine.watches.values()) == ["model=m0", "model=m1", "model=m2", "other"]
    assert sum(w.requests for w in engine.watches.values()) == len(many)


@pytest.mark.parametrize(("learnt", "young"), [(140, True), (900, False)])
def test_an_incident_says_that_its_baseline_is_young(learnt: int, young: bool) -> None:
    stream = traffic(1, ticks=learnt + 40, slower=3.0, since=learnt)
    told = [note for note in run([stream])[-1].notes if "the baseline is young: it is worth" in note]
    assert len(told) == young
    assert all(note.endswith("the promise about false alarms holds from 100") for note in told)


def test_a_log_that_ends_before_enough_is_learnt_is_learnt_all_the_same_by_fit() -> None:
    engine = Engine(Config.parse({"learning": {"min_effective": 1000.0}}))
    engine.add(traffic(1, ticks=200))
    engine.advance()
    engine.finish()
    watch = next(iter(engine.watches.values()))
    assert not watch.baseline.ready
    assert engine.learnt().streams.keys() == {"model=m"}
    assert any("learning.min_effective is 1000" in note for note in watch.baseline.notes)

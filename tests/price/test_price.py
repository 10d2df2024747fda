"""The price of the budget: noise to try detectors on, the runs, and what is told of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.errors import ConfigError
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents import log_threshold
from driftwatch.incidents.budget import TESTS_OF_A_STREAM
from driftwatch.price import Price, delays
from driftwatch.price.account import PRICED
from driftwatch.price.noise import BETWEEN, BLOCK, BY_REQUEST, MOST, SHARES, Drawn, Shown, Typical
from driftwatch.price.runs import Trial
from tests.traffic import START, traffic

QUICK = {"attribution": {"permutations": 99}}


def rng(seed=0):
    return np.random.default_rng(seed)


def by_signal(price, stream=0):
    return {s.signal: s for s in price.streams[stream].signals}


def told(price, signal):
    """By change, the delay; infinite if it is too long."""
    found = {d.change: d for d in by_signal(price)[signal].delays}
    return {
        c: d.delay_s if d.delay_s is not None else math.inf for c, d in found.items() if d.outcome != "within_margin"
    }


@pytest.fixture(scope="module")
def learnt():
    """What 20 minutes of a busy stream showed."""
    engine = Engine(Config.parse(QUICK))
    engine.add(traffic(50, ticks=240))
    engine.finish()
    return engine.learnt()


@pytest.fixture(scope="module")
def typical():
    return delays(rate=2.0, runs=15)


def test_blocks_of_what_was_shown_keep_their_order():
    drawn = Shown(np.arange(500.0), 1.0).draw(240, 7, rng())
    assert drawn.value.shape == drawn.total.shape == (240, 7)
    steps = np.diff(drawn.value, axis=0)
    inside = np.arange(239) % BLOCK != BLOCK - 1
    assert (steps[inside] == 1).all()
    assert (steps[~inside] != 1).mean() > 0.9
    assert drawn.value.min() >= 0
    assert drawn.value.max() <= 499
    assert len(drawn.learnt) == 7


def test_of_a_long_log_the_newest_ticks_are_learnt_and_all_are_drawn():
    shown = Shown(np.arange(10_000.0), 1.0)
    drawn = shown.draw(2400, 5, rng())
    assert shown.ticks == 10_000
    assert drawn.learnt[0].tolist() == list(range(10_000 - MOST, 10_000))
    assert drawn.value.min() < 1000
    values = rng().normal(0.0, 0.2, 10_000)
    priced = by_signal(delays(baseline=Baseline({"s": {"detector.ttft": values}}), runs=3))["ttft"]
    assert priced.learnt_ticks == 10_000
    assert priced.effective_ticks == pytest.approx(10_000, rel=0.2)


def test_what_was_shown_may_be_shorter_than_a_block():
    drawn = Shown(np.array([[1.0, 4.0], [0.0, 3.0]]), 1.0).draw(5, 2, rng())
    assert drawn.value[:, 0].tolist() == [1, 0, 1, 0, 1]
    assert drawn.total[:, 0].tolist() == [4, 3, 4, 3, 4]


@pytest.mark.parametrize("requests", [0.3, 5.0, 80.0])
@pytest.mark.parametrize("signal", PRICED, ids=lambda s: s.name)
def test_typical_noise_is_what_is_said(signal, requests):
    noise = Typical(signal, requests)
    drawn = noise.draw(4000, 4, rng())
    value, total = drawn.value, drawn.total
    if signal.shape == "rate":
        assert total.mean() == pytest.approx(requests, rel=0.05)
        assert noise.presence == 1.0
        return
    assert total.min() >= 1
    if signal.by_tick:
        assert set(total.ravel()) == {1.0}
    else:
        assert total.mean() * noise.presence == pytest.approx(requests, rel=0.03)
    if signal.shape == "share":
        assert drawn.share == pytest.approx(SHARES[signal.name], rel=0.3, abs=0.0012)
        assert (value <= total).all()
        return
    within = BY_REQUEST[signal.shape] ** 2 * (1.0 / total).mean()
    between = (BETWEEN * (0.5 if signal.shape == "fraction" else 1.0)) ** 2
    assert value.var() == pytest.approx(within + between, rel=0.05)
    together = (value[1:] * value[:-1]).mean() / value.var()
    assert together == pytest.approx(0.5 * between / (within + between), abs=0.05)


def test_the_more_traffic_the_less_noise_but_never_less_than_between_ticks():
    spread = [Typical(BY_NAME["ttft"], n).draw(3000, 2, rng()).value.std() for n in (0.5, 5, 50, 5000)]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] == pytest.approx(BETWEEN, rel=0.1)


@given(
    share=st.floats(0, 0.9),
    change=st.floats(0.001, 1.0),
    requests=st.floats(0.1, 50),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_a_share_rises_by_what_was_asked_and_not_beyond_one(share, change, requests, seed):
    total = 1.0 + rng(seed).poisson(requests, (3000, 2))
    drawn = Drawn([], rng(seed).binomial(total.astype(int), share).astype(float), total)
    moved = drawn.moved(BY_NAME["error_share"], change, 1000, rng(seed))
    assert (moved[:1000] == drawn.value[:1000]).all()
    assert (moved >= drawn.value).all()
    assert (moved <= total).all()
    after = moved[1000:].sum() / total[1000:].sum()
    before = drawn.value[1000:].sum() / total[1000:].sum()
    assert after == pytest.approx(min(1.0, before + change), abs=0.03)


def test_ratios_rise_in_log_units_and_rates_in_requests():
    drawn = Drawn([], np.log(np.array([[4.5], [4.5], [0.5]])), np.ones((3, 1)))
    assert np.exp(drawn.moved(BY_NAME["latency"], 1.0, 1, rng())).ravel().tolist() == pytest.approx([4.5, 9.0, 1.0])
    assert np.exp(drawn.moved(BY_NAME["traffic"], 1.0, 1, rng())).ravel().tolist() == pytest.approx([4.5, 8.5, 0.5])


def test_every_signal_is_told_and_its_margin_decides_what_is_shown_only(typical):
    found = by_signal(typical)
    assert found.keys() == {s.name for s in PRICED}
    for name, priced in found.items():
        small = [d.change for d in priced.delays if d.outcome == "within_margin"]
        assert small == [d.change for d in priced.delays if d.change <= priced.margin]
        assert priced.margin == getattr(Config().margins, name)
        assert all(d.delay_s is None for d in priced.delays if d.outcome != "noticed")
        assert all(d.delay_s is not None for d in priced.delays if d.outcome == "noticed")


def test_a_larger_change_is_noticed_no_later(typical):
    for name in (s.name for s in PRICED):
        times = list(told(typical, name).values())
        assert times == sorted(times, reverse=True)
    assert told(typical, "ttft")[2.0] <= 110  # a change must have lasted 90 s, and a tick is final 10 s after its end


def test_more_traffic_is_noticed_no_later(typical):
    sparse, busy = delays(rate=0.1, runs=15), delays(rate=20.0, runs=15)
    for name in (s.name for s in PRICED if not s.by_tick):
        for change, time in told(busy, name).items():
            assert time <= told(typical, name)[change] + 10 <= told(sparse, name)[change] + 20


def test_without_a_margin_the_smallest_change_is_noticed():
    price = delays({"margins": {"ttft": 0.0}}, rate=20.0, runs=15)
    assert told(price, "ttft")[0.1] < 1800
    assert 0.1 not in told(price, "latency")


def test_the_lateness_window_and_the_width_of_a_tick_are_in_it():
    late = delays({"ticks": {"lateness_s": 100.0}}, rate=2.0, runs=9)
    early = delays({"ticks": {"lateness_s": 0.0}}, rate=2.0, runs=9)
    for name in ("ttft", "length_share", "traffic"):
        for change, time in told(early, name).items():
            assert told(late, name)[change] == pytest.approx(time + 100.0)
    assert min(told(early, "ttft").values()) >= 5.0
    assert min(told(delays({"ticks": {"width_s": 60.0}}, rate=2.0, runs=9), "ttft").values()) >= 70.0


def test_a_looser_budget_is_sooner(typical):
    loose = delays({"budget": {"false_incidents": 1000.0}}, rate=2.0, runs=15)
    assert loose.one_in_ticks == pytest.approx(typical.one_in_ticks / 1000)
    assert sum(told(loose, "ttft").values()) < sum(told(typical, "ttft").values())
    assert told(loose, "ttft")[0.25] < told(typical, "ttft")[0.25]


def test_the_rule_is_the_one_that_is_used(typical):
    ticks = typical.per_days * 86_400 / typical.tick_s / typical.false_incidents
    assert ticks * typical.max_streams * typical.tests == pytest.approx(math.exp(log_threshold(Config())))
    words = " ".join(str(typical).split())
    assert "1 false incident in 30 days" in words
    assert f"16 streams x {TESTS_OF_A_STREAM} tests" in words
    assert f"{ticks * typical.max_streams * typical.tests:,.0f} ticks of 5 s" in words
    assert f"natural logarithm {log_threshold(Config()):.1f}" in words
    assert "typical noise is assumed" in words
    assert "2 false incidents in 7 days" in delays({"budget": {"false_incidents": 2, "per_days": 7}}, runs=3).rule()[0]


def test_a_share_cannot_rise_beyond_one():
    full = np.stack([np.full(100, 9.0), np.full(100, 10.0)], axis=1)
    price = delays(baseline=Baseline({"s": {"detector.length_share": full}}), runs=3)
    outcomes = {d.change: d.outcome for d in by_signal(price)["length_share"].delays}
    assert outcomes[0.02] == "within_margin"
    assert outcomes[0.05] != "impossible"
    assert outcomes[0.25] == outcomes[0.5] == "impossible"
    assert price.streams[0].requests_per_s is None
    assert " -\n" in str(price)


def test_json_comes_back_the_same(typical, tmp_path):
    typical.to_json(tmp_path / "price.json")
    assert Price.model_validate_json((tmp_path / "price.json").read_text()) == typical


def test_the_same_question_has_the_same_answer(typical):
    assert delays(rate=2.0, runs=15) == typical


def test_a_wrong_configuration_is_refused():
    with pytest.raises(ConfigError, match="budgets"):
        delays({"budgets": {}})


def test_what_a_stream_showed_is_what_is_told(learnt):
    price = delays(QUICK, learnt, runs=15)
    stream = price.streams[0]
    assert (stream.name, stream.assumed) == ("model=m", False)
    assert stream.requests_per_s == pytest.approx(4.0, rel=0.05)
    assert {s.learnt_ticks for s in stream.signals} == {239}  # the first is left out: few requests take longer
    words = " ".join(str(price).split())
    assert "On model=m at 4/s" in words
    assert "typical noise" not in words
    worth = min(s.effective_ticks for s in stream.signals if BY_NAME[s.signal].shape == "duration")
    assert f"are worth {worth:.0f} independent ones" in words
    assert ("more" in words.partition("promise about false alarms")[2].partition("model=m: a rise")[0]) == (worth < 100)


def test_sparse_traffic_counts_the_ticks_between():
    every = {"detector.ttft": rng(1).normal(0, 0.2, 400), "detector.traffic": np.full(400, math.log(1.5))}
    fourth = every | {"detector.traffic": np.full(1600, math.log(1.5))}
    at_once = {"incidents": {"lasting_s": 0}}
    dense, sparse = (delays(at_once, Baseline({"s": arrays}), runs=15) for arrays in (every, fourth))
    for change in (1.0, 2.0):
        ticks = (told(dense, "ttft")[change] - 10.0) / 5.0
        assert told(sparse, "ttft")[change] == pytest.approx(10.0 + 20.0 * ticks)
    after = [by_signal(p)["ttft"].promised_after_s for p in (dense, sparse)]
    assert after[1] == pytest.approx(4 * after[0])


@pytest.mark.parametrize("slower", [1.4, 2.0])
def test_the_engine_takes_as_long_as_it_was_told(learnt, slower):
    """The first of three durations alarms; each alone takes what is told."""
    times = []
    for seed in range(7):
        engine = Engine(Config.parse(QUICK), baseline=learnt)
        engine.add(traffic(60 + seed, ticks=400, slower=slower, since=100))
        engine.advance()
        engine.finish()
        opened = [life.opened for life in engine.lives if life.kind == "degradation"]
        times.append(min(opened, default=math.inf) - START / 5.0 - 100 + 1)
    trials = [_ticks(name, learnt, slower - 1.0) for name in ("ttft", "itl", "latency")]
    assert 0.6 * min(trials) <= np.median(times) <= 1.3 * max(trials)


def _ticks(name, learnt, change):
    shown = Shown(learnt.streams["model=m"][f"detector.{name}"], 1.0)
    return Trial(BY_NAME[name], shown, Config(), 31).median_delay(change)


def test_judging_begins_when_it_was_told():
    rate, config = 0.4, Config.parse(QUICK)
    engine = Engine(config)
    stream = traffic(70, ticks=400, rate=rate)
    engine.add(stream)
    engine.advance()
    engine.finish()
    watch = next(iter(engine.watches.values()))
    first = int(stream.at.min() // 5.0)
    test = watch.tests["traffic"]
    judged = test.detector.memory.judged(test.column, engine.next_tick)
    began = int(judged["tick"][0]) - first
    promised = (delays(config, rate=rate, runs=3).streams[0].judged_after_s - config.ticks.lateness_s) / 5.0
    assert abs(began - promised) <= 48

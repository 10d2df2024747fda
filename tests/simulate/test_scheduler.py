"""The fast engine does what a plain one does, and keeps its books."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.events.columns import Coded
from driftwatch.simulate.columns import ABORT, LENGTH, STOP, Outcomes, Traffic
from driftwatch.simulate.deployments import standard, tight
from driftwatch.simulate.pace import Pace
from driftwatch.simulate.scheduler import Replica
from driftwatch.simulate.service import serve
from driftwatch.simulate.settings import Settings, Timing
from driftwatch.simulate.workload import draw
from tests.simulate.naive import serve_naively

TIMING = Timing(3e-3, 2e-4, 1e-3, 5e-5, 1e-6, 1e-7)
PLENTY = Settings(TIMING, kv_blocks=100_000, prefix_caching=False)
NEVER = 1 << 40
START, END = 10.0, 1e4

few = settings(max_examples=60)
seeds = st.integers(0, 2**32 - 1)


def traffic_of(at, prompt, output, **other):
    n = len(at)
    zero = np.zeros(n, np.int64)
    columns = {
        "at": np.asarray(at, np.float64),
        "prompt_tokens": np.asarray(prompt, np.int64),
        "output_tokens": np.asarray(output, np.int64),
        "max_tokens": zero + NEVER,
        "cancel_after": zero + NEVER,
        "session": np.arange(n),
        "history_tokens": zero,
        "shared_tokens": zero,
        "prompt": zero - 1,
        "luck": np.ones(n),
    }
    labels = dict.fromkeys(("tenant", "route", "adapter", "model"), Coded.constant("x", n))
    return Traffic(**(columns | other), labels=labels)


def drawn(seed, rate=100.0):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    at = START + np.cumsum(rng.exponential(1 / rate, n))
    return traffic_of(at, rng.integers(1, 60, n), rng.integers(1, 50, n))


def cramped(seed):
    """An engine with few blocks, few places and small chunks."""
    rng = np.random.default_rng([seed, 1])
    return Settings(
        TIMING,
        kv_blocks=int(rng.integers(10, 90)),
        block_tokens=int(rng.integers(1, 9)),
        max_num_seqs=int(rng.integers(1, 9)),
        max_num_batched_tokens=int(rng.integers(10, 80)),
        prefix_caching=False,
        timeout_s=1e9,
    )


def run(traffic, plan, end=END, noise=0.0, seed=0):
    plan = [(START, plan)] if isinstance(plan, Settings) else plan
    return Replica(traffic, plan, Pace(np.random.default_rng(seed), START, end - START, noise), end).run()


def same(a, b):
    for field in fields(a):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


@given(seeds)
@settings(max_examples=300)
def test_the_fast_engine_is_the_plain_one(seed):
    traffic, engine = drawn(seed), cramped(seed)
    outcomes, steps = run(traffic, engine)
    naive, blocks = serve_naively(traffic, engine, START, END)
    np.testing.assert_array_equal(outcomes.generated, [s.done for s in naive])
    np.testing.assert_array_equal(outcomes.preemptions, [s.preemptions for s in naive])
    for ours, theirs in ((outcomes.first_token_at, "first"), (outcomes.completed_at, "completed")):
        times = np.array([getattr(s, theirs) for s in naive])
        np.testing.assert_allclose(ours, np.where(np.isinf(times), np.nan, times), rtol=0, atol=1e-9)
    busy = steps.iterations > 0
    first = (np.cumsum(steps.iterations) - steps.iterations)[busy].astype(int)  # iteration of each stretch
    assert steps.iterations.sum() == len(blocks)
    np.testing.assert_array_equal(steps.blocks[busy], np.array(blocks)[first])


@given(seeds)
@few
def test_what_runs_at_the_end_stays_unfinished(seed):
    traffic, engine, end = drawn(seed), cramped(seed), START + 0.2
    outcomes, steps = run(traffic, engine, end)
    naive, _ = serve_naively(traffic, engine, START, end)
    np.testing.assert_array_equal(outcomes.generated, [s.done for s in naive])
    np.testing.assert_array_equal(np.isnan(outcomes.completed_at), [np.isinf(s.completed) for s in naive])
    assert steps.start[-1] < end


@given(seeds)
@few
def test_blocks_never_exceed_the_cache(seed):
    engine = cramped(seed)
    _, steps = run(drawn(seed), engine)
    assert (steps.blocks <= engine.kv_blocks).all()
    assert (steps.blocks_after <= engine.kv_blocks).all()
    assert steps.blocks.min() >= 0


@given(seeds)
@few
def test_an_engine_that_has_served_all_holds_nothing(seed):
    _, steps = run(drawn(seed), cramped(seed))
    assert steps.iterations[-1] == 0  # idle until the end
    assert steps.blocks[-1] == 0


@given(seeds, st.floats(0.0, 0.1))
@few
def test_time_goes_on_without_gaps(seed, noise):
    outcomes, steps = run(drawn(seed), cramped(seed), noise=noise, seed=seed)
    assert steps.start[0] == START
    assert (steps.duration > 0).all()
    np.testing.assert_allclose(steps.start[1:], steps.start[:-1] + steps.duration[:-1], rtol=0, atol=1e-9)
    served = ~np.isnan(outcomes.first_token_at)
    assert (outcomes.scheduled_at[served] < outcomes.first_token_at[served]).all()
    assert (outcomes.first_token_at[served] <= outcomes.completed_at[served]).all()


@given(seeds)
@few
def test_no_token_is_lost(seed):
    for end in (START + 0.3, END):
        outcomes, steps = run(drawn(seed), cramped(seed), end)
        assert steps.generated.sum() == outcomes.generated.sum()


@given(seeds)
@few
def test_prompts_are_computed_once_and_again_after_a_preemption(seed):
    traffic = drawn(seed)
    outcomes, steps = run(traffic, PLENTY)
    assert steps.prefilled.sum() == traffic.prompt_tokens.sum()
    outcomes, steps = run(traffic, cramped(seed))
    served = ~np.isnan(outcomes.first_token_at)
    again = steps.prefilled.sum() - traffic.prompt_tokens[served].sum()
    assert again > 0 if outcomes.preemptions[served].any() else again == 0


@given(seeds)
@few
def test_first_come_first_served(seed):
    outcomes, _ = run(drawn(seed), cramped(seed))
    scheduled = outcomes.scheduled_at[~np.isnan(outcomes.scheduled_at)]
    assert (np.diff(scheduled) >= 0).all()


def test_preemption_takes_the_latest():
    engine = Settings(TIMING, kv_blocks=12, block_tokens=4, prefix_caching=False)
    outcomes, _ = run(traffic_of([11.0, 11.1, 11.2], [12, 12, 12], [30, 30, 30]), engine)
    assert outcomes.preemptions[0] == 0
    assert outcomes.preemptions[2] > 0
    assert (np.diff(outcomes.completed_at) > 0).all()


@pytest.mark.parametrize(("prompt", "output"), [(1, 1), (16, 1), (17, 40), (5000, 3)])
def test_alone_a_request_takes_its_iterations(prompt, output):
    outcomes, steps = run(traffic_of([12.0], [prompt], [output]), PLENTY)
    chunks = [min(PLENTY.max_num_batched_tokens, prompt - k) for k in range(0, prompt, PLENTY.max_num_batched_tokens)]
    prefill = sum(
        TIMING.overhead_s
        + TIMING.sequence_s
        + max(TIMING.weights_s, TIMING.token_s * c)
        + TIMING.pair_s * c * (k + c / 2)
        for c, k in zip(chunks, range(0, prompt, PLENTY.max_num_batched_tokens), strict=True)
    )
    each = TIMING.overhead_s + TIMING.sequence_s + max(TIMING.weights_s, TIMING.token_s)
    decode = sum(each + TIMING.kv_token_s * (prompt + k) for k in range(output - 1))
    assert outcomes.first_token_at[0] == pytest.approx(12.0 + prefill, abs=1e-9)
    assert outcomes.completed_at[0] == pytest.approx(12.0 + prefill + decode, abs=1e-9)
    assert steps.iterations.sum() == len(chunks) + output - 1


@given(seeds)
@few
def test_a_change_that_changes_nothing_changes_nothing(seed):
    traffic, engine = drawn(seed), cramped(seed)
    once, _ = run(traffic, engine)
    at = START + np.random.default_rng([seed, 2]).exponential(0.2)
    twice, _ = run(traffic, [(START, engine), (at, engine)])
    for field in fields(Outcomes):
        np.testing.assert_allclose(getattr(once, field.name), getattr(twice, field.name), rtol=0, atol=1e-9)


@given(seeds)
@few
def test_the_same_seed_gives_the_same_run(seed):
    for ours, again in zip(*(run(drawn(seed), cramped(seed), noise=0.05, seed=seed) for _ in range(2)), strict=True):
        same(ours, again)


@given(seeds, st.floats(1.0, 3.0))
@few
def test_a_slower_engine_is_busy_for_longer_in_the_same_iterations(seed, slowdown):
    """Requests that come at once meet the same decisions, whatever the speed."""
    traffic, engine = replace(drawn(seed), at=np.full(len(drawn(seed)), START)), cramped(seed)
    (_, quick), (_, slow) = run(traffic, engine), run(traffic, engine.slowed(slowdown))
    assert quick.iterations.sum() == slow.iterations.sum()
    busy = [steps.duration[steps.iterations > 0].sum() for steps in (quick, slow)]
    assert busy[1] == pytest.approx(slowdown * busy[0], rel=1e-9)


@pytest.mark.parametrize(("drafts", "acceptance"), [(0, 0.0), (1, 0.5), (3, 0.75), (4, 0.0), (2, 1.0)])
def test_speculation_gains_what_its_formula_says(drafts, acceptance):
    engine = replace(PLENTY, draft_tokens=drafts, acceptance=acceptance)
    gain = sum(acceptance**k for k in range(drafts + 1))
    assert engine.gain() == pytest.approx(gain)
    outcomes, steps = run(traffic_of([11.0], [100], [4001]), engine)
    decoding = steps.decoding > 0
    assert outcomes.generated[0] == 4001
    assert steps.iterations[decoding].sum() == pytest.approx(4000 / gain, abs=1)
    assert steps.drafted.sum() == drafts * steps.iterations[decoding].sum()
    assert steps.accepted.sum() == pytest.approx((gain - 1) * steps.iterations[decoding].sum() if drafts else 0.0)


@given(seeds, st.integers(0, 4), st.floats(0.0, 1.0), st.floats(0.1, 4.0))
@few
def test_of_the_drafts_none_to_all_are_accepted_however_lucky_a_request_is(seed, drafts, acceptance, luck):
    traffic = replace(drawn(seed), luck=np.full(len(drawn(seed)), luck))
    _, steps = run(traffic, replace(cramped(seed), draft_tokens=drafts, acceptance=acceptance))
    assert (steps.accepted >= 0).all()
    assert (steps.accepted <= steps.drafted).all()
    assert steps.drafted.any() == (drafts > 0 and (steps.decoding > 0).any())


def test_an_answer_says_why_it_ended():
    limits = {"max_tokens": np.array([50, 10, 50, 50]), "cancel_after": np.array([NEVER, NEVER, 7, NEVER])}
    engine = replace(PLENTY, kv_blocks=10)
    outcomes, _ = run(traffic_of([11, 12, 13, 14], [8, 8, 8, 1000], [20, 20, 20, 20], **limits), engine)
    assert outcomes.finish.tolist() == [STOP, LENGTH, ABORT, ABORT]
    assert outcomes.generated.tolist() == [20, 10, 7, 0]  # the last fits into no engine of this size


def test_an_answer_that_fills_the_cache_alone_ends_there():
    outcomes, _ = run(traffic_of([11.0], [8], [500]), replace(PLENTY, kv_blocks=4, block_tokens=4))
    assert outcomes.generated[0] == 9  # 16 tokens fit, the ninth of the answer needs no place any more
    assert outcomes.finish[0] == LENGTH


def test_who_waits_too_long_is_given_up():
    engine = replace(PLENTY, max_num_seqs=1, timeout_s=0.5)
    outcomes, _ = run(traffic_of([11.0, 11.1], [8, 8], [1000, 10]), engine)
    assert outcomes.finish.tolist() == [STOP, ABORT]
    assert outcomes.completed_at[1] == outcomes.completed_at[0] > 11.6


def test_a_conversation_finds_its_history_and_a_restart_forgets_it():
    engine = replace(PLENTY, prefix_caching=True)
    turns = traffic_of(
        [11.0, 20.0, 30.0],
        [160, 400, 600],
        [48, 48, 48],
        session=np.zeros(3, np.int64),
        history_tokens=np.array([0, 200, 448]),
    )
    outcomes, steps = run(turns, [(START, engine), (25.0, replace(engine, restarts=1))])
    assert outcomes.cached_tokens.tolist() == [0, 192, 0]  # whole blocks of what both have
    assert steps.hit.sum() == 192
    assert steps.queried.sum() == 160 + 400 + 600


@pytest.mark.parametrize("deployment", [standard, tight])
def test_a_deployment_keeps_its_books(deployment):
    built = deployment()
    traffic = draw(built.tenants, built.service.model, 0.0, 600.0, 5)
    plans = [[(0.0, engine)] for engine in built.service.replicas]
    done = serve(built.service, traffic, plans, 0.0, 900.0, 5)
    assert np.isfinite(done.latency()).mean() > 0.99
    assert sum(steps.generated.sum() for steps in done.steps) == done.outcomes.generated.sum()
    for steps, engine in zip(done.steps, built.service.replicas, strict=True):
        assert steps.blocks.max() <= engine.kv_blocks
        assert all(a <= b for a, b in pairwise(steps.start.tolist()))
    again = serve(built.service, traffic, plans, 0.0, 900.0, 5)
    same(done.outcomes, again.outcomes)

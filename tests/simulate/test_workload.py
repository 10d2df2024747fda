import gzip
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.errors import ConfigError, InputError
from driftwatch.simulate.arrivals import bursty, poisson, swinging, traced
from driftwatch.simulate.conversations import since_begun, with_history
from driftwatch.simulate.traces import read_load, read_trace
from driftwatch.simulate.workload import NEVER, Tenant, draw, merge

START = 1_800_000_000.0
CHAT = Tenant("chat", 3.0, turns=4.0, think_s=20.0, shared_tokens=200, adapters={"law": 0.3, "code": 0.2}, n_prompts=50)
BATCH = Tenant("batch", 1.0, arrival="bursty", max_tokens=256, output_tokens=(200.0, 0.5))

tenants = st.builds(
    Tenant,
    name=st.just("a"),
    rate=st.floats(0.0, 5.0),
    arrival=st.sampled_from(["poisson", "bursty"]),
    swing=st.floats(0.0, 1.0),
    period_s=st.floats(50.0, 5_000.0),
    turns=st.floats(1.0, 8.0),
    think_s=st.floats(0.1, 30.0),
    shared_tokens=st.integers(0, 500),
    max_model_len=st.integers(1_600, 6_000),
    n_prompts=st.integers(0, 9),
    adapters=st.dictionaries(st.sampled_from(["x", "y"]), st.floats(0.0, 0.5)),
)


def drawn(*of, seconds=600.0, seed=1, start=START):
    return draw(of, "m", start, seconds, seed)


def part(traffic, tenant):
    return traffic.take(traffic.labels["tenant"].equals(tenant))


def same(a, b):
    plain = all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a) if f.name != "labels")
    return plain and all(a.labels[k].to_list() == b.labels[k].to_list() for k in a.labels)


def counted(at, width):
    return np.bincount(((at - START) // width).astype(int))


def test_poisson_counts_vary_as_their_mean_and_bursty_ones_more():
    even = counted(poisson(np.random.default_rng(1), swinging(5.0), START, 40_000.0), 20.0)
    bursts = counted(bursty(np.random.default_rng(1), swinging(5.0), START, 40_000.0, 3.0), 20.0)
    assert even.mean() == pytest.approx(100.0, rel=0.02)
    assert even.var() / even.mean() == pytest.approx(1.0, abs=0.12)
    assert bursts.mean() == pytest.approx(100.0, rel=0.05)
    assert bursts.var() / bursts.mean() == pytest.approx(9.0, rel=0.2)


def test_bursts_begin_as_they_go_on():
    """A process that begins with an arrival would have (cv^2 - 1) / 2 = 4 more of them at its beginning."""
    counts = [len(bursty(np.random.default_rng(k), swinging(1.0), START, 50.0, 3.0)) for k in range(600)]
    assert np.mean(counts) == pytest.approx(50.0, abs=2.5)


def test_the_load_swings():
    at = poisson(
        np.random.default_rng(1),
        swinging(5.0, 0.8, 4_000.0, -2.0 * np.pi * (START % 4_000.0) / 4_000.0),
        START,
        40_000.0,
    )
    quarters = np.bincount(((at - START) % 4_000.0 // 1_000.0).astype(int)) / 10_000.0
    high, low = 5.0 * (1.0 + 0.8 * 2.0 / np.pi), 5.0 * (1.0 - 0.8 * 2.0 / np.pi)
    assert quarters == pytest.approx([high, high, low, low], rel=0.05)


@pytest.mark.parametrize("draw_at", [poisson, lambda *given: bursty(*given, 2.0)])
def test_another_rate_moves_the_same_arrivals(draw_at):
    few = draw_at(np.random.default_rng(1), swinging(2.0), 0.0, 1_000.0)
    many = draw_at(np.random.default_rng(1), swinging(2.2), 0.0, 1_000.0)
    assert len(few) < len(many)
    assert few == pytest.approx(1.1 * many[: len(few)])


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=20), st.floats(0.1, 3.0), st.integers(0, 99))
def test_a_trace_is_repeated_in_its_order_at_the_asked_rate(gaps, rate, seed):
    recorded = np.concatenate([[7.0], 7.0 + np.cumsum(gaps)])
    at, rows = traced(np.random.default_rng(seed), swinging(rate), START, 500.0, recorded)
    assert abs(len(at) - 500.0 * rate) <= len(recorded)
    assert ((at >= START) & (at <= START + 500.0)).all()
    assert (np.diff(at) >= 0.0).all()
    assert (np.diff(rows) % len(recorded) == 1).all()


@settings(max_examples=60)
@given(tenants, st.integers(0, 2**40))
def test_traffic_is_well_formed(tenant, seed):
    traffic = drawn(tenant, seconds=200.0, seed=seed)
    assert ((traffic.at >= START) & (traffic.at < START + 200.0)).all()
    assert (np.diff(traffic.at) >= 0.0).all()
    assert (traffic.prompt_tokens > traffic.history_tokens).all()
    assert (traffic.prompt_tokens > traffic.shared_tokens).all()
    assert (traffic.prompt_tokens + traffic.max_tokens <= tenant.max_model_len).all()
    assert (traffic.output_tokens >= 1).all()
    assert (traffic.cancel_after == NEVER).all()
    assert ((traffic.prompt >= -1) & (traffic.prompt < max(tenant.n_prompts, 0.5))).all()
    assert {f.name for f in fields(traffic) if len(getattr(traffic, f.name)) != len(traffic)} <= {"labels"}


@settings(max_examples=60)
@given(tenants, tenants, st.floats(0.5, 2.0), st.integers(0, 99))
def test_no_tenant_hangs_on_another(a, b, factor, seed):
    alone = drawn(a, seconds=200.0, seed=seed)
    b = replace(b, name="b")
    assert same(part(drawn(a, b, seconds=200.0, seed=seed), "a"), alone)
    assert same(part(drawn(replace(b, rate=factor * b.rate), a, seconds=200.0, seed=seed), "a"), alone)


@settings(max_examples=40)
@given(tenants, st.floats(0.5, 2.0), st.integers(0, 99))
def test_the_same_conversations_come_at_another_rate(tenant, factor, seed):
    tenant = replace(
        tenant, rate=tenant.rate + 1.0, max_model_len=10**6
    )  # no history is dropped: 0 means the first turn
    runs = [drawn(replace(tenant, rate=rate), seconds=200.0, seed=seed) for rate in (tenant.rate, factor * tenant.rate)]
    both = np.intersect1d(*(run.session[run.history_tokens == 0] for run in runs))
    if tenant.turns == 1.0:
        assert len(both) == min(map(len, runs))
    for session in both:
        a, b = (run.take(run.session == session) for run in runs)
        for name in ("prompt_tokens", "output_tokens", "history_tokens", "prompt", "luck"):
            assert all(x == y for x, y in zip(getattr(a, name), getattr(b, name), strict=False)), name
        assert a.labels["adapter"].to_list()[0] == b.labels["adapter"].to_list()[0]
        assert all(x == pytest.approx(y, abs=1e-5) for x, y in zip(np.diff(a.at), np.diff(b.at), strict=False))


def test_longer_answers_leave_all_else_as_it_was():
    before = drawn(BATCH, CHAT)
    after = drawn(replace(BATCH, output_tokens=(400.0, 0.5)), CHAT)
    assert same(replace(after, output_tokens=before.output_tokens), before)
    assert np.median(after.output_tokens[after.labels["tenant"].equals("batch")]) == pytest.approx(400.0, rel=0.1)


def test_a_seed_is_a_draw():
    assert same(drawn(CHAT, BATCH), drawn(CHAT, BATCH))
    assert not same(drawn(CHAT), drawn(CHAT, seed=2))


def test_a_turn_begins_with_the_last_turn_and_its_answer():
    traffic = drawn(replace(CHAT, max_model_len=4_000), seconds=2_000.0)
    order = np.lexsort((traffic.at, traffic.session))
    session, prompt, history = traffic.session[order], traffic.prompt_tokens[order], traffic.history_tokens[order]
    answer = np.minimum(traffic.output_tokens, traffic.max_tokens)[order]
    follows = session[1:] == session[:-1]
    kept, before = history[1:] > 0, prompt[:-1] + answer[:-1]
    assert (history[1:][follows & kept] == before[follows & kept]).all()
    assert 0.02 < (~kept[follows]).mean() < 0.5
    with_history = before + prompt[1:] - CHAT.shared_tokens
    assert (with_history[follows & ~kept] > 4_000 - CHAT.max_tokens).all()
    assert (history[1:][~follows & (traffic.at[order][1:] > START + 1_500.0)] == 0).mean() > 0.9


def test_a_history_that_does_not_fit_is_dropped_and_begins_anew():
    prompt, history = with_history(np.full(4, 30), np.full(4, 10), np.array([4]), shared=20, room=69)
    assert prompt.tolist() == [30, 50, 30, 50]
    assert history.tolist() == [0, 40, 0, 40]


def test_turns_come_a_mean_thought_apart():
    turns = np.full(5_000, 3)
    since = since_begun(np.random.default_rng(1), turns, 20.0).reshape(-1, 3)
    assert (since[:, 0] == 0.0).all()
    assert np.diff(since, axis=1).mean(axis=0) == pytest.approx([20.0, 20.0], rel=0.06)


def test_conversations_are_under_way_when_the_window_begins():
    traffic = drawn(replace(CHAT, rate=20.0), seconds=4_000.0)
    assert len(traffic) == pytest.approx(80_000, rel=0.05)
    tenths = counted(traffic.at, 400.0)
    going_on = [
        (traffic.history_tokens[counted_in] > 0).mean()
        for counted_in in np.split(np.arange(len(traffic)), np.cumsum(tenths)[:-1])
    ]
    assert tenths[0] == pytest.approx(tenths[1:].mean(), rel=0.1)
    assert going_on[0] == pytest.approx(np.mean(going_on[1:]), abs=0.03)
    sizes = np.unique(traffic.session, return_counts=True)[1]
    assert sizes.mean() == pytest.approx(4.0, rel=0.1)
    assert sizes.var() == pytest.approx(4.0 * 3.0, rel=0.1)  # as of a geometric number


def test_lengths_and_shares_are_as_asked():
    traffic = drawn(
        replace(BATCH, rate=20.0, prompt_tokens=(500.0, 0.8), shared_tokens=100, adapters={"law": 0.3, "code": 0.2}),
        seconds=1_000.0,
    )
    logs = np.log(traffic.prompt_tokens - 100)
    assert np.median(logs) == pytest.approx(np.log(500.0), abs=0.04)
    assert logs.std() == pytest.approx(0.8, rel=0.03)
    adapter = traffic.labels["adapter"].to_list()
    assert [adapter.count(name) / len(traffic) for name in ("law", "code", None)] == pytest.approx(
        [0.3, 0.2, 0.5], abs=0.03
    )
    assert traffic.labels["model"].values == ("m",)
    assert len(np.unique(traffic.session)) == len(traffic)


def test_the_quantities_of_a_request_know_nothing_of_each_other():
    traffic = drawn(replace(BATCH, rate=20.0, n_prompts=50, adapters={"law": 0.5}), seconds=1_000.0)
    gaps, adapter = np.diff(traffic.at, prepend=START), traffic.labels["adapter"].codes
    lengths = np.log(traffic.prompt_tokens), np.log(traffic.output_tokens)
    related = np.corrcoef([*lengths, np.log(traffic.luck), traffic.prompt, adapter, gaps]) - np.eye(6)
    assert np.abs(related).max() < 0.04


def test_sessions_keep_their_adapter_and_their_tenant():
    traffic = drawn(CHAT, replace(CHAT, name="other"))
    for label in ("adapter", "tenant"):
        pairs = set(zip(traffic.session.tolist(), traffic.labels[label].to_list(), strict=True))
        assert len(pairs) == len(np.unique(traffic.session))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rate": -1.0}, "rate"),
        ({"arrival": "regular"}, "arrival"),
        ({"swing": 1.5}, "swing"),
        ({"turns": 0.5}, "turns"),
        ({"output_tokens": (0.0, 1.0)}, "medians"),
        ({"max_model_len": 1_200}, "max_model_len"),
        ({"adapters": {"law": 0.7, "code": 0.7}}, "adapters"),
    ],
)
def test_an_impossible_tenant_is_refused(change, rule):
    with pytest.raises(ConfigError, match=f"'chat': .*{rule}"):
        replace(CHAT, **change)


def test_impossible_draws_are_refused():
    with pytest.raises(ConfigError, match="each of another name"):
        drawn(CHAT, CHAT)
    with pytest.raises(ConfigError, match="requests per second somewhere"):
        drawn(replace(BATCH, load=lambda at: np.where(at > START + 300.0, -1.0, 1.0)))
    with pytest.raises(ConfigError, match="cv is 0"):
        drawn(replace(BATCH, cv=0.0))


def test_merging_keeps_everything_in_order():
    a, b = drawn(CHAT), drawn(BATCH, seed=2)
    both = merge(a, b)
    assert (np.diff(both.at) >= 0.0).all()
    assert same(part(both, "chat"), a)
    assert same(part(both, "batch"), b)
    twice = merge(a, replace(a, prompt=np.full(len(a), 77)))
    assert (twice.prompt[1::2] == 77).all()
    assert (twice.prompt[::2] != 77).all()


def written(folder, text, name="trace.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_both_forms_of_traces_are_read(tmp_path):
    azure = read_trace(
        written(
            tmp_path,
            "TIMESTAMP,ContextTokens,GeneratedTokens\n"
            "2023-11-16 18:17:04.5000000,9,2\n2023-11-16 18:17:03.2500000,8,1\n",
        )
    )
    assert np.diff(azure.at).tolist() == [1.25]
    assert (azure.prompt_tokens.tolist(), azure.output_tokens.tolist(), azure.shared_tokens.tolist()) == (
        [8, 9],
        [1, 2],
        [0, 0],
    )
    packed = tmp_path / "trace.csv.gz"
    packed.write_bytes(
        gzip.compress(b"timestamp_ms,input_length,output_length,shared_prefix_blocks\n0,700,5,0\n2500,800,6,2\n")
    )
    mooncake = read_trace(packed)
    assert (mooncake.at.tolist(), mooncake.shared_tokens.tolist()) == ([0.0, 2.5], [0, 800])


def test_a_recorded_load_is_a_factor_and_repeats(tmp_path):
    load = read_load(written(tmp_path, "t_s,requests_per_s\n0,30\n600,10\n"))
    assert load(np.array([0.0, 599.0, 600.0, 1_200.0, 1_900.0])).tolist() == [1.5, 1.5, 0.5, 1.5, 0.5]
    traffic = drawn(replace(BATCH, arrival="poisson", rate=5.0, load=load), seconds=6_000.0)
    assert len(traffic) == pytest.approx(30_000, rel=0.05)
    assert load(traffic.at).mean() == pytest.approx(1.25, rel=0.03)


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (read_trace, "", "is empty"),
        (read_trace, "TIMESTAMP,ContextTokens,GeneratedTokens\n", "no rows"),
        (read_trace, "a,b\n1,2\n", "neither a field TIMESTAMP nor timestamp_ms"),
        (read_trace, "TIMESTAMP,ContextTokens\n2023-11-16,2\n", "no field GeneratedTokens"),
        (read_trace, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16,x,1\n", "field ContextTokens: .*'x'"),
        (read_trace, "TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1\n", "field TIMESTAMP: .*soon"),
        (read_trace, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16,1,-4\n", "field GeneratedTokens: .*-4"),
        (read_trace, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16,1\n", ":2: has not 3 fields"),
        (read_load, "t_s,requests_per_s\n0,1\n5,1\n7,1\n", "field t_s must be evenly spaced"),
        (read_load, "t_s,requests_per_s\n0,1\n5,inf\n", "field requests_per_s: .*finite"),
        (read_load, "t_s,requests_per_s\n0,1\n5,-1\n", "field requests_per_s must be 0 or more"),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path, read, text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        read(written(tmp_path, text))
    assert caught.value.source == str(tmp_path / "trace.csv")


def test_a_missing_or_torn_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_trace(tmp_path / "none.csv")
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(b"t_s,requests_per_s\n0,1\n" * 99)[:-12])
    with pytest.raises(InputError, match="cannot be read"):
        read_load(torn)


@pytest.mark.parametrize("name", ["azure_2023_code", "azure_2023_conv", "mooncake_conversation"])
def test_a_real_trace_keeps_its_lengths(recordings, name):
    """All rows of a trace come equally often (to within one), so its marginal distributions are kept."""
    trace = read_trace(recordings / "arrivals" / f"{name}.csv.gz")
    tenant = Tenant("t", 50.0, trace=trace, max_tokens=4_096, max_model_len=1_000_000)
    traffic = drawn(tenant, seconds=2.0 * len(trace) / 50.0)
    assert len(traffic) == pytest.approx(2 * len(trace), abs=10)  # many come at one time, and go together
    for column in ("prompt_tokens", "output_tokens", "shared_tokens"):
        ours, theirs = np.sort(getattr(traffic, column)), np.sort(getattr(trace, column))
        below = [np.searchsorted(x, theirs, side="right") / len(x) for x in (ours, theirs)]
        assert np.abs(below[0] - below[1]).max() < 1e-3, column


def test_a_real_load_is_diurnal(recordings):
    load = read_load(recordings / "arrivals" / "servegen_rate.csv")
    over_days = load(np.arange(0.0, 14 * 86_400.0, 600.0)).reshape(14, -1)
    assert over_days.mean() == pytest.approx(1.0, abs=0.01)
    assert over_days.mean(axis=0).max() > 1.5 * over_days.mean(axis=0).min()

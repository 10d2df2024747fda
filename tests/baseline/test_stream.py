"""What a learnt stream cannot explain, and what it goes on learning."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.baseline import Baseline
from driftwatch.baseline.learnt import arrays_of, take_arrays
from driftwatch.events.columns import Coded
from driftwatch.incidents.watch import EPOCH
from driftwatch.ticks import empty
from tests.baseline.streams import FIRST, LEARN, SETTLED, fresh, learnt, mean, rest_judged, ticks_of, without
from tests.traffic import START, traffic


def test_the_warm_up_is_learnt_and_explained():
    baseline, judged, _ = learnt(traffic(0))
    assert baseline.ready
    assert baseline.progress == 1.0
    assert baseline.notes == []
    for signal in ("ttft", "itl", "latency", "output_length"):
        track = judged.tracks[signal]
        assert abs(mean(track)) < 0.03
        assert track.tick[0] >= FIRST
        assert track.tick[-1] < FIRST + LEARN
    tick = np.floor((traffic(0).at - START) / 5.0)
    assert judged.requests.sum() == ((tick >= SETTLED) & (tick < LEARN)).sum()
    assert len(judged.requests) == LEARN - SETTLED


@pytest.mark.parametrize(("longer", "left_out"), [(1.0, 1), (10.0, 7), (1000.0, (LEARN - 1) // 4)])
def test_what_is_done_before_the_slow_ones_can_be_is_no_warm_up(longer, left_out):
    requests = traffic(0)
    begun = requests.completed_at - requests.latency * longer
    baseline, judged, _ = learnt(replace(requests, started_at=begun))
    assert baseline.ready
    assert LEARN - len(judged.requests) == pytest.approx(left_out, abs=1)


@pytest.mark.parametrize("slower", [1.5, 0.5])
def test_a_change_of_the_engine_is_what_is_left(slower):
    tracks = rest_judged(traffic(4, slower=slower, since=LEARN)).tracks
    for signal in ("ttft", "itl", "latency"):
        assert mean(tracks[signal]) == pytest.approx(np.log(slower), abs=0.08)
    assert abs(mean(tracks["output_length"])) < 0.05


@pytest.mark.parametrize(("tokens", "felt"), [("prompt_tokens", "ttft"), ("output_tokens", "latency")])
def test_another_mix_inside_the_learnt_range_leaves_nothing(tokens, felt):
    """Only the longer half stays: users wait longer, but the engine is not slower."""
    requests = traffic(5, ticks=400, rate=6.0)
    late = requests.at >= START + 5.0 * LEARN
    long = getattr(requests, tokens) > np.median(getattr(requests, tokens))
    before, after = (np.log(getattr(requests.take(rows), felt)).mean() for rows in (~late, late & long))
    assert after > before + 0.15
    tracks = rest_judged(requests.take(~late | long)).tracks
    for signal in ("ttft", "itl", "latency"):
        assert abs(mean(tracks[signal])) < 0.06


def test_longer_prompts_than_learnt_are_counted_as_novel_and_not_judged():
    requests = traffic(6)
    rng = np.random.default_rng(0)
    late = requests.at >= START + 5.0 * LEARN
    huge = late & (rng.random(len(requests)) < 0.2)
    longer = replace(
        requests,
        prompt_tokens=np.where(huge, 60_000.0, requests.prompt_tokens),
        ttft=np.where(huge, 90.0, requests.ttft),
    )
    tracks = rest_judged(longer).tracks
    novel = tracks["novel_share"]
    assert novel.value.sum() / novel.total.sum() == pytest.approx(huge.sum() / late.sum(), abs=0.03)
    assert abs(mean(tracks["ttft"])) < 0.05
    assert tracks["ttft"].total.sum() == novel.total.sum() - novel.value.sum()
    assert mean(tracks["prompt_length"]) > mean(rest_judged(requests).tracks["prompt_length"]) + 0.3


def test_few_requests_of_a_healthy_stream_are_novel():
    tracks = rest_judged(traffic(7, ticks=400)).tracks
    assert tracks["novel_share"].value.sum() / tracks["novel_share"].total.sum() < 0.06


def test_the_load_slope_is_never_negative():
    """The busier the faster, by accident: it is not learnt, for it would excuse slowness at night."""
    requests = traffic(8)
    tick = np.floor((requests.at - START) / 5.0).astype(int)
    busy = np.bincount(tick)[tick] / 20.0
    requests = replace(requests, ttft=requests.ttft / busy)
    baseline, _, rest = learnt(requests)
    assert all(model.coefficients[-1] >= 0 for model in baseline.models.values())
    baseline.judge(rest, FIRST + LEARN, int(rest.tick[-1]))
    baseline.learn(2**40, None)
    assert all(model.coefficients[-1] >= 0 for model in baseline.models.values())


def judged_in_parts(requests, edges, skip=None, **learning):
    """Learn, then judge part by part, learning at the end of each epoch as the engine does."""
    baseline, _, rest = learnt(requests, **learning)
    last = int(rest.tick[-1])
    guard = baseline.settings.guard_ticks
    tracks = {}
    ends = sorted({FIRST + LEARN + e for e in edges} | set(range(FIRST + LEARN + EPOCH, last, EPOCH)) | {last + 1})
    first = FIRST + LEARN
    for end in ends:
        judged = baseline.judge(rest.between(first, end - 1), first, end - 1)
        for name, track in judged.tracks.items():
            tracks.setdefault(name, []).append(track)
        if end % EPOCH == 0:
            baseline.learn(end - guard, skip)
        first = end
    return {
        n: [np.concatenate(c) for c in zip(*((t.tick, t.value, t.total) for t in ts), strict=True)]
        for n, ts in tracks.items()
    }, baseline


@settings(max_examples=15)
@given(
    edges=st.sets(st.integers(1, 160), max_size=12),
    guard=st.sampled_from([0, 5, 24, 30]),
    silence=st.integers(0, 150),
    skip=st.none() | st.integers(0, 150),
)
def test_neither_judging_nor_learning_sees_where_the_ticks_were_cut(edges, guard, silence, skip):
    requests = without(traffic(14, slower=1.3, since=LEARN + 90), LEARN + silence, LEARN + silence + 9)
    span = None if skip is None else (FIRST + LEARN + skip, FIRST + LEARN + skip + 40)
    whole, a = judged_in_parts(requests, (), span, guard_ticks=guard)
    parts, b = judged_in_parts(requests, edges, span, guard_ticks=guard)
    assert whole.keys() == parts.keys()
    for name, columns in whole.items():
        for left, right in zip(columns, parts[name], strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)
    assert a.learnt == b.learnt
    for name, array in arrays_of(a).items():
        np.testing.assert_allclose(array, arrays_of(b)[name], rtol=1e-9, atol=1e-9)


def test_all_that_is_old_enough_and_not_to_be_skipped_is_learnt_once():
    requests = traffic(15)
    tick = np.floor(requests.at / 5.0).astype(int)
    skip = (FIRST + LEARN + 10, FIRST + LEARN + 50)
    for guard in (0, 24, 31):
        _, baseline = judged_in_parts(requests, (7, 30, 31), skip, guard_ticks=guard)
        before = (tick.max() + 1) // EPOCH * EPOCH - guard
        expected = (tick >= FIRST + SETTLED) & (tick < before) & ((tick < skip[0]) | (tick > skip[1]))
        assert baseline.learnt == expected.sum()
        assert baseline.seen.counts[0].sum() == expected.sum()


def test_pending_ticks_are_bounded_by_the_guard():
    _, baseline = judged_in_parts(traffic(16, ticks=600), range(1, 500, 5))
    assert sum(len(np.unique(p.ticks.tick)) for p in baseline.pending.every()) <= 2 * EPOCH


def test_a_slow_drift_is_followed_when_it_is_learnt_and_not_when_it_is_skipped():
    requests = traffic(17, ticks=900)
    slower = np.exp(0.6 * np.clip((requests.at - START) / 5.0 - 100, 0, None) / 800)
    requests = replace(requests, itl=requests.itl * slower)
    followed, _ = judged_in_parts(requests, ())
    skipped, _ = judged_in_parts(requests, (), (0, 2**40))
    assert skipped["itl"][1][-50:].mean() > 0.45
    assert followed["itl"][1][-50:].mean() < skipped["itl"][1][-50:].mean() - 0.1


def test_what_was_learnt_goes_through_a_file(tmp_path):
    baseline, _, rest = learnt(traffic(18))
    Baseline({"all": arrays_of(baseline)}).save(tmp_path / "b.npz")
    again = fresh()
    take_arrays(again, Baseline.load(tmp_path / "b.npz").streams["all"])
    assert again.ready
    last = int(rest.tick[-1])
    for one in (baseline, again):
        one.work = np.empty(0)
    a, b = (one.judge(rest, FIRST + LEARN, last) for one in (baseline, again))
    for name, track in a.tracks.items():
        np.testing.assert_array_equal(track.value, b.tracks[name].value, name)
    for one in (baseline, again):
        one.learn(last + 1, None)
    for name, array in arrays_of(baseline).items():
        np.testing.assert_array_equal(array, arrays_of(again)[name])


@pytest.mark.parametrize("complete", [True, False])
def test_an_epoch_without_requests_is_judged_too(complete):
    baseline = fresh(complete)
    ticks = ticks_of(traffic(19))
    baseline.collect(ticks.between(FIRST, FIRST + LEARN - 1), FIRST)
    baseline.start(FIRST + LEARN - 1)
    judged = baseline.judge(empty(), FIRST + LEARN, FIRST + LEARN + 23)
    assert judged.requests.tolist() == [0.0] * 24
    assert len(judged.tracks["ttft"].tick) == len(judged.tracks["error_share"].tick) == 0
    assert len(judged.tracks["traffic"].tick) == (24 if complete else 0)


def test_ticks_between_two_scrapes_say_nothing_of_the_load():
    """A histogram that is scraped every 15 s has all its requests in every third tick."""
    baseline, requests = fresh(complete=False), traffic(20, rate=3.0)
    at = np.floor((requests.completed_at - START) / 15.0) * 15.0 + START + 1.0
    ticks = ticks_of(replace(requests, completed_at=at, started_at=at))
    baseline.collect(ticks.between(FIRST, FIRST + 143), FIRST)
    judged = baseline.start(FIRST + 143)
    assert np.array_equal(np.unique(np.diff(judged.tracks["traffic"].tick)), [3])
    for first in range(FIRST + 144, FIRST + 216, 24):
        baseline.judge(ticks.between(first, first + 23), first, first + 23)
    load = np.concatenate([p.workload.load for p in baseline.pending.every()])
    assert np.exp(load).min() > 0.6 * np.exp(load).mean()


def test_segments_add_up_to_the_whole():
    baseline, _, rest = learnt(traffic(21, slower=2.0, since=LEARN))
    judged = baseline.judge(rest, FIRST + LEARN, int(rest.tick[-1]))
    sums, track = judged.segments["itl"], judged.tracks["itl"]
    assert set(sums.segment.tolist()) == {0, 1}
    assert np.bincount(sums.tick - FIRST, weights=sums.count)[track.tick - FIRST] == pytest.approx(track.total)
    for segment in (0, 1):
        rows = sums.segment == segment
        assert sums.total[rows].sum() / sums.count[rows].sum() == pytest.approx(np.log(2.0), abs=0.1)
        assert (sums.squares[rows] * sums.count[rows] >= sums.total[rows] ** 2 - 1e-6).all()


def test_a_mix_of_prompts_that_moves_is_no_change_of_how_answers_end():
    """Long prompts are cut at the limit more often; then there are more of them."""
    requests = traffic(22, ticks=400, rate=6.0)
    long = requests.prompt_tokens > np.median(requests.prompt_tokens)
    rng = np.random.default_rng(0)
    cut = rng.random(len(requests)) < np.where(long, 0.5, 0.1)
    requests = replace(requests, finish_reason=Coded(cut.astype(np.int32), ("stop", "length")))
    late = requests.at >= START + 5.0 * 168
    keep = ~late | long
    tracks = rest_judged(requests.take(keep), 168).tracks
    assert tracks["length_share"].value.sum() / tracks["length_share"].total.sum() == pytest.approx(0.3, abs=0.05)
    worse = rng.random(len(requests)) < np.where(late, 0.7, np.where(long, 0.5, 0.1))
    requests = replace(requests, finish_reason=Coded(worse.astype(np.int32), ("stop", "length")))
    tracks = rest_judged(requests.take(keep), 168).tracks
    assert tracks["length_share"].value.sum() / tracks["length_share"].total.sum() == pytest.approx(0.5, abs=0.05)

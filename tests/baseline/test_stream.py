from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.baseline import Baseline, StreamBaseline
from driftwatch.config import Config, Learning
from driftwatch.events.columns import Coded, requests_of
from driftwatch.incidents.watch import EPOCH, margins_of
from driftwatch.ticks import TickBuilder, empty
from tests.traffic import START, traffic

FIRST = int(START // 5.0)
LEARN = 2 * EPOCH - FIRST % EPOCH + EPOCH  # a warm-up of two to three epochs, which ends where one ends


def ticks_of(requests):
    builder = TickBuilder(Config())
    builder.add(requests)
    return builder.close(int(requests.at.max() // 5.0))


def fresh(complete=True, **learning):
    return StreamBaseline(Learning(**learning), margins_of(Config()), complete=complete)


def learnt(requests, until=LEARN, **learning):
    """A baseline that took the first ticks, how it judged them, and the ticks that follow."""
    baseline, ticks = fresh(**learning), ticks_of(requests)
    baseline.collect(ticks.between(FIRST, FIRST + until - 1), FIRST)
    judged = baseline.start(FIRST + until - 1)
    return baseline, judged, ticks.between(FIRST + until, FIRST + 10**6)


def rest_judged(requests, until=LEARN):
    baseline, judged, rest = learnt(requests, until)
    assert judged is not None
    return baseline.judge(rest, FIRST + until, int(rest.tick[-1]))


def mean(track):
    return float(np.average(track.value, weights=track.total))


def without(requests, first, last):
    """The same requests but for those of these ticks."""
    tick = np.floor((requests.at - START) / 5.0)
    return requests.take((tick < first) | (tick > last))


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
    assert judged.requests.sum() == (traffic(0).at < START + 5.0 * LEARN).sum()
    assert len(judged.requests) == LEARN


@pytest.mark.parametrize(("ticks", "rate", "needed"), [(20, 4.0, "ticks"), (70, 0.2, "requests")])
def test_it_waits_until_it_has_enough(ticks, rate, needed):
    baseline, judged, _ = learnt(traffic(1, ticks=ticks, rate=rate), ticks)
    assert judged is None
    assert not baseline.ready
    assert 0 < baseline.progress < 1
    assert baseline.refused == ()
    more = {"ticks": {"min_ticks": 20}, "requests": {"min_requests": 20, "min_ticks": 20}}[needed]
    assert learnt(traffic(1, ticks=ticks, rate=rate), ticks, **more)[0].ready


def test_signals_that_are_not_measured_are_refused():
    requests = traffic(2)
    unknown = np.full(len(requests), np.nan)
    baseline, judged, _ = learnt(replace(requests, itl=unknown, output_tokens=unknown))
    assert baseline.refused == ("itl", "output_length")
    assert {"ttft", "latency", "traffic", "error_share"} <= judged.tracks.keys()
    assert not {"itl", "output_length"} & judged.tracks.keys()


def test_without_any_workload_everything_that_is_measured_is_judged():
    requests = traffic(3)
    bare = requests_of(len(requests), completed_at=requests.completed_at, ttft=requests.ttft)
    baseline, judged, rest = learnt(bare)
    assert baseline.refused == ("itl", "latency", "output_length")
    assert "prompt_length" not in judged.tracks
    again = baseline.judge(rest, FIRST + LEARN, int(rest.tick[-1]))
    assert abs(mean(again.tracks["ttft"])) < 0.1
    assert mean(again.tracks["novel_share"]) == 0


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


def test_an_outage_in_the_warm_up_is_left_out_and_said():
    requests = without(traffic(9), 20, 31)
    baseline, judged, _ = learnt(requests)
    assert baseline.ready
    assert baseline.notes == ["warm-up: 12 ticks of an outage were left out of what was learnt"]
    assert len(judged.tracks["traffic"].tick) == LEARN - 12
    assert judged.tracks["traffic"].value.min() > 0


def test_a_failing_service_in_the_warm_up_is_left_out_and_said():
    requests = traffic(10)
    tick = np.floor((requests.at - START) / 5.0)
    failing = (tick >= 20) & (tick < 30)
    requests = replace(
        requests,
        failed=failing & (np.arange(len(tick)) % 5 > 0),
        ttft=np.where(failing, requests.ttft * 40, requests.ttft),
    )
    baseline, judged, _ = learnt(requests)
    assert baseline.notes == ["warm-up: 10 ticks of an outage were left out of what was learnt"]
    assert judged.tracks["error_share"].value.sum() == 0
    assert not set(range(FIRST + 20, FIRST + 30)) & set(judged.tracks["ttft"].tick.tolist())
    assert not set(range(FIRST + 20, FIRST + 30)) & set(judged.tracks["traffic"].tick.tolist())


def test_a_service_that_is_down_from_the_start_is_learnt_when_it_is_up():
    requests = traffic(11, ticks=300)
    requests = replace(requests, failed=requests.at < START + 5.0 * 130)
    baseline, ticks = fresh(), ticks_of(requests)
    started = []
    for first in range(FIRST, FIRST + 300, EPOCH):
        if not baseline.ready:
            baseline.collect(ticks.between(first, first + EPOCH - 1), first)
            if baseline.start(first + EPOCH - 1):
                started.append(first + EPOCH - 1 - FIRST)
    assert len(started) == 1
    assert 130 + 48 <= started[0] <= 130 + 48 + EPOCH
    assert baseline.notes == ["warm-up: 130 ticks of an outage were left out of what was learnt"]


def test_a_step_in_the_warm_up_is_said_and_learning_begins_again():
    requests = traffic(12, ticks=300, slower=2.5, since=60)
    baseline, judged, rest = learnt(requests, 96)
    assert judged is None
    assert not baseline.ready
    assert len(baseline.notes) == 1
    assert "changed by x2." in baseline.notes[0]
    assert baseline.progress == pytest.approx(36 / 48, abs=2 / 48)
    baseline.collect(rest.between(FIRST + 96, FIRST + 191), FIRST + 96)
    judged = baseline.start(FIRST + 191)
    assert baseline.ready
    assert judged.tracks["ttft"].tick[0] >= FIRST + 58
    after = baseline.judge(rest.between(FIRST + 192, FIRST + 299), FIRST + 192, FIRST + 299)
    assert abs(mean(after.tracks["itl"])) < 0.06


def test_healthy_warm_ups_begin_only_once():
    assert [learnt(traffic(seed, ticks=200), 168)[0].notes for seed in range(100, 120)] == [[]] * 20


def test_a_long_pause_begins_the_warm_up_again():
    baseline = fresh()
    early = ticks_of(traffic(13, ticks=30))
    baseline.collect(early, FIRST)
    later = replace(early, tick=early.tick + 5000, flow_known=early.flow_known + 5000)
    baseline.collect(later, FIRST + 5000)
    assert baseline.warmup_first == FIRST + 5000
    assert baseline.progress == pytest.approx(30 / 48)


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
    for name, array in a.arrays().items():
        np.testing.assert_allclose(array, b.arrays()[name], rtol=1e-9, atol=1e-9)


def test_all_that_is_old_enough_and_not_to_be_skipped_is_learnt_once():
    requests = traffic(15)
    tick = np.floor(requests.at / 5.0).astype(int)
    skip = (FIRST + LEARN + 10, FIRST + LEARN + 50)
    for guard in (0, 24, 31):
        _, baseline = judged_in_parts(requests, (7, 30, 31), skip, guard_ticks=guard)
        before = (tick.max() + 1) // EPOCH * EPOCH - guard
        expected = (tick < before) & ((tick < skip[0]) | (tick > skip[1]))
        assert baseline.learnt == expected.sum()
        assert baseline.seen.counts[0].sum() == expected.sum()


def test_pending_ticks_are_bounded_by_the_guard():
    _, baseline = judged_in_parts(traffic(16, ticks=600), range(1, 500, 5))
    assert sum(len(np.unique(p.ticks.tick)) for p in baseline.pending) <= 2 * EPOCH


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
    Baseline({"all": baseline.arrays()}).save(tmp_path / "b.npz")
    again = fresh()
    again.restore(Baseline.load(tmp_path / "b.npz").streams["all"])
    assert again.ready
    last = int(rest.tick[-1])
    for one in (baseline, again):
        one.counts = np.empty(0)
    a, b = (one.judge(rest, FIRST + LEARN, last) for one in (baseline, again))
    for name, track in a.tracks.items():
        np.testing.assert_array_equal(track.value, b.tracks[name].value, name)
    for one in (baseline, again):
        one.learn(last + 1, None)
    for name, array in baseline.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])


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
    load = np.concatenate([p.workload.load for p in baseline.pending])
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

import numpy as np

from driftwatch.attribution.history import StreamHistory
from driftwatch.attribution.pieces import Packed
from driftwatch.baseline import Judged, Observed, SegmentSums
from driftwatch.state import pack, unpack


def sums(tick, segment, count, total, raw=None):
    columns = (np.asarray(x, float) for x in (count, total, total, total if raw is None else raw))
    return SegmentSums(np.asarray(tick), np.asarray(segment), *columns)


def history(*pieces):
    return StreamHistory(segments={"ttft": list(pieces)})


def test_the_mean_within_some_segments_is_by_request_and_leaves_the_others_out():
    kept = history(sums([10, 10, 10, 11], [0, 1, 2, 1], [1, 3, 50, 4], [2.0, 6.0, 900.0, -1.0]))
    assert kept.mean_within("ttft", [0, 1], 10, 11).tolist() == [2.0, -0.25]


def test_ticks_without_requests_are_nan_not_zero():
    kept = history(sums([10, 12, 12], [0, 0, 1], [2, 0, 5], [1.0, 0.0, 5.0]))
    found = kept.mean_within("ttft", {0}, 9, 13)
    np.testing.assert_array_equal(found, [np.nan, 0.5, np.nan, np.nan, np.nan])
    assert np.isnan(kept.mean_within("ttft", [], 9, 13)).all()
    assert np.isnan(kept.mean_within("itl", [0], 9, 13)).all()


def test_where_residuals_are_at_their_bound_the_values_say_how_much():
    usual, slow = [0.1, -0.1, 0.0, 0.2], [4.0, 5.5, 1.0, -3.4]
    excess = np.array([*usual, *slow])
    told = np.clip(excess, -3.0, 3.0)
    kept = history(sums(np.arange(8), np.zeros(8, int), np.full(8, 10), 10 * told, 10 * (excess - 1.5)))
    np.testing.assert_allclose(kept.mean_within("ttft", [0], 0, 7), excess, atol=1e-9)


def test_a_tick_that_comes_in_two_pieces_is_one():
    kept = history(sums([10, 11], [0, 0], [1, 1], [1.0, 7.0]), sums([11, 12], [0, 0], [3, 1], [1.0, 100.0]))
    assert kept.mean_within("ttft", [0], 10, 11).tolist() == [1.0, 2.0]


def judged(first, n=24, seed=0):
    """One epoch of a signal and of its segments."""
    rng = np.random.default_rng(seed + first)
    tick = np.flatnonzero(rng.random(n) < 0.8) + first
    value = rng.normal(size=len(tick)).astype(np.float32)
    track = Observed(tick, value, np.rint(rng.random(len(tick)) * 9) + 1, value, 0.5, value)
    columns = (rng.random(2 * len(tick), np.float32) for _ in range(4))
    segments = SegmentSums(np.repeat(tick, 2), np.tile([0, 3], len(tick)), *columns)
    return Judged({"ttft": track}, {"ttft": segments}, np.ones(n))


def told(history, first, last):
    found = history.segment_sums("ttft", first, last)
    return [*history.signal("ttft", first, last), found.tick, found.segment, found.count, found.total, found.raw]


def test_what_is_packed_reads_as_before_and_what_is_old_is_forgotten():
    packed, plain = StreamHistory(), StreamHistory()
    for first in range(0, 60 * 24, 24):
        for one in (packed, plain):
            one.add(judged(first))
        packed.settle(first)
    assert sum(isinstance(piece, Packed) for piece in packed.observed["ttft"]) == 4
    assert len(packed.observed["ttft"]) == 5
    for first, last in [(0, 60 * 24), (280, 300), (100, 101), (1400, 1500)]:
        for one, other in zip(told(packed, first, last), told(plain, first, last), strict=True):
            np.testing.assert_array_equal(one, other)
    again = StreamHistory()
    again.take(unpack(*pack(packed.keep())))
    assert list(map(type, again.observed["ttft"])) == list(map(type, packed.observed["ttft"]))
    for one in (packed, again):
        one.add(judged(60 * 24))
        one.settle(60 * 24)
        one.trim(700)
    for one, other in zip(told(again, 0, 2000), told(packed, 0, 2000), strict=True):
        np.testing.assert_array_equal(one, other)
    assert packed.observed["ttft"][0].tick[0] >= 700 - 288

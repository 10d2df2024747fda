import numpy as np

from driftwatch.attribution.history import StreamHistory
from driftwatch.baseline import SegmentSums


def sums(tick, segment, count, total):
    columns = (np.asarray(x, float) for x in (count, total, total, total))
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


def test_a_tick_that_comes_in_two_pieces_is_one():
    kept = history(sums([10, 11], [0, 0], [1, 1], [1.0, 7.0]), sums([11, 12], [0, 0], [3, 1], [1.0, 100.0]))
    assert kept.mean_within("ttft", [0], 10, 11).tolist() == [1.0, 2.0]

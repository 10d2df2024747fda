import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.config import Config
from driftwatch.events import concat_requests, requests_of
from driftwatch.readers import Quarantine, merge, read_requests

TIMES = st.lists(st.floats(0, 1000), max_size=40)
CUTS = st.integers(1, 7)


def batches(times, size, first_id=0):
    ids = np.arange(first_id, first_id + len(times)) + 1
    for i in range(0, len(times), size):
        part = times[i : i + size]
        yield requests_of(len(part), completed_at=np.array(part, float), id_hash=ids[i : i + size])


@given(st.lists(st.tuples(TIMES.map(sorted), CUTS), min_size=1, max_size=6))
def test_ordered_readers_come_out_in_order_and_whole(readers):
    lanes = [batches(times, size, 100 * i) for i, (times, size) in enumerate(readers)]
    begins = [times[0] if times else -np.inf for times, _ in readers]
    out = concat_requests(list(merge(lanes, begins)))
    assert out.completed_at.tolist() == sorted(t for times, _ in readers for t in times)
    assert len(set(out.id_hash.tolist())) == len(out)


@given(st.lists(st.tuples(TIMES, CUTS), min_size=1, max_size=6))
def test_no_row_is_later_than_its_own_reader_had_it(readers):
    lanes = [batches(times, size, 100 * i) for i, (times, size) in enumerate(readers)]
    out = concat_requests(list(merge(lanes)))
    everything = sorted(t for times, _ in readers for t in times)
    assert sorted(out.completed_at.tolist()) == everything

    def lateness(times):
        return max((m - t for m, t in zip(np.maximum.accumulate(times), times, strict=True)), default=0.0)

    worst = max(lateness(times) for times, _ in readers) if everything else 0.0
    assert lateness(out.completed_at.tolist()) <= worst


def test_files_that_follow_one_another_are_open_one_at_a_time():
    alive, most = set(), [0]

    def lane(i):
        alive.add(i)
        most[0] = max(most[0], len(alive))
        for k in range(5):
            yield requests_of(2, completed_at=np.array([10.0 * i + k, 10.0 * i + k + 0.5]))
        alive.discard(i)

    order = [3, 0, 2, 1, 4]
    out = concat_requests(list(merge([lane(i) for i in order], [10.0 * i for i in order])))
    assert (np.diff(out.completed_at) > 0).all()
    assert most[0] <= 2


def test_one_batch_of_each_reader_is_held():
    asked = [0, 0]

    def lane(i, step):
        for k in range(100):
            asked[i] += 1
            yield requests_of(1, completed_at=np.array([k * step]))

    merged = merge([lane(0, 1.0), lane(1, 100.0)])
    for _ in range(50):
        next(merged)
    assert asked[1] <= 2


@pytest.mark.parametrize("cut", [1, 3, 40])
def test_however_a_log_is_cut_the_rows_are_the_same(cut, tmp_path):
    rows = [{"request_id": str(i), "completed_at": 100.0 + i, "latency": 1.0, "pod": f"p{i % 3}"} for i in range(300)]
    for i in range(cut):
        part = rows[i::cut] if cut == 3 else rows[i * 300 // cut : (i + 1) * 300 // cut]
        (tmp_path / f"{(i * 7) % cut:03d}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in part))
    out = concat_requests(list(read_requests(tmp_path, Config(), Quarantine())))
    assert out.completed_at.tolist() == [row["completed_at"] for row in rows]
    assert out.labels["replica"].to_list() == [row["pod"] for row in rows]

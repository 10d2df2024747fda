import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.ticks.watermark import ENOUGH, JUMP_S, Watermark
from tests.ticks.test_builder import batch, collected

SOON = st.floats(0.0, JUMP_S)
WILD = st.lists(st.floats(2e9, 4e9), max_size=ENOUGH - 1)


def marked(*parts):
    mark = Watermark()
    for part in parts:
        mark.advance(np.array(part, float))
    return mark


@given(st.lists(SOON, min_size=1), WILD, st.randoms(use_true_random=False), st.integers(0, 40))
def test_a_few_wrong_clocks_move_nothing_whatever_the_order_and_the_cut(soon, wild, random, cut):
    events = soon[1:] + wild
    events = soon[:1] + random.sample(events, len(events))
    for parts in ([events], [events[: cut + 1], events[cut + 1 :]], [[at] for at in events]):
        mark = marked(*parts)
        assert mark.value == max(soon)
        assert sorted(mark.ahead.tolist()) == sorted(wild)


@given(st.integers(1, ENOUGH))
def test_enough_events_are_believed_however_they_come(batch_size):
    later = [5e6 + k for k in range(ENOUGH)]
    parts = [later[k : k + batch_size] for k in range(0, ENOUGH, batch_size)]
    mark = marked([7.0], *parts[:-1])
    assert mark.value == 7.0
    mark.advance(np.array(parts[-1]))
    assert (mark.value, len(mark.ahead)) == (later[-1], 0)


def test_time_never_goes_back_and_begins_before_all():
    mark = marked([])
    assert mark.value == -np.inf
    seen = []
    for at in ([100.0, 50.0], [20.0], [], [3000.0], [3000.0 - JUMP_S]):
        mark.advance(np.array(at))
        seen.append(mark.value)
    assert seen == [100.0, 100.0, 100.0, 3000.0, 3000.0]


def test_one_wrong_clock_makes_no_request_late():
    rows = [{"completed_at": 10.0 * k} for k in range(1, 30)]
    wrong = batch({"completed_at": 4e9})
    ticks, builder = collected([batch(*rows[:5]), wrong, *(batch(row) for row in rows[5:])])
    assert (builder.late, builder.ahead, builder.taken) == (0, 1, 29)
    assert ticks.requests.sum() == 29


def test_a_pause_of_days_is_passed_over():
    rows = [{"completed_at": at} for at in (*range(10, 30), *range(900_010, 900_030))]
    for parts in ([batch(*rows)], [batch(row) for row in rows]):
        ticks, builder = collected(parts)
        assert (builder.late, builder.ahead, builder.taken) == (0, 0, 40)
        assert ticks.tick[-1] == 900_029 // 5

import numpy as np
import pytest

from driftwatch.events.columns import Coded, requests_of
from driftwatch.ticks.names import Names


def requests(**labels):
    n = len(next(iter(labels.values())))
    return requests_of(n, completed_at=np.arange(n), labels={name: Coded.of(values) for name, values in labels.items()})


def test_numbers_follow_the_first_appearance_in_event_time_not_the_codes():
    names = Names(("model",), 9)
    rows = requests(model=["a", "b", "c"]).take(np.array([2, 0, 2, 1]))
    assert names.numbers(rows).tolist() == [0, 1, 0, 2]
    assert [names.title(k) for k in range(3)] == ["model=c", "model=a", "model=b"]
    assert names.numbers(requests(model=["b", "d"])).tolist() == [2, 3]


def test_labels_are_combined_and_one_that_is_missing_is_left_out():
    names = Names(("model", "route"), 9)
    rows = requests(model=["a", "a", None, None], route=["/x", None, "/x", None], tenant=["t", "t", "t", "t"])
    assert names.numbers(rows).tolist() == [0, 1, 2, 3]
    assert [names.title(k) for k in range(4)] == ["model=a,route=/x", "model=a", "route=/x", "all"]
    assert names.where(0) == {"model": "a", "route": "/x"}
    assert names.numbers(requests(route=["/x"])).tolist() == [2]
    assert names.numbers(requests(tenant=["t"])).tolist() == [3]


def test_beyond_the_limit_all_are_other_and_every_request_is_counted():
    names = Names(("model",), 2)
    assert names.numbers(requests(model=["a", "b", "c", "d", "c", "a"])).tolist() == [0, 1, 2, 2, 2, 0]
    assert names.overflow == 3
    assert names.numbers(requests(model=["c", "b"])).tolist() == [2, 1]
    assert names.overflow == 4
    assert (names.title(2), names.where(2)) == ("other", {"other": "other"})
    assert len(names.known) == 2


def test_the_order_of_the_settings_is_the_order_of_the_labels():
    assert Names(("route", "model"), 9).numbers(requests(model=["a"], route=["/x"])).tolist() == [0]
    names = Names(("route", "model"), 9)
    names.numbers(requests(model=["a"], route=["/x"]))
    assert names.title(0) == "route=/x,model=a"


@pytest.mark.parametrize("values", [["", "a"], ["a=b", "a,b"], ["é", "\n"]])
def test_any_text_is_a_value(values):
    names = Names(("model",), 9)
    assert names.numbers(requests(model=values)).tolist() == [0, 1]
    assert [names.where(k)["model"] for k in range(2)] == values

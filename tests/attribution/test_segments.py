from itertools import product

import numpy as np
import pytest

from driftwatch.attribution.segments import Cells, find_segments

REPLICAS, TENANTS = ("a", "b", "c"), ("chat", "batch")


def traffic(hit=None, *, size=0.8, slow=None, requests=60, seed=0) -> Cells:
    """Requests over replicas and tenants, of which some were hit by ``size`` and some were always slow."""
    rng = np.random.default_rng(seed)
    combinations = list(product(REPLICAS, TENANTS))
    where = [{"replica": r, "tenant": t} for r, t in combinations]
    rows = {"before": [], "after": []}
    for labels in where:
        always = 1.0 if slow and slow.items() <= labels.items() else 0.0
        grown = size if hit is not None and hit.items() <= labels.items() else 0.0
        rows["before"].append(rng.normal(always, 0.3, 2 * requests))
        rows["after"].append(rng.normal(always + grown, 0.3, requests))
    return Cells(
        labels={key: [labels[key] for labels in where] for key in ("replica", "tenant")},
        **{f"n_{side}": np.array([float(len(x)) for x in rows[side]]) for side in rows},
        **{f"sum_{side}": np.array([x.sum() for x in rows[side]]) for side in rows},
        **{f"squares_{side}": np.array([(x**2).sum() for x in rows[side]]) for side in rows},
    )


@pytest.mark.parametrize("hit", [{"replica": "a"}, {"tenant": "batch"}, {"replica": "b", "tenant": "chat"}])
@pytest.mark.parametrize("seed", range(5))
def test_the_exact_part_is_found(hit, seed):
    first, *_ = find_segments(traffic(hit, seed=seed), signal="ttft")
    assert first.where == hit
    assert first.share > 0.7
    assert first.lift > 2
    assert first.signal == "ttft"


def test_two_parts_that_were_hit_are_both_found():
    cells = traffic({"replica": "a"}, size=1.5)
    also = traffic({"replica": "b"}, size=1.0, seed=1)
    b = np.array([value == "b" for value in cells.labels["replica"]])
    arrays = {
        name: np.where(b, getattr(also, name), getattr(cells, name))
        for name in ("n_before", "n_after", "sum_before", "sum_after", "squares_before", "squares_after")
    }
    found = find_segments(Cells(cells.labels, **arrays))
    assert [part.where for part in found] == [{"replica": "a"}, {"replica": "b"}]


def test_an_improvement_is_found_the_same_way():
    first, *_ = find_segments(traffic({"replica": "a"}, size=-0.8))
    assert first.where == {"replica": "a"}
    assert first.after < first.before


@pytest.mark.parametrize("seed", range(10))
def test_nobody_is_named_when_all_were_hit_alike(seed):
    assert find_segments(traffic({}, seed=seed)) == ()


@pytest.mark.parametrize("seed", range(10))
def test_a_part_that_was_always_slow_is_not_named(seed):
    assert find_segments(traffic(None, slow={"replica": "c"}, seed=seed)) == ()


def test_a_new_part_is_not_named_as_hit():
    cells = traffic({"replica": "a"})
    new = np.array([value == "batch" for value in cells.labels["tenant"]])
    arrays = {name: np.where(new, 0.0, getattr(cells, name)) for name in ("n_before", "sum_before", "squares_before")}
    cells = Cells(
        cells.labels,
        n_after=cells.n_after,
        sum_after=cells.sum_after + 3.0 * new,
        squares_after=cells.squares_after,
        **arrays,
    )
    assert [part.where for part in find_segments(cells)] == [{"replica": "a"}]


def test_missing_labels_and_single_values_say_nothing():
    cells = traffic({"replica": "a"})
    one = Cells({"replica": [None] * 6, "model": ["m"] * 6}, *(getattr(cells, n) for n in list(Cells.__slots__)[1:]))
    assert find_segments(one) == ()

"""A process that follows a log is killed again and again: see benchmarks/kills.py, which does so two hundred times."""

from kills import measured


def test_no_transition_is_missing_or_told_otherwise():
    found = measured(6, seed=7)
    assert found["incidents"] == 1
    assert (found["missing"], found["unexpected"], found["different"]) == (0, 0, 0)
    assert found["left_behind"] <= 1

"""A case that fails costs itself alone, and a run goes on where it stopped."""

from __future__ import annotations

import sys

import pytest

workers = pytest.importorskip("scoring.workers", reason="the benchmarks are not beside the tests")
CHILD = """
import json, os, sys
for line in sys.stdin:
    case = json.loads(line)
    if case["name"] == "dies":
        os._exit(7)
    print(json.dumps({"error": "no"} if case["name"] == "fails" else {"twice": 2 * case["seed"]}), flush=True)
"""


def case(name, seed):
    return workers.Case(name, "moderate", seed)


@pytest.mark.parametrize("processes", [1, 2])
def test_all_others_are_answered_when_one_dies(processes):
    asked = [case("good", 1), case("dies", 2), case("fails", 3), case("good", 4), case("good", 5)]
    rows = {row["seed"]: row for row in workers.answered(asked, [sys.executable, "-c", CHILD], processes)}
    assert sorted(rows) == [1, 2, 3, 4, 5]
    assert [rows[seed].get("twice") for seed in (1, 4, 5)] == [2, 8, 10]
    assert "ended with 7" in rows[2]["error"]
    assert rows[3]["error"] == "no"


def test_what_was_measured_is_not_measured_again(tmp_path):
    log = pytest.importorskip("scoring.log")
    path = tmp_path / "log" / "facts.jsonl"
    rows = [
        {"name": "a", "severity": "mild", "seed": 3, "x": 1},
        {"name": "b", "severity": "mild", "seed": 3, "error": ""},
    ]
    assert log.kept(path) == {}
    assert list(log.recorded(path, rows)) == rows
    with path.open("a") as cut_short:
        cut_short.write('{"name": "c", "sev')
    assert log.kept(path) == {workers.Case("a", "mild", 3): rows[0]}


def test_seeds_of_development_and_of_the_score_never_meet():
    cases = pytest.importorskip("scoring.cases")
    seeds = {which: {c.seed for c in cases.cases(which, 1000, 8, 1000)} for which in cases.FIRST_SEED}
    assert not seeds["development"] & seeds["score"]
    once = list(cases.cases("score", 3, 2, 4))
    assert len(set(once)) == len(once)

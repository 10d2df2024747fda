"""Counts, intervals and quantiles of the table, from verdicts made by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("scipy")
totals = pytest.importorskip("scoring.totals", reason="the benchmarks are not beside the tests")
targets = pytest.importorskip("scoring.targets")
page = pytest.importorskip("scoring.page")
NAMES = {"kv_hog": 20, "fp8_kv_cache": 11, "healthy": 0}


def verdict(name="kv_hog", seed=0, severity="moderate", **other):
    control = name == "healthy"
    found = None if control else True
    row = {"name": name, "severity": severity, "seed": seed, "number": NAMES[name], "title": name}
    row |= {"control": control, "telemetry": True, "asked": name == "kv_hog", "detected": found, "kind": found}
    row |= {"delay": None if control else 60.0, "onset_error": None if control else 5.0, "silent": found}
    row |= {"segment": None, "cause": None if control else "right", "claims": not control, "false": 0, "hours": 12.0}
    row |= {"false_first": False, "false_any": False, "cpu": {"simulate": 1.0, "scan": 2.0}, "requests": 100}
    rival = {"detected": found, "delay": None if control else 100.0, "false": 3, "hours": 6.0}
    return row | {"rivals": {"thresholds": rival, "ADWIN": rival}} | other


def test_a_row_counts_what_the_question_arises_for():
    missed = {"detected": False, "delay": None, "onset_error": None, "kind": None, "silent": None, "cause": None}
    verdicts = [verdict(seed=0), verdict(seed=1, delay=120.0, cause="abstained"), verdict(seed=2, **missed)]
    row = totals.summed(verdicts, "kv_hog")
    assert (row["detected"]["k"], row["detected"]["n"]) == (2, 3)
    assert row["delay"]["median"] == 90.0
    assert row["typical"] == 120.0
    assert [row[name]["share"] for name in ("right", "abstained", "wrong", "right_of_claims")] == [0.5, 0.5, 0.0, 1.0]
    assert row["segment"] is None
    assert row["false"] == {"k": 0, "hours": 36.0, "rate": 0.0, "low": 0.0, "high": pytest.approx(3.689 * 20, rel=1e-3)}
    assert row["rivals"]["ADWIN"]["false"]["rate"] == pytest.approx(9 / 18 * 720)


def test_what_most_cases_never_detect_has_no_typical_delay():
    missed = {"detected": False, "delay": None}
    assert totals.typical([verdict(), verdict(**missed), verdict(**missed)]) is None
    assert totals.typical([]) is None


def test_intervals_are_exact_ones():
    share = totals.share([True] * 31 + [False])
    assert (share["low"], share["high"]) == (pytest.approx(0.8378, abs=1e-4), pytest.approx(0.9992, abs=1e-4))
    assert totals.share([True] * 5)["high"] == 1.0
    assert totals.share([None]) is None
    assert totals.rate([(0, 0.0)]) is None


def test_only_moderate_is_scored_and_totals_keep_apart_what_is_asked_for():
    verdicts = [verdict(n, s) for n in ("healthy", "fp8_kv_cache", "kv_hog") for s in range(2)]
    verdicts.append(verdict(severity="mild"))
    rows = totals.table(verdicts)
    assert [row["title"] for row in rows[:3]] == ["kv_hog", "fp8_kv_cache", "healthy"]
    assert [(row["title"], row["cases"]) for row in rows[3:]] == [
        (totals.ASKED, 2),
        (totals.OTHERS, 2),
        (totals.HEALTHY, 2),
    ]
    assert [row["severity"] for row in totals.by_severity(verdicts)] == ["mild", "moderate", "moderate"]
    verdict_of = {what: said for what, _, _, said in targets.targets(rows)}
    assert verdict_of["detected"] == "met"
    assert verdict_of["cases with a false cause claim"] == "met, but too few cases"


def test_every_row_of_the_page_has_a_cell_for_every_column():
    verdicts = [verdict(n) for n in NAMES] + [verdict(severity="severe", detected=False, delay=None)]
    machine = {"cpu": "one core", "python": "3", "packages": {}}
    run = {"which": "development", "seeds": {"moderate": (0, 0)}, "cases": 4, "requests": 400, "hours": 4.0}
    made = {"run": run | {"config": "c", "machine": machine}, "table": totals.table(verdicts), "errors": []}
    lines = page.page(made | {"severities": totals.by_severity(verdicts)}).splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("| # |"))
    table = lines[begin : begin + 8]
    assert {line.count("|") for line in table} == {len(page.HEAD) + 1}

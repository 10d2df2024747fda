"""The rules by which the benchmark of causes counts."""

import pytest

pytest.importorskip("scipy")

from attributing.page import page
from attributing.totals import first_cause, totals
from attributing.trials import ERRORS_S, MEASURED, SCRAPES_S, trials

EXACT = str(ERRORS_S[0])


def cause(name, tier="supported", share=(0.5, 0.9), **scope):
    return {"name": name, "tier": tier, "share": list(share), "scope": scope}


def row(*causes, name="kv_hog", withheld=False, share=0.7):
    truth = {"title": name, "causes": ["kv_cache_usage", "traffic{tenant=batch}"], "chain": ["prefix_hit_rate"]}
    rivals = {"BARO nsigma": {"all": "queue", "with roles": "traffic{tenant=batch}"}}
    answers = {str(error): {"cpu": 0.1, "causes": list(causes)} for error in ERRORS_S}
    return {
        "name": name,
        "withheld": withheld,
        "truth": truth,
        "share": share,
        "answers": answers,
        "rivals": rivals,
        "candidates": 50,
    }


@pytest.mark.parametrize(
    ("causes", "said"),
    [
        ([cause("kv_cache_usage"), cause("decoy")], "right"),
        ([cause("traffic", tenant="batch")], "right"),
        ([cause("traffic", tenant="chat")], "wrong"),
        ([cause("decoy")], "wrong"),
        ([cause("kv_cache_usage", "consistent")], "abstained"),
        ([], "abstained"),
    ],
)
def test_only_what_is_supported_is_a_claim(causes, said):
    assert first_cause(row(*causes), EXACT) == said


def test_what_is_counted():
    rows = [
        row(cause("kv_cache_usage")),
        row(cause("kv_cache_usage", share=(0.8, 0.9)), cause("decoy")),
        row(cause("prefix_hit_rate")),
        row(cause("decoy"), withheld=True),
        row(cause("kv_cache_usage", "consistent"), name="vram_overcommit"),
    ]
    found = totals(rows)
    assert (found["incidents"], found["measured"], found["hidden"]) == (5, 3, 2)
    assert [found["first"][EXACT][name]["count"] for name in ("right", "wrong", "abstained")] == [2, 1, 0]
    assert found["false"]["count"] == 2  # the decoys; a link of the chain is not false
    assert found["false_hidden"]["count"] == 1
    assert (found["shares"]["covered"]["count"], found["shares"]["covered"]["of"]) == (1, 2)
    assert found["rivals"]["BARO nsigma"]["with roles"]["count"] == 3
    machine = {"cpu": "a CPU", "python": "3", "packages": {}}
    assert "| BARO nsigma |" in page(found | {"which": "score", "machine": machine})


def test_the_score_has_enough_incidents_and_none_of_those_looked_at_before():
    score, development = (list(trials(which, 16)) for which in ("score", "development"))
    assert len(score) >= 400
    assert {trial.scrape_s for trial in score} == set(SCRAPES_S)
    assert {trial.name for trial in score if trial.measured} == set(MEASURED)
    assert not {trial.seed for trial in score} & {trial.seed for trial in development}

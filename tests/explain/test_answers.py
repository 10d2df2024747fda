"""Words and a picture on how answers changed; strangers' text stays text."""

import pytest

from driftwatch.explain import answers, render
from driftwatch.incidents.models import AnswerChange, Example, KindMove, Term, Trait
from tests.explain.test_golden import SAMPLE

PARTS = {
    "traits": (
        Trait(name="words", before=20.0, after=35.0),
        Trait(name="refusal", before=0.01, after=0.2, unit="share"),
    ),
    "more": (Term(text="however", before=0.1, after=0.4),),
    "fewer": (Term(text="certainly", before=0.5, after=0.1),),
    "kinds": (KindMove(kind=3, before=0.1, after=0.4, terms=("i'm sorry",)),),
    "examples": (
        Example(request_id="r1", at=0.0),
        Example(request_id="r<2>", at=1.0, excerpt="<script>alert(1)</script>"),
    ),
}


def changed(**parts):
    return SAMPLE.model_copy(update={"answers": AnswerChange(before=500, after=100, **(PARTS | parts))})


def test_what_changed_is_said_in_the_order_of_its_clearness():
    said = list(answers.told(changed()))
    assert said[0] == "100 answers since then against 500 that were learnt from"
    assert said[1] == "words 20 -> 35; refusals 1% -> 20%"
    assert 'more answers say "however" (10% -> 40%)' in said
    assert 'fewer answers say "certainly" (50% -> 10%)' in said
    assert 'answers of kind 3 grew 10% -> 40% (they often say "i\'m sorry")' in said
    assert any(line.startswith("look at requests r1, r<2>") for line in said)


def test_where_nothing_moved_clearly_that_is_said():
    nothing = dict.fromkeys(PARTS, ())
    assert any("spread over many" in line for line in answers.told(changed(**nothing)))
    assert answers.figure(changed(**nothing), 900) == ""
    assert list(answers.told(SAMPLE)) == []
    assert answers.figure(SAMPLE, 900) == ""


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_every_format_tells_it_and_escapes_what_strangers_wrote(format):
    page = render(changed(), format)
    assert "however" in page
    assert format != "html" or "<script>alert" not in page
    assert format != "markdown" or r"\<script>alert" in page


def test_the_picture_has_before_and_since_of_each_phrase_and_kind():
    drawn = answers.figure(changed(), 900)
    assert drawn.startswith("<svg")
    for word in ("however", "certainly", "kind 3", "before (ring), since (dot)"):
        assert word in drawn

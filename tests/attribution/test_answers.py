"""How answers changed, from what is kept of them."""

import numpy as np
import pytest

from driftwatch.attribution.answers import change_of
from driftwatch.baseline import ResponseBaseline
from driftwatch.config import Text
from driftwatch.embedding.reading import TextReader
from driftwatch.events.columns import requests_of
from driftwatch.events.texts import Texts
from driftwatch.ticks.answered import Answered
from tests.spoken import spoken

EACH = 4


def heard(after, keep_text=False):
    """A stream that learnt from real answers, and then hears these responses."""
    reader = TextReader(Text(dimensions=64, keep_text=keep_text))
    healthy = reader.read(spoken(0, 110)).answers
    baseline = ResponseBaseline(Text(dimensions=64))
    take(baseline, healthy, 0)
    n = len(after)
    texts = Texts.of(n, prompt=["Why?"] * n, response=after, name=[f"new-{k}" for k in range(n)])
    take(baseline, reader.read(requests_of(n, texts=texts)).answers, 1000)
    return baseline


def take(baseline, said, first):
    n = len(said)
    tick = first + np.arange(n) // EACH
    for start in range(0, n, 24 * EACH):
        rows = slice(start, start + 24 * EACH)
        one = np.zeros(len(tick[rows]), np.int64)
        ids = np.arange(start, start + len(one)).astype(np.uint64) + np.uint64(first + 1)
        baseline.hear(Answered(tick[rows], one, one, np.arange(len(one)), ids, one - 1, one - 1, said.take(rows)))
        baseline.start()


def test_longer_answers_that_say_something_else_are_told_as_that():
    change = change_of(
        heard(["Certainly! However, it is important to note that " + "it depends, " * 60] * 80), 1000, 2000
    )
    assert change.after == 80
    traits = {t.name: t for t in change.traits}
    assert traits["commas"].after > 3 * traits["commas"].before
    assert "certainly" in {t.text for t in change.more}
    assert all(t.after > t.before for t in change.more)
    assert all(t.after < t.before for t in change.fewer)
    assert change.kinds
    assert [e.request_id.startswith("new-") for e in change.examples] == [True] * 3
    assert {e.excerpt for e in change.examples} == {""}


def test_excerpts_are_there_where_texts_may_be_kept():
    change = change_of(heard(["Plum pudding. " * 9] * 40, keep_text=True), 1000, 2000)
    assert change.examples[0].excerpt.startswith("Plum pudding.")


@pytest.mark.parametrize("last", [999, 1001])
def test_too_few_answers_are_not_compared(last):
    assert change_of(heard(["Yes."] * 40), 1000, last) is None


def test_a_stream_that_says_nothing_has_not_changed():
    assert change_of(None, 0, 10) is None
    assert change_of(ResponseBaseline(Text()), 0, 10) is None

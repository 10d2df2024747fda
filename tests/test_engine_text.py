"""The engine on streams that say something: found, told, and the same however they are cut."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.engine.state import engine_state, take_engine_state
from driftwatch.events.columns import Requests
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.models import Incident
from driftwatch.state import pack, unpack
from tests.sameness import assert_same, facts
from tests.spoken import rows, spoken, with_texts
from tests.traffic import START

SINCE = 150
QUICK = Config.parse({"attribution": {"permutations": 99}, "text": {"dimensions": 64}})


def run(batches: list[Requests], config: Config = QUICK) -> list[Incident]:
    engine = Engine(config, keep_series=True)
    found: list[Incident] = []
    for batch in batches:
        engine.add(batch)
        found += engine.advance()
    return found + engine.finish()


def said(found: list[Incident]) -> set[str]:
    """Signals of what is said that were told."""
    return {f.signal for i in found for f in i.findings if BY_NAME[f.signal].text}


@cache
def swapped() -> Requests:
    """A stream that another model answers from a tick on."""
    return spoken(1, 200, since=SINCE)


@cache
def expected() -> list[Incident]:
    """The transitions of the stream read at once."""
    return run([swapped()])


def test_another_model_is_heard_within_a_hundred_answers() -> None:
    first = expected()[0]
    assert len({i.id for i in expected()}) == 1
    assert first.findings[0].signal in ("answer_shift", "answer_jump")
    changed_at = START + 5.0 * SINCE
    assert abs(first.onset.timestamp() - changed_at) <= 30
    answers = (swapped().at >= changed_at) & (swapped().at < first.opened_at.timestamp() - 10.0)
    assert 0 < answers.sum() <= 100
    assert not {f.signal for f in expected()[-1].findings} & {"ttft", "itl", "latency"}


def test_it_says_how_answers_changed_and_which_requests_show_it() -> None:
    change = expected()[-1].answers
    assert change is not None
    assert change.after >= 100
    assert change.traits or change.more or change.fewer
    assert all(t.after > t.before for t in change.more)
    assert all(t.after < t.before for t in change.fewer)
    assert swapped().texts is not None
    names = dict(zip(swapped().texts.name.tolist(), swapped().at.tolist(), strict=True))
    assert len(change.examples) == 3
    for example in change.examples:
        assert example.excerpt == ""
        assert names[example.request_id] == pytest.approx(example.at, abs=1e-3)
        assert example.at >= START + 5.0 * SINCE


def test_texts_are_kept_only_where_that_is_asked_for() -> None:
    kept = run([swapped()], Config.parse({**QUICK.model_dump(), "text": {"dimensions": 64, "keep_text": True}}))
    change = kept[-1].answers
    assert change is not None
    assert swapped().texts is not None
    every = [text[:100] for text in swapped().texts.response]
    assert all(example.excerpt[:100] in every for example in change.examples)


@given(cuts=st.lists(st.integers(0, 1000), max_size=8))
@settings(max_examples=3, deadline=None)
def test_any_cut_into_batches_gives_the_same_transitions(cuts: list[int]) -> None:
    edges = [0, *sorted(c for c in cuts if c < len(swapped())), len(swapped())]
    parts = [swapped().take(np.arange(a, b)) for a, b in pairwise(edges) if b > a]
    assert_same(facts(run(parts)), facts(expected()))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=2, deadline=None)
def test_order_within_the_lateness_window_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    delayed = np.argsort(swapped().at + rng.random(len(swapped())) * 9.9, kind="stable")
    pieces = np.array_split(delayed, 23)
    assert_same(facts(run([swapped().take(piece) for piece in pieces])), facts(expected()))


def test_the_same_model_is_quiet() -> None:
    for seed in (2, 3):
        assert run([spoken(seed, 400)]) == []


def said_anew() -> Requests:
    """Forty prompts, each answered word for word as before, until all of them are answered in another way."""
    batch = spoken(3, 260, prompts=slice(40), varied=False)
    assert batch.texts is not None
    tick = np.floor((batch.at - START) / 5.0)
    answers = {row["prompt"]: row["answers"] for row in rows()}
    found = [answers[str(p)] for p in batch.texts.prompt]
    return with_texts(batch, [a["good"][0] if t < 190 else a["good"][1] for a, t in zip(found, tick, strict=True)])


def test_the_same_model_that_samples_anew_is_no_change_where_answers_repeat() -> None:
    engine = Engine(QUICK, keep_series=True)
    engine.add(said_anew())
    found = engine.advance() + engine.finish()
    assert not said(found)
    (watch,) = engine.watches.values()
    assert any("word for word" in reason for reason in watch.refused)


def test_other_prompts_are_workload_and_no_change_of_the_model() -> None:
    found = run([spoken(4, 300, since=SINCE, other="good", prompts=slice(0, 80), prompts_since=slice(80, None))])
    assert {i.kind for i in found} <= {"workload"}


def test_empty_and_garbled_answers_are_a_degradation() -> None:
    healthy = spoken(5, 220)
    late = healthy.at >= START + 5.0 * SINCE
    assert healthy.texts is not None
    answers = healthy.texts.response.tolist()
    broken = [
        ("" if k % 4 == 0 else "!!!!!!!!!!!!" if k % 4 == 1 else a) if b else a
        for k, (a, b) in enumerate(zip(answers, late, strict=True))
    ]
    found = run([with_texts(healthy, broken)])
    assert {i.kind for i in found} == {"degradation"}
    assert {"empty_share", "garbled_share"} <= said(found)


@pytest.mark.parametrize(("good", "kind"), [("high", "degradation"), ("low", "improvement"), ("unknown", "change")])
def test_a_score_that_falls_means_what_the_user_says_it_means(good: str, kind: str) -> None:
    stream = spoken(6, 240)
    late = stream.at >= START + 5.0 * SINCE
    rng = np.random.default_rng(0)
    judge = np.clip(rng.normal(0.8, 0.1, len(stream)) - 0.2 * late, 0.0, 1.0)
    scored = replace(stream, texts=None, scores={"judge": judge})
    found = run([scored], Config.parse({"text": {"scores": {"judge": good}}, "attribution": {"permutations": 99}}))
    assert [i.kind for i in found[:1]] == [kind]
    lead = found[-1].findings[0]
    assert lead.signal.endswith(":judge")
    assert (lead.before, lead.after) == (pytest.approx(0.8, abs=0.05), pytest.approx(0.6, abs=0.05))


def test_prompts_that_are_cut_are_seen_though_every_answer_is_fine() -> None:
    stream = spoken(7, 240)
    assert stream.texts is not None
    words = np.array([len(text.split()) for text in stream.texts.prompt], np.float64)
    tokens = np.rint(1.4 * words + 30)
    cut = np.where(stream.at >= START + 5.0 * SINCE, np.minimum(tokens, 36.0), tokens)
    found = run([replace(stream, prompt_tokens=cut)])
    assert "degradation" in {i.kind for i in found}
    assert "prompt_read" in said(found)


def test_with_text_switched_off_nothing_is_heard() -> None:
    assert said(run([swapped()], Config.parse({"text": {"read": False}}))) == set()


def test_a_stream_without_text_has_no_detectors_of_text() -> None:
    engine = Engine(QUICK)
    engine.add(replace(spoken(8, 100), texts=None))
    engine.finish()
    (watch,) = engine.watches.values()
    assert watch.text.panels == ()
    assert not any(test.signal == "answer_shift" for test in watch.tests.values())


def test_what_was_learnt_of_answers_is_taken_up_elsewhere(tmp_path: Path) -> None:
    engine = Engine(QUICK)
    engine.add(spoken(10, 200))
    engine.advance()
    engine.finish()
    engine.learnt().save(tmp_path / "healthy.npz")
    found = []
    for since, told in ((None, False), (20, True)):
        watching = Engine(QUICK, baseline=Baseline.load(tmp_path / "healthy.npz"))
        watching.add(spoken(11, 60, since=since))
        found = watching.advance() + watching.finish()
        assert bool({"answer_shift", "answer_jump"} & said(found)) == told


def test_an_engine_that_is_saved_goes_on_with_answers_as_if_nothing_had_happened() -> None:
    stream = swapped()
    for cut in (300, 700, 820):
        one = Engine(QUICK, keep_series=True)
        one.add(stream.take(slice(0, cut)))
        found = one.advance()
        other = Engine(QUICK, keep_series=True)
        take_engine_state(other, unpack(*pack(engine_state(one))))
        other.add(stream.take(slice(cut, None)))
        found += other.advance() + other.finish()
        assert_same(facts(found), facts(expected()))

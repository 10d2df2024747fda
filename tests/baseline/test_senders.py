"""Sizes are judged given who sends and how long the prompt is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.baseline.senders import Senders, sender_of
from driftwatch.config import Config
from driftwatch.engine import Engine
from tests.traffic import START, traffic

SINCE = 160


def spoken(seed, *, batch=0.3, batch_since=0.3, found=0.9, found_since=0.9):
    """Two tenants: one whose prompts the prefix cache has and who gets long answers, and one for whom neither holds."""
    requests = traffic(seed, ticks=360, rate=6.0)
    rng = np.random.default_rng(seed)
    late = requests.at >= START + 5.0 * SINCE
    tenant = (rng.random(len(requests)) < np.where(late, batch_since, batch)).astype(np.int32)
    share = np.where(tenant == 1, 0.0, np.where(late, found_since, found)) * rng.uniform(0.9, 1.0, len(requests))
    labels = dict(requests.labels)
    labels["tenant"] = replace(labels["tenant"], codes=tenant)
    return replace(
        requests,
        cached_tokens=np.floor(requests.prompt_tokens * share),
        output_tokens=requests.output_tokens * np.where(tenant == 1, 1.0, 3.0),
        labels=labels,
    )


def moved(requests):
    engine = Engine(Config())
    engine.add(requests)
    found = engine.advance() + engine.finish()
    return {(i.kind, f.signal) for i in found for f in i.findings}


def test_another_mix_of_senders_changes_neither_lengths_nor_the_prefix_cache():
    sizes = {signal for _, signal in moved(spoken(0, batch_since=0.7))}
    assert not sizes & {"output_length", "prefill_share"}


def test_a_prefix_cache_that_finds_less_is_a_degradation_and_one_that_finds_more_is_nothing():
    assert ("degradation", "prefill_share") in moved(spoken(1, found_since=0.6))
    assert "prefill_share" not in {signal for _, signal in moved(spoken(1, found=0.6, found_since=0.9))}


def test_a_replica_is_not_a_sender():
    assert sender_of({"replica": "a", "tenant": "t", "adapter": "x"}) == "tenant=t,adapter=x"
    assert sender_of({"replica": "a"}) == ""


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 127), st.floats(-3, 3), st.integers(1, 50)), min_size=1, max_size=60
    ),
    st.integers(0, 60),
)
def test_levels_are_the_same_however_they_were_learnt_and_after_a_restore(rows, cut):
    segment, prompt, residual, count = (np.array(column) for column in zip(*rows, strict=True))
    whole, parts = Senders(str), Senders(str)
    whole.learn(segment, prompt, residual, count.astype(float))
    for part in (slice(cut), slice(cut, None)):
        parts.learn(segment[part], prompt[part], residual[part], count[part].astype(float))
    again = Senders(str)
    again.restore(whole.array())
    for senders in (whole, parts):
        senders.settle()
    expected = whole.levels(segment, prompt)
    assert parts.levels(segment, prompt) == pytest.approx(expected, nan_ok=True)
    assert again.levels(segment, prompt) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(Senders(str).levels(segment, prompt)).all()


def test_numbers_may_change_between_runs_for_names_are_kept():
    one, other = Senders(lambda k: "ab"[k]), Senders(lambda k: "ba"[k])
    one.learn(np.array([0, 1]), np.array([40, 40]), np.array([1.0, -1.0]), np.array([100.0, 100.0]))
    other.restore(one.array())
    assert other.levels(np.array([1, 0]), np.array([40, 40])).tolist() == pytest.approx([100 / 105, -100 / 105])

"""How answers changed: what they have more and less of, which kinds grew, and which requests show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline import ResponseBaseline
from driftwatch.baseline.response.model import ResponseModel
from driftwatch.embedding.phrases import PHRASES, unpacked
from driftwatch.embedding.reading import COUNTS, measured
from driftwatch.events.texts import Answers
from driftwatch.incidents.models import AnswerChange, Example, KindMove, Term, Trait
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.answered import Answered

FEWEST = 10
"""Answers on either side without which nothing is compared."""
_CLEAR = 3.5  # standard errors of a difference that is told: of some 300 compared, less than one by chance
_TRAITS, _TERMS, _KINDS, _EXAMPLES = 6, 6, 3, 3
_LENGTHS = ("characters", "words", "lines")  # of these the geometric mean is told: one long answer is not many


def change_of(response: ResponseBaseline | None, onset: int, last: int) -> AnswerChange | None:
    """Compare the answers since an onset with those that were learnt from.

    Parameters
    ----------
    response
        What is known of a stream's answers; None where it says nothing.
    onset, last
        The first tick of the change, and the last that is looked at.
    """
    if response is None or response.model is None:
        return None
    before, after = response.known.between(0, onset - 1), response.newest(onset, last)
    if min(len(before), len(after)) < FEWEST or before.said is None or after.said is None:
        return None
    return AnswerChange(
        before=len(before),
        after=len(after),
        traits=_traits(before.said, after.said),
        more=_terms(before.said, after.said, 1.0),
        fewer=_terms(before.said, after.said, -1.0),
        kinds=_kinds(response.model, before.said, after.said),
        examples=_examples(response.model, before.said, after),
    )


def _traits(before: Answers, after: Answers) -> tuple[Trait, ...]:
    """Features whose means differ most clearly."""
    old, new = measured(before), measured(after)
    found = []
    for name in (n for n in old if not n.startswith("asked_")):
        one, other = (_scaled(name, values[np.isfinite(values)]) for values in (old[name], new[name]))
        if min(len(one), len(other)) < FEWEST:
            continue
        error = np.sqrt(one.var() / len(one) + other.var() / len(other)) + 1e-9
        z = float(other.mean() - one.mean()) / float(error)
        if abs(z) >= _CLEAR:
            then, now = (_unscaled(name, float(x.mean())) for x in (one, other))
            unit = "" if name in (*COUNTS, "compressibility") else "share"
            found.append((abs(z), Trait(name=name, before=then, after=now, unit=unit)))
    return tuple(trait for _, trait in sorted(found, key=lambda pair: -pair[0])[:_TRAITS])


def _scaled(name: str, values: Floats) -> Floats:
    return np.log1p(values) if name in _LENGTHS else values


def _unscaled(name: str, value: float) -> float:
    return float(np.expm1(value)) if name in _LENGTHS else value


def _terms(before: Answers, after: Answers, sign: float) -> tuple[Term, ...]:
    """Phrases of the public list that clearly more, or clearly fewer, answers have."""
    old, new = unpacked(before.terms).mean(axis=0), unpacked(after.terms).mean(axis=0)
    z = sign * (new - old) / _error(old, len(before), new, len(after))
    order = np.argsort(-z)[:_TERMS]
    return tuple(Term(text=PHRASES[k], before=float(old[k]), after=float(new[k])) for k in order if z[k] >= _CLEAR)


def _error(old: Floats, n: int, new: Floats, m: int) -> Floats:
    """Standard error of a difference of shares, each with one more hit and one more miss (Agresti & Caffo 2000)."""
    a, b = (old * n + 1.0) / (n + 2.0), (new * m + 1.0) / (m + 2.0)
    return np.sqrt(a * (1.0 - a) / (n + 2.0) + b * (1.0 - b) / (m + 2.0))


def _kinds(model: ResponseModel, before: Answers, after: Answers) -> tuple[KindMove, ...]:
    """Kinds whose shares clearly moved, each with the phrases that tell it from the others."""
    old, new = model.judge(before).kind, model.judge(after).kind
    n = len(model.centres)
    then, now = np.bincount(old, minlength=n) / len(old), np.bincount(new, minlength=n) / len(new)
    z = (now - then) / _error(then, len(old), now, len(new))
    order = np.argsort(-np.abs(z))[:_KINDS]
    terms = np.vstack([unpacked(before.terms), unpacked(after.terms)])
    kind = np.concatenate([old, new])
    return tuple(
        KindMove(kind=int(k) + 1, before=float(then[k]), after=float(now[k]), terms=_own(terms, kind == k))
        for k in order
        if abs(z[k]) >= _CLEAR
    )


def _own(terms: NDArray[np.bool_], inside: NDArray[np.bool_]) -> tuple[str, ...]:
    """Phrases that answers of a kind have more often than the others."""
    n, m = int(inside.sum()), int((~inside).sum())
    if min(n, m) < FEWEST:
        return ()
    own, others = terms[inside].mean(axis=0), terms[~inside].mean(axis=0)
    z = (own - others) / _error(others, m, own, n)
    return tuple(PHRASES[k] for k in np.argsort(-z)[:4] if z[k] >= _CLEAR)


def _examples(model: ResponseModel, before: Answers, after: Answered) -> tuple[Example, ...]:
    """The answers that went furthest the way that all went."""
    assert after.said is not None
    then, now = model.judge(before).answer, model.judge(after.said).answer
    way = now.mean(axis=0) - then.mean(axis=0)
    order = np.argsort(-np.einsum("ij,j->i", now, way))[:_EXAMPLES]
    return tuple(
        Example(
            request_id=_text(after.said.name[k]),
            at=float(after.moment[k] / 1e6),
            excerpt=_text(after.said.excerpt[k]),
        )
        for k in order
    )


def _text(data: bytes) -> str:
    return bytes(data).decode("utf-8", "replace")

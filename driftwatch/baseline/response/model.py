"""Answers given their prompts: a ridge regression with its own uncertainty, and what it leaves unexplained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.response.columns import ASKED, BOUND, SAID, Columns, Text, shape_of
from driftwatch.baseline.response.kinds import centres_of, kind_of
from driftwatch.baseline.response.reduction import Reduction
from driftwatch.embedding.reading import LENGTH_ONE, measured
from driftwatch.events.texts import Answers
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.exact import Shorts, product, whole, whole_matrix

_GIVEN = 64  # reduced numbers of a prompt that an answer is predicted from
_DOUBT = 100.0  # the penalty that predictive variances are computed with: the typical best one
_PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


@dataclass(frozen=True, slots=True)
class Left:
    """What prompts do not explain of n answers, and the prompts themselves.

    Parameters
    ----------
    prompt, answer
        Shape (n, p) and (n, k): reduced numbers.
    match
        Shape (n,): how close answers lie to their prompts, beyond what is usual for such prompts.
    spread
        Shape (n,): logarithm of how far they lie from what was expected.
    novelty
        Shape (n,): logarithm of how far the prompts lie from the usual ones.
    kind
        Shape (n,): which kind they are.
    """

    prompt: Floats
    answer: Floats
    match: Floats
    spread: Floats
    novelty: Floats
    kind: NDArray[np.intp]


@saved
@dataclass(frozen=True, slots=True)
class ResponseModel:
    """What answers are like given their prompts.

    Parameters
    ----------
    asked, said
        How prompts and answers become columns.
    given, left
        How the columns of prompts, and what is left of those of answers, become fewer.
    weights, step
        Shape (1 + g, c + 1): of the regression, as whole numbers, and what one is worth; its last column is the match.
    scale
        Shape (c + 1,): deviation of what is left.
    doubt
        Shape (1 + g, 1 + g): of the regression's predictive variance, as a share of the noise.
    centres
        Of the kinds.
    """

    asked: Columns
    said: Columns
    given: Reduction
    left: Reduction
    weights: Shorts
    step: float
    scale: Floats
    doubt: Floats
    centres: Floats

    @classmethod
    def fit(cls, answers: Answers) -> ResponseModel:
        """Learn from healthy answers that will not be judged by it.

        References
        ----------
        Golub, Heath, Wahba (1979), "Generalized cross-validation as a method for choosing a good ridge parameter",
        Technometrics 21 (each column has the penalty whose leave-one-out error is least).
        """
        prompts, texts = texts_of(answers)
        asked, said = Columns.fit(prompts), Columns.fit(texts)
        given = Reduction.fit(asked.of(prompts))
        x = _design(given.of(asked.of(prompts)), given)
        y = np.column_stack([said.of(texts) / whole(np.ones(1)), match_of(prompts, texts)])
        coefficients, residual = _ridge(x, y)
        scale = np.maximum(np.sqrt((residual**2).mean(axis=0)), 1e-3)
        columns = whole(np.clip(residual / scale, -BOUND, BOUND))[:, :-1] * said.weight
        left = Reduction.fit(columns, every=True)
        weights, step = whole_matrix(coefficients)
        doubt = np.asarray(np.linalg.inv(x.T @ x + _DOUBT * np.eye(x.shape[1])), np.float64)
        return cls(asked, said, given, left, weights, step, scale, doubt, centres_of(left.of(columns)))

    def judge(self, answers: Answers) -> Left:
        """What is left of answers, a row each: the same row always gives the same numbers."""
        prompts, texts = texts_of(answers)
        reduced = self.given.of(self.asked.of(prompts))
        x = whole(_design(reduced, self.given))
        expected = product(x, self.weights) * (self.step / whole(np.ones(1)))
        y = np.column_stack([self.said.of(texts) / whole(np.ones(1)), match_of(prompts, texts)])
        doubt, step = whole_matrix(self.doubt)
        wide = np.sqrt(1.0 + (product(x, doubt) * x).sum(axis=1) * (step / whole(np.ones(1)) ** 2))
        left = (y - expected) / (self.scale * wide[:, None])
        answer = self.left.of(whole(np.clip(left[:, :-1], -BOUND, BOUND)) * self.said.weight)
        match = np.clip(left[:, -1], -BOUND, BOUND)
        return Left(reduced, answer, match, _size(answer), _size(reduced), kind_of(answer, self.centres))


def _size(vectors: Floats) -> Floats:
    """Logarithm of the mean square of each vector."""
    return np.asarray(np.log((vectors**2).mean(axis=1) + 1e-3))


def texts_of(answers: Answers) -> tuple[Text, Text]:
    """Prompts and answers as the model takes them."""
    features: Mapping[str, Floats] = measured(answers)
    prompts = Text(answers.prompt, shape_of(features, ASKED), answers.asked_terms)
    return prompts, Text(answers.response, shape_of(features, SAID), answers.terms)


def match_of(prompts: Text, texts: Text) -> Floats:
    """Cosine of each answer and its prompt, in tenths, shape (n,); 0 where they cannot be compared."""
    if prompts.vector.shape[1] != texts.vector.shape[1]:
        return np.zeros(len(prompts.vector))
    both = (prompts.vector.astype(np.int64) * texts.vector.astype(np.int64)).sum(axis=1)
    return np.asarray(both / (0.1 * LENGTH_ONE**2), np.float64)


def _design(reduced: Floats, given: Reduction) -> Floats:
    """What answers are predicted from: one, and the main reduced numbers of the prompt, scaled to variance 1."""
    some = reduced[:, :_GIVEN] / np.sqrt(given.variance[:_GIVEN])
    return np.column_stack([np.ones(len(reduced)), np.clip(some, -2 * BOUND, 2 * BOUND)])


def _ridge(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Coefficients, and leave-one-out residuals; each column of y has the penalty that predicts it best."""
    best, coefficients, residual = np.full(y.shape[1], np.inf), np.zeros((x.shape[1], y.shape[1])), np.zeros_like(y)
    for penalty in _PENALTIES:
        free = np.diag(np.append(1e-6, np.full(x.shape[1] - 1, penalty)))
        inverse = np.linalg.inv(x.T @ x + free)
        found = inverse @ (x.T @ y)
        own = np.minimum(np.einsum("ij,jk,ik->i", x, inverse, x), 0.99)
        out = (y - x @ found) / (1.0 - own)[:, None]
        better = (error := (out**2).mean(axis=0)) < best
        best[better], coefficients[:, better], residual[:, better] = error[better], found[:, better], out[:, better]
    return coefficients, residual

"""How many tokens an engine evaluated for a prompt's text: fewer than usual mean that some of it was cut off.

A service that cuts prompts, or drops what was said before, answers well what it was not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.robust import huber_fit

_GIVEN = ("asked_characters", "asked_words", "asked_lines", "asked_non_latin")
_RIDGE = np.array([1e-6, 1.0, 1.0, 1.0, 1.0])
_BOUND = 3.0  # log units
_FEWEST = 50


@saved
@dataclass(frozen=True, slots=True)
class Evaluated:
    """Expected logarithm of a prompt's tokens, given its text.

    Parameters
    ----------
    coefficients
        Shape (5,): of one, and of the logarithms of characters, words and lines, and of the share of other scripts.

    Examples
    --------
    >>> words = np.arange(1.0, 101.0)
    >>> features = {"asked_characters": 5 * words, "asked_words": words, "asked_lines": words * 0}
    >>> features |= {"asked_non_latin": words * 0}
    >>> model = Evaluated.fit(features, 4 * words + 20)
    >>> bool(abs(model.left(features, 2 * words + 10).mean() + np.log(2)) < 0.05)
    True
    """

    coefficients: Floats

    @classmethod
    def fit(cls, features: Mapping[str, Floats], tokens: Floats) -> Evaluated | None:
        """Learn from healthy requests; None where too few have both a text and a count of tokens."""
        x, y = _design(features), np.log1p(tokens)
        known = np.isfinite(y) & np.isfinite(x).all(axis=1)
        if known.sum() < _FEWEST:
            return None
        found, _ = huber_fit(x[known], y[known], np.ones(int(known.sum())), _RIDGE, np.zeros(x.shape[1], np.bool_))
        return cls(found)

    def left(self, features: Mapping[str, Floats], tokens: Floats) -> Floats:
        """Log tokens beyond what the text explains, shape (n,); NaN where either is not known."""
        expected = np.einsum("ij,j->i", _design(features), self.coefficients)
        return np.asarray(np.clip(np.log1p(tokens) - expected, -_BOUND, _BOUND))


def _design(features: Mapping[str, Floats]) -> Floats:
    logs = [np.log1p(features[name]) for name in _GIVEN[:3]]
    return np.column_stack([np.ones(len(logs[0])), *logs, np.nan_to_num(features[_GIVEN[3]])])

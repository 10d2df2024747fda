"""Standardised columns → fewer numbers of about equal weight, the main directions first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.exact import ONE, Shorts, product, whole_matrix

MOST = 128
"""Dimensions that are kept at most, where not every one is."""
_PULL = 3.0  # typical variances that are added to each direction's own, so that none is magnified that hardly varies


@saved
@dataclass(frozen=True, slots=True)
class Reduction:
    """Principal directions, each divided by its deviation as far as that is known [1]_.

    Parameters
    ----------
    turn
        Shape (c, k): as whole numbers.
    step
        What one of them is worth.
    variance
        Shape (k,): of each reduced number while all is well; below 1.

    References
    ----------
    .. [1] Ledoit, Wolf. A well-conditioned estimator for large-dimensional covariance matrices. Journal of
       Multivariate Analysis 88, 2004 (why small eigenvalues are not to be believed).
    """

    turn: Shorts
    step: float
    variance: Floats

    @classmethod
    def fit(cls, columns: Floats, *, every: bool = False) -> Reduction:
        """Learn from standardised columns, shape (n, c), whose mean is about 0, in whole numbers of 1/1024.

        Parameters
        ----------
        every
            Keep as many directions as columns that vary, though a small sample shows no variance in some: which words
            change when a model does lies in no main direction.
        """
        columns = columns / ONE
        values, turned = np.linalg.eigh(columns.T @ columns / max(len(columns), 1))
        real = values > 1e-6 * max(float(values[-1:].sum()), 1e-12)
        most = int(columns.any(axis=0).sum()) if every else min(MOST, int(real.sum()))
        values, turned = np.maximum(values[::-1][:most], 0.0), turned[:, ::-1][:, :most]
        turn, step = whole_matrix(turned / np.sqrt(values + _PULL * max(float(columns.var()), 1e-12)))
        variance = values / (values + _PULL * max(float(columns.var()), 1e-12))
        return cls(turn, step, variance)

    def of(self, columns: Floats) -> Floats:
        """Reduced numbers, shape (n, k)."""
        return product(columns, self.turn) * (self.step / ONE)

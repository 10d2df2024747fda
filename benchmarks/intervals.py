"""Exact intervals of what is counted."""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, chi2

from driftwatch.statistics.buckets import Floats


def poisson_interval(count: int) -> Floats:
    """Exact 95% interval of a mean (Garwood 1936)."""
    low = 0.5 * chi2.ppf(0.025, 2 * count) if count else 0.0
    return np.array([low, 0.5 * chi2.ppf(0.975, 2 * count + 2)])


def binomial_interval(count: int, of: int) -> Floats:
    """Exact 95% interval of a share (Clopper & Pearson 1934); all of 0 to 1 where nothing was counted."""
    low = beta.ppf(0.025, count, of - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    return np.array([low, high])

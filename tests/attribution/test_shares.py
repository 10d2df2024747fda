"""Ramps of series, however large they are."""

import numpy as np
import pytest

from driftwatch.attribution.causes.shares import ramp, window_of


@pytest.mark.parametrize("level", [0.0, 1e-9, 1.0, 80e9, -80e9])
def test_a_series_that_does_not_vary_has_a_flat_ramp(level):
    excess = np.random.default_rng(0).normal(size=200)
    window = window_of(excess, 150, 5)
    assert (ramp(np.full(200, level), window, 2) == 0).all()

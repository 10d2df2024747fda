"""Noise that remembers: what wavers by itself, in an engine's speed as in a machine's series."""

from __future__ import annotations

import numpy as np

from driftwatch.events.columns import Floats


def autoregression(rng: np.random.Generator, n: int, keep: float) -> Floats:
    """A stationary autoregression of first order around 0 with variance 1.

    Parameters
    ----------
    rng
        Draws it.
    n
        How many values.
    keep
        Correlation of neighbouring values, from 0 to below 1.

    Returns
    -------
    Floats
        Shape (n,).

    Examples
    --------
    >>> x = autoregression(np.random.default_rng(0), 20_000, 0.8)
    >>> round(float(x.std()), 1), round(float(np.corrcoef(x[1:], x[:-1])[0, 1]), 1)
    (1.0, 0.8)
    """
    shocks: list[float] = (np.sqrt(1 - keep**2) * rng.standard_normal(n)).tolist()
    value, out = float(rng.standard_normal()), []
    for shock in shocks:
        value = keep * value + shock
        out.append(value)
    return np.array(out)

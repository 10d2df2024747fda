"""What others name first, with the true onset and the same series; none of them ever abstains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from baro.root_cause_analysis import nsigma, robust_scorer

from driftwatch.attribution.causes.candidates import Candidate, held, label
from driftwatch.statistics.buckets import Floats

LAGS = 13
"""Lags of the correlation, in ticks: up to a minute."""


def rankings(excess: Floats, onset: int, candidates: Sequence[Candidate]) -> dict[str, dict[str, str]]:
    """What each names first: of all series, and of those that may be causes (symptoms left out)."""
    usable = [
        c
        for c in candidates
        if np.isfinite(c.values[:onset]).any() and np.isfinite(c.values).all(where=~np.isnan(c.values))
    ]
    causes = [c for c in usable if c.role != "symptom"]
    return {
        name: {"all": first(excess, onset, usable), "with roles": first(excess, onset, causes)}
        for name, first in RIVALS.items()
    }


def _frame(onset: int, candidates: Sequence[Candidate]) -> pd.DataFrame:
    columns = {label(c): held(c.values) for c in candidates}
    return pd.DataFrame({"time": np.arange(len(next(iter(columns.values())))), **columns})


def _nsigma(excess: Floats, onset: int, candidates: Sequence[Candidate]) -> str:
    return _top(nsigma(_frame(onset, candidates), onset, dataset="driftwatch")["ranks"])


def _robust(excess: Floats, onset: int, candidates: Sequence[Candidate]) -> str:
    return _top(robust_scorer(_frame(onset, candidates), onset, dataset="driftwatch")["ranks"])


def _top(ranks: Sequence[str]) -> str:
    return str(ranks[0]) if ranks else ""


def _median_shift(excess: Floats, onset: int, candidates: Sequence[Candidate]) -> str:
    return _most(candidates, [_shift(held(c.values), onset) for c in candidates])


def _shift(values: Floats, onset: int) -> float:
    before, after = values[:onset], values[onset:]
    centre = np.median(before)
    scale = 1.4826 * np.median(np.abs(before - centre)) + 1e-3 * np.abs(values).max() + 1e-12
    return float(abs(np.median(after) - centre) / scale)


def _correlation(excess: Floats, onset: int, candidates: Sequence[Candidate]) -> str:
    effect = held(excess)
    return _most(candidates, [_lagged(effect, held(c.values)) for c in candidates])


def _lagged(effect: Floats, values: Floats) -> float:
    pairs = ((effect[lag:], values[: len(values) - lag]) for lag in range(LAGS))
    return max(abs(float(np.corrcoef(a, b)[0, 1])) if a.std() * b.std() > 0 else 0.0 for a, b in pairs)


def _most(candidates: Sequence[Candidate], score: Sequence[float]) -> str:
    return label(candidates[int(np.argmax(score))])


RIVALS = {
    "BARO nsigma": _nsigma,
    "BARO RobustScorer": _robust,
    "median shift over MAD": _median_shift,
    "largest lagged correlation": _correlation,
}

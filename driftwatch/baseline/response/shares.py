"""Answers that are wrong in a way that anybody sees: which ones, from their cheap features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from driftwatch.statistics.buckets import Floats

_DOMINATED = 0.3  # of an answer is one symbol: "!!!!", not prose, lists or code
_REPEATED = 0.5  # of its runs of four words came before: most of it is said twice
_DEFLATED = 0.35  # of what prose of its length takes
_FOREIGN = 0.1  # of its letters are of a script that the prompt does not use
_ECHOED = 0.5  # of its runs of four words are the prompt's


def hits_of(features: Mapping[str, Floats], duplicate: Floats) -> dict[str, Floats]:
    """By signal, shape (n,): 1 for an answer that is of that kind, 0 for one that is not, NaN where not known.

    Parameters
    ----------
    features
        By name, see `driftwatch.embedding.features`.
    duplicate
        Shape (n,): whether it is nearly the same as one that came shortly before.

    Examples
    --------
    >>> from driftwatch.embedding import features
    >>> found = features(["Why?", "Why?"], ["", "ha " * 40])
    >>> hits = hits_of(found.columns(), np.full(2, np.nan))
    >>> hits["empty_share"].tolist(), hits["loop_share"].tolist()
    ([1.0, 0.0], [nan, 1.0])
    """
    f = features
    return {
        "empty_share": _where(f["characters"] == 0, f["characters"]),
        "garbled_share": _where((f["broken"] > 0) | (f["dominance"] >= _DOMINATED), f["broken"]),
        "loop_share": _where((f["repeated"] >= _REPEATED) | (f["compressibility"] <= _DEFLATED), f["compressibility"]),
        "cut_share": f["truncated"],
        "refusal_share": f["refusal"],
        "foreign_share": _where(f["foreign"] >= _FOREIGN, f["foreign"]),
        "echo_share": _where(f["echo"] >= _ECHOED, f["echo"]),
        "duplicate_share": duplicate,
    }


def _where(hit: np.ndarray[tuple[int], np.dtype[np.bool_]], known: Floats) -> Floats:
    return np.where(np.isnan(known), np.nan, hit.astype(np.float64))

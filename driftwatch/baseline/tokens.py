"""Tokens that were generated, and those of answers that were cut, given up or failed: what is paid for by the tick.

Sums of a row of ticks follow from its counts: all its requests lie in one cell of token counts, a quarter of an octave
wide, so that the mean of their logarithms gives their sum to about 0.2%.
"""

from __future__ import annotations

import numpy as np

from driftwatch.baseline.features import unpack
from driftwatch.baseline.judged import Observed
from driftwatch.statistics.buckets import UNKNOWN_CELL
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import OUTCOMES, TOKENS, Ticks

GENERATED = "output_tokens"
SPOILT = {"length_share": "cut_tokens", "abort_share": "aborted_tokens", "error_share": "failed_tokens"}
"""By outcome: the name of the tokens that its answers had."""


def tokens_of(ticks: Ticks, first: int, n: int) -> dict[str, Observed]:
    """Tokens of the answers that ended in each tick, by name; nothing where their lengths are not known.

    Parameters
    ----------
    ticks
        One stream's part of the ticks from ``first`` on.
    first, n
        The first tick, and how many there are.
    """
    known = np.flatnonzero(unpack(ticks.cell)[:, TOKENS.index("output")] != UNKNOWN_CELL)
    if not len(known):
        return {}
    position = ticks.tick[known] - first
    each = np.expm1(ticks.mean_log_tokens()[known, TOKENS.index("output")])
    requests = sums(position, ticks.requests[known], n)
    some = np.flatnonzero(requests > 0)

    def track(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Observed:
        tokens = sums(position, counts[known] * each, n)[some]
        return Observed(some + first, tokens, requests[some], tokens)

    spoilt = {name: track(ticks.outcomes[:, OUTCOMES.index(way)]) for way, name in SPOILT.items()}
    return {GENERATED: track(ticks.requests), **spoilt}

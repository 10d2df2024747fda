"""What was judged of a stream, tick by tick, signal by signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.features import Workload
from driftwatch.baseline.judged import Observed, SegmentSums
from driftwatch.baseline.shares import Shares
from driftwatch.baseline.workload import Measured, by_tick
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import OUTCOMES, Ticks


def of_outcomes(
    shares: Shares, ticks: Ticks, prompt: Ints, inside: NDArray[np.bool_], first: int, n: int
) -> dict[str, Observed]:
    """How requests ended beyond what their prompts explain, and which of them are unlike all that was learnt.

    Parameters
    ----------
    shares
        How often requests end so, by length of their prompt.
    ticks
        The stream's part of the ``n`` ticks from ``first`` on.
    prompt
        Shape (rows,): the bin of each row's prompt length.
    inside
        Shape (rows,): whether a row is like what was learnt.
    """
    position = ticks.tick - first
    every, known = np.arange(len(ticks)), np.flatnonzero(inside)
    counts = {"novel_share": (ticks.requests * ~inside, every)}
    for k, name in enumerate(OUTCOMES):
        # what a prompt never seen does to an answer's length is not known, but an error is an error
        counts[name] = (ticks.outcomes[:, k], every if name == "error_share" else known)
    tracks = {}
    for name, (count, judged) in counts.items():
        total = sums(position[judged], ticks.requests[judged], n)
        hits = sums(position[judged], count[judged], n)
        if name in OUTCOMES:
            mix = shares.tilt(OUTCOMES.index(name))[prompt[judged]] * ticks.requests[judged]
            hits = np.clip(hits - sums(position[judged], mix, n), 0.0, total)
        some = np.flatnonzero(total > 0)
        tracks[name] = Observed(some + first, hits[some], total[some], hits[some] / total[some])
    return tracks


def of_users(workload: Workload, requests: Floats, first: int) -> dict[str, Observed]:
    """What users did: how many requests came, how long their prompts were, and the tokens they asked for.

    Parameters
    ----------
    workload
        The ticks' rows.
    requests
        Shape (n,): requests of each tick from ``first`` on; NaN where they are not known.
    """
    some = np.flatnonzero(~np.isnan(requests))
    rate = np.log(requests[some] + 0.5)
    tracks = {"traffic": Observed(some + first, rate, requests[some], rate)}
    known = np.flatnonzero(~np.isnan(workload.logs[:, 0]))
    if len(known):
        value = workload.logs[known, 0]
        found = by_tick("prompt_length", workload.tick[known], value, workload.requests[known], first, len(requests))
        tracks["prompt_length"] = Observed(*found, found[1])
        asked = sums(workload.tick[known] - first, workload.requests[known] * np.expm1(value), len(requests))
        asked = asked[found[0] - first]
        tracks["asked_tokens"] = Observed(found[0], asked, found[2], asked)
    return tracks


def bounded(residual: Floats, scale: float) -> Floats:
    """So that one request cannot make a segment."""
    bound = max(8.0 * scale, 3.0)
    return np.clip(residual, -bound, bound)


def by_segment(ticks: Ticks, seen: Measured, residual: Floats) -> SegmentSums:
    """Sums by tick and segment of residuals."""
    tick, segment = ticks.tick[seen.row], ticks.segment[seen.row]
    begins = np.ones(len(tick), np.bool_)
    begins[1:] = (tick[1:] != tick[:-1]) | (segment[1:] != segment[:-1])  # rows are sorted by both
    start, weighted = np.flatnonzero(begins), seen.count * residual
    added = (np.add.reduceat(x, start) for x in (seen.count, weighted, weighted * residual, seen.count * seen.value))
    return SegmentSums(tick[start], segment[start], *added)

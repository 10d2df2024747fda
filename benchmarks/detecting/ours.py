"""The only file here that knows our detectors: runs of them, as columns of one object, until each has alarmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from driftwatch.detectors import Detector, LocationDetector, ProportionDetector
from driftwatch.incidents.watch import EPOCH
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.normal import normal_quantile

CHUNK = 10 * EPOCH
KNOWN = 17_280
GUARD = 30 * EPOCH  # ticks that must have passed before they are learnt from, as in the engine while in doubt


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of each run.

    Parameters
    ----------
    first
        Shape (runs, run lengths): tick of the first alarm at each promised run length; -1 without one.
    begin
        Shape (runs,): the first tick that was judged.
    onset, low, high
        Shape (runs, run lengths): the estimated change time at the first alarm and its 90% interval; -1 without one.
    """

    first: Ints
    begin: Ints
    onset: Ints
    low: Ints
    high: Ints


def watch(
    value: Floats,
    total: Floats,
    learnt: int,
    margin: float,
    arls: Sequence[float],
    *,
    share: bool = False,
    onsets: bool = False,
    seed: int = 0,
) -> Watched:
    """Run our detector over each column.

    Parameters
    ----------
    value, total
        Shape (ticks, runs).
    learnt
        Ticks at the beginning that are learnt from; 0 where the baseline (mean 0, standard deviation 1) is known.
    margin
        A move by less than this is not a change.
    arls
        Promised run lengths.
    share
        Values are hits among ``total`` requests.
    onsets
        Ask for the change time at each first alarm too.
    seed
        Of the ties between ranks; each run has its own.
    """
    ticks, runs = value.shape
    tick = np.arange(ticks)
    detector = fresh(runs, margin, share=share, seed=seed)
    if learnt:
        detector.update(tick[:learnt], value[:learnt], total[:learnt])
        detector.learn(learnt)
    else:
        _know(detector)
    thresholds = np.log(arls)
    begin = np.full(runs, ticks)
    first, onset, low, high = (np.full((runs, len(arls)), -1) for _ in range(4))
    for start, stop in chunks(learnt, ticks):
        log_e = detector.update(tick[start:stop], value[start:stop], total[start:stop])
        judged = log_e > -np.inf
        begin = np.where(judged.any(0), np.minimum(begin, start + judged.argmax(0)), begin)
        reached = log_e[:, :, None] >= thresholds
        new = (first < 0) & reached.any(0)
        first = np.where(new, start + reached.argmax(0), first)
        for run, k in zip(*np.nonzero(new), strict=True) if onsets else ():
            shift = detector.describe(int(run), int(first[run, k]))
            assert shift is not None
            onset[run, k], low[run, k], high[run, k] = shift.onset, shift.onset_low, shift.onset_high
        if (first >= 0).all():
            break
        detector.learn(stop - GUARD)
    return Watched(first, begin, onset, low, high)


def chunks(start: int, end: int) -> list[tuple[int, int]]:
    """Cuts at multiples of an epoch."""
    inner = range((start // EPOCH + 1) * EPOCH, end, CHUNK)
    edges = [start, *inner, end]
    return list(pairwise(edges))


def fresh(runs: int, margin: float, *, share: bool = False, seed: int = 0) -> Detector:
    """A detector with one column a run."""
    margins = np.full(runs, margin)
    if share:
        return ProportionDetector(margin=margins)
    return LocationDetector(margin=margins, seeds=(seed * 1_000_003 + np.arange(runs)) << 24)


def _know(detector: Detector) -> None:
    """Let it have learnt from the quantiles of the normal distribution: as good as known."""
    uniform = np.random.default_rng(0).permutation(np.arange(0.5, KNOWN) / KNOWN)
    for run in range(detector.series):
        detector.restore(run, normal_quantile(uniform))

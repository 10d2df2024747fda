"""What users alone do to the prefix cache: more of them, and longer prompts, leave it less to find."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from driftwatch.baseline.features import LONG_SPAN, Workload
from driftwatch.baseline.load import WITH_LOAD
from driftwatch.baseline.workload import Measured
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.robust import sums


def expected_rise(share: float, load: Floats, longer: Floats) -> Floats:
    """The most by which users alone may have raised the part of a prompt that is left to compute.

    What a prompt grew by may all be new text: of a share s of prompts that grew by g there are (s + g) / (1 + g) to
    compute, although the cache finds what it found before.

    Parameters
    ----------
    share
        The part that was left while healthy.
    load, longer
        Shape (n,): by how much new tokens, and lengths of prompts, exceed what is usual, in log units; less says
        nothing.

    Examples
    --------
    >>> expected_rise(0.5, np.array([0.0, 0.5, 0.0]), np.array([0.0, 0.0, np.log(1.25)])).round(3).tolist()
    [0.0, 0.25, 0.1]
    """
    by_length = (1.0 - share) * -np.expm1(-np.maximum(longer, 0.0))
    return np.asarray(WITH_LOAD * np.maximum(load, 0.0) + by_length)


@saved
@dataclass(slots=True)
class Asked:
    """What users ask of the prefix cache: tokens that are new to it if it finds what it usually does, and lengths.

    Parameters
    ----------
    known
        Shape (4,): ticks learnt from, and their requests, new tokens, and log lengths.
    usual
        Shape (2,): log of the new tokens of a tick, and the mean log length of a prompt, as of the last `settle`.
    recent
        Shape (3, m): requests, new tokens, and the sum of log lengths of the last ticks.

    Examples
    --------
    >>> asked = Asked()
    >>> asked.learn(np.array([[2.0], [100.0], [9.0]]))
    >>> asked.settle()
    >>> [beyond.round(2).tolist() for beyond in asked.beyond(np.array([[2.0], [200.0], [10.0]]))]
    [[0.69], [0.5]]
    """

    known: Floats = field(default_factory=lambda: np.zeros(4))
    usual: Floats = field(default_factory=lambda: np.zeros(2))
    recent: Floats = field(default_factory=lambda: np.empty((3, 0)))

    @classmethod
    def of_array(cls, known: Floats) -> Asked:
        """What was learnt elsewhere."""
        asked = cls(known.copy())
        asked.settle()
        return asked

    def learn(self, asked: Floats) -> None:
        """Take ticks, shape (3, n) as in ``recent``, as usual; takes effect at the next `settle`."""
        self.known = self.known + np.append(asked.shape[1], asked.sum(axis=1))

    def settle(self) -> None:
        """Find again what is usual."""
        ticks, requests, tokens, lengths = self.known
        self.usual = np.array([np.log(tokens / max(ticks, 1.0) + 0.5), lengths / max(requests, 1.0)])

    def beyond(self, asked: Floats) -> tuple[Floats, Floats]:
        """By how much tokens and lengths of the last `LONG_SPAN` ticks exceed what is usual, at each of n ticks."""
        n, seen = asked.shape[1], np.concatenate([self.recent, asked], axis=1)
        self.recent = seen[:, -(LONG_SPAN - 1) :]
        ticks = np.minimum(np.arange(seen.shape[1])[-n:] + 1, LONG_SPAN)
        padded = np.concatenate([np.zeros((3, LONG_SPAN)), seen], axis=1)[:, -(n + LONG_SPAN - 1) :]
        requests, tokens, lengths = np.lib.stride_tricks.sliding_window_view(padded, LONG_SPAN, axis=1).sum(axis=2)
        longer = np.divide(lengths, requests, out=np.full(n, self.usual[1]), where=requests > 0) - self.usual[1]
        return np.log(tokens / ticks + 0.5) - self.usual[0], longer


def asked_of(workload: Workload, seen: Measured, residual: Floats, first: int, n: int) -> Floats:
    """Requests, tokens that should be new to the cache, and sums of log lengths by tick: shape (3, n).

    Parameters
    ----------
    workload
        The ticks' rows.
    seen
        Of `prefill_share`: the part of each prompt that was left to compute.
    residual
        What of it was not expected.
    """
    at, length = workload.tick[seen.row] - first, workload.logs[seen.row, 0]
    new = np.clip(seen.value - residual, 0.0, 1.0) * np.expm1(length)
    return np.stack([sums(at, seen.count * each, n) for each in (np.ones(len(at)), new, length)])

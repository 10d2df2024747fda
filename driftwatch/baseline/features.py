"""The workload of a row of ticks as numbers that a regression can use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.state import saved
from driftwatch.statistics.buckets import CELLS, UNKNOWN_CELL, Floats, Ints, cell_of
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import TOKENS, Ticks

FEATURES = ("one", "prompt", "output", "prefill", "prompt_squared", "output_squared", "prefill_squared", "load")
"""Columns of a design matrix: logs of token counts, their squares, and the log of the stream's own rate of work."""
_GIVEN = {
    "prompt": ("prompt", "prompt_squared"),
    "output": ("output", "output_squared"),
    "cached": ("prefill", "prefill_squared"),  # what the cache leaves to do, not what it saves, is what takes time
    "load": ("load",),
}
_SHIFTS = np.array([2, 1, 0]) * (CELLS - 1).bit_length()  # CELLS is a power of 2
LOAD_SPAN = 6
"""The load of a tick is the mean of the last 6, itself included: requests overlap."""
LONG_SPAN = 60
"""Over so many ticks the load is more than chance."""


@saved
@dataclass(frozen=True, slots=True)
class Workload:
    """Rows of ticks with their workload.

    Parameters
    ----------
    tick
        Shape (n,).
    logs
        Shape (n, 3): mean ln(1 + tokens) of prompt, output and prefill, which is what the prefix cache leaves of the
        prompt; NaN where not known.
    cells
        Shape (n, 3): their workload cells.
    load
        Shape (n,): log of the stream's work per tick.
    requests
        Shape (n,): completed requests.
    """

    tick: Ints
    logs: Floats
    cells: Ints
    load: Floats
    requests: Floats

    @property
    def prefill_share(self) -> Floats:
        """The part of the prompt that the prefix cache leaves to compute, shape (n,)."""
        prompt, prefill = np.expm1(self.logs[:, 0]), np.expm1(self.logs[:, 2])
        return np.asarray(prefill / np.maximum(prompt, 1.0))

    def between(self, first: int, last: int) -> Workload:
        """The rows of these ticks, both included (rows are sorted by tick)."""
        rows = slice(*np.searchsorted(self.tick, [first, last + 1]))
        return Workload(self.tick[rows], self.logs[rows], self.cells[rows], self.load[rows], self.requests[rows])

    def design(self, centre: Floats) -> Floats:
        """Design matrix, shape (n, 8), centred; what is not known is taken as average.

        Parameters
        ----------
        centre
            Shape (5,): centre of prompt, output, prefill and load, and the least load that was learnt from: how much
            faster an engine is with still less to do was never seen.
        """
        logs = self.logs - centre[:3]
        logs[np.isnan(logs)] = 0.0
        design = np.ones((len(logs), len(FEATURES)))
        design[:, 1:4], design[:, 4:7], design[:, 7] = logs, logs**2, np.maximum(self.load, centre[4]) - centre[3]
        return design


def unpack(cell: Ints) -> Ints:
    """Cells of prompt, output and cached tokens, shape (n, 3)."""
    return np.asarray(cell[:, None] >> _SHIFTS & (CELLS - 1), np.int64)


def workload_of(ticks: Ticks, load: Floats, first: int) -> Workload:
    """Describe the rows of one stream's ticks; ``load[i]`` is the load of tick ``first + i``."""
    logs = _log_tokens(ticks)
    left = np.maximum(np.expm1(logs[:, 0]) - np.expm1(logs[:, 2]), 0.0)
    logs[:, 2] = np.log1p(left)
    cells = unpack(ticks.cell)
    cells[:, 2] = cell_of(left)
    return Workload(ticks.tick, logs, cells, load[ticks.tick - first], ticks.requests.astype(np.float64))


def _log_tokens(ticks: Ticks) -> Floats:
    """Mean ln(1 + tokens) of prompt, output and cached, shape (n, 3); NaN where not known."""
    return np.where(unpack(ticks.cell) == UNKNOWN_CELL, np.nan, ticks.mean_log_tokens())


def work_of(ticks: Ticks, counts: Floats, first: int) -> Floats:
    """What the engine had to work through by tick: tokens prefilled and generated, and one for each request.

    A long prompt holds up all that decode beside it, one that the prefix cache has does not: tokens say more about the
    next request's latency than requests do. Where no tokens are known this is the number of requests.

    Parameters
    ----------
    ticks
        Rows of ticks from ``first`` on.
    counts
        Shape (n,): requests by tick; NaN stays NaN.
    first
        The first tick.
    """
    prompt, output, cached = np.nan_to_num(np.expm1(_log_tokens(ticks))).T
    tokens = ticks.requests * (np.maximum(prompt - cached, 0.0) + output)
    return counts + sums(ticks.tick - first, tokens, len(counts))


def load_of(work: Floats, before: Floats, span: int = LOAD_SPAN) -> Floats:
    """Log load by tick, from the work per tick and that of the ticks before.

    Examples
    --------
    >>> np.exp(load_of(np.array([12.0, 0.0]), np.empty(0))).round(2).tolist()
    [12.5, 6.5]
    """
    padded = np.concatenate([np.full(span, np.nan), before, work])[-(len(work) + span - 1) :]
    windows = np.lib.stride_tricks.sliding_window_view(padded, span)
    seen = np.maximum((~np.isnan(windows)).sum(axis=1), 1)
    return np.asarray(np.log(np.nansum(windows, axis=1) / seen + 0.5))


def used(given: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which features a signal is judged by, shape (8,)."""
    names = {"one"}.union(*[_GIVEN[g] for g in given]) if given else {"one"}
    return np.array([name in names for name in FEATURES])


@saved
@dataclass(slots=True)
class Seen:
    """The range of workload that was learnt from, by token count.

    Parameters
    ----------
    counts
        Shape (3, 128): requests by cell of prompt, output and prefill tokens.
    """

    counts: Floats

    @classmethod
    def nothing(cls) -> Seen:
        """Nothing seen yet."""
        return cls(np.zeros((len(TOKENS), CELLS)))

    def add(self, cells: Ints, requests: Floats) -> None:
        """Learn from these rows."""
        for k in range(len(TOKENS)):
            self.counts[k] += sums(cells[:, k], requests, CELLS)

    def covers(self, cells: Ints) -> NDArray[np.bool_]:
        """Which rows lie in the learnt range: all but half a percent at each end, and a cell more."""
        inside = np.ones(len(cells), np.bool_)
        for k, counts in enumerate(self.counts):
            inside &= _common(counts)[cells[:, k]]
        return inside


def _common(counts: Floats) -> NDArray[np.bool_]:
    """Which cells hold what was learnt from, but for the rarest."""
    common, known = np.zeros(CELLS, np.bool_), counts[:UNKNOWN_CELL]
    if known.sum():
        share = np.cumsum(known) / known.sum()
        low, high = (int(np.searchsorted(share, edge)) for edge in (0.005, 0.995))
        common[max(low - 1, 0) : high + 2] = True
    common[UNKNOWN_CELL] = counts[UNKNOWN_CELL] > 0
    return common

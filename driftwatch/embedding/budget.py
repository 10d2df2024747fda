"""Which documents to encode when not all can be: so many a second, shared fairly by the streams.

Whether a document is taken depends on its request id and on what came in earlier ticks, and on nothing in its own tick.
So the order within a tick and the cutting into chunks change nothing. The price: when a stream brings more than was to
be expected, more of it is taken than was meant. That is a debt of its own, and nothing of it is taken until the debt is
paid from its later shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Coded, Floats
from driftwatch.events.identity import Hashes, mix
from driftwatch.state import saved

_TICK = 5.0  # seconds
_FADES = 0.9  # what is expected of a stream, for each tick that brings less
_STREAMS = 1000  # that are remembered
_SALT = np.uint64(0x5A17)  # so that other draws from the same ids are independent of these


@saved
@dataclass(slots=True)
class Account:
    """Of one stream: what a tick of it usually brings if any, what it owes, and the state of the current tick."""

    usual: float = 0.0
    idle: float = 0.0  # ticks without any
    owed: float = 0.0
    grant: float = 0.0
    chance: float = 0.0
    came: int = 0
    taken: int = 0

    @property
    def wants(self) -> float:
        """What it is expected to take, and what it owes."""
        return self.usual * math.pow(_FADES, self.idle) + self.owed

    def close(self, passed: float) -> float:
        """End the tick and those that passed since; returns what was granted and not taken."""
        over = self.taken - self.grant
        self.owed += max(over, 0.0)
        self.idle = passed - 1.0 if self.came else self.idle + passed
        self.usual = max(self.came, self.usual * _FADES) if self.came else self.usual
        self.came = self.taken = 0
        return max(-over, 0.0)

    def open(self, level: float) -> float:
        """Begin a tick in which no stream may have more than the level; returns what this one is granted of it.

        Debts are paid first. A stream that was idle is granted little, but may take what its equals may, and owe it.
        """
        granted = min(self.wants, level)
        paid = min(self.owed, granted)
        self.owed, self.grant = self.owed - paid, granted - paid
        self.chance = min(1.0, (level - paid) / self.usual) if self.usual else 0.0
        return granted


class Sampler:
    """Takes a fair sample of documents under a budget, by event time.

    Each tick's budget is shared so that no stream gets less than it needs while another gets more than an equal share;
    what nobody needs is put aside, up to ``burst``. A stream is sampled from the tick after its first one on, because
    nothing is known of it before; the thousand that bring most are remembered.

    Parameters
    ----------
    documents_per_s
        The budget.
    burst
        So many documents beyond it may be taken at once after a quiet time; at least what a tick of five seconds has.

    Raises
    ------
    ValueError
        If there is no budget, or the burst is negative.

    Examples
    --------
    >>> sampler = Sampler(documents_per_s=2.0, burst=0)
    >>> busy = np.arange(1, 4001, dtype=np.uint64)
    >>> taken = sampler.take(np.arange(4000) / 10, Coded.constant("chat", 4000), busy)
    >>> bool(700 <= taken.sum() <= 820)
    True
    """

    def __init__(self, documents_per_s: float, burst: float = 0.0) -> None:
        if not (0 < documents_per_s < np.inf and 0 <= burst < np.inf):
            raise ValueError(f"{documents_per_s} documents a second, burst {burst}: give more than 0, and 0 or more")
        self._income = documents_per_s * _TICK
        self._burst = max(burst, self._income)  # what chance leaves of a tick's budget is of use in the next
        self._spare = self._burst
        self._tick: float = -np.inf
        self._accounts: dict[str, Account] = {}

    def take(self, at: Floats, streams: Coded, ids: Hashes) -> NDArray[np.bool_]:
        """Choose documents.

        Parameters
        ----------
        at
            Shape (n,): seconds of event time. What is late, or has no time, belongs to the newest tick so far.
        streams
            Length n: the stream of each.
        ids
            Shape (n,): hashes of request ids (`driftwatch.events.identity`); where 0, the time stands in.

        Returns
        -------
        array of bool
            Shape (n,): the ones to encode.
        """
        ticks = np.where(np.isfinite(at), np.floor(at / _TICK), -np.inf)
        ticks = np.maximum.accumulate(np.maximum(ticks, self._tick))
        draws = _draws(at, ids)
        taken = np.zeros(len(at), np.bool_)
        for rows in _groups(ticks):
            self._advance(float(ticks[rows.start]))
            taken[rows] = self._take(streams.take(rows), draws[rows])
        return taken

    def known(self) -> dict[str, Any]:
        """All that it knows, to go on elsewhere."""
        return {"spare": self._spare, "tick": self._tick, "accounts": self._accounts}

    def go_on(self, known: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        self._spare, self._tick, self._accounts = known["spare"], known["tick"], dict(known["accounts"])

    def _take(self, streams: Coded, draws: Floats) -> NDArray[np.bool_]:
        codes = np.where(streams.codes < 0, len(streams.values), streams.codes)
        names = (*streams.values, "")
        chances = np.zeros(len(names))
        came = np.bincount(codes, minlength=len(names))
        for code in np.flatnonzero(came):
            account = self._accounts.setdefault(names[code], Account())
            chances[code] = account.chance
        taken = draws < chances[codes]
        gave = np.bincount(codes[taken], minlength=len(names))
        for code in np.flatnonzero(came):
            account = self._accounts[names[code]]
            account.came += int(came[code])
            account.taken += int(gave[code])
        return taken

    def _advance(self, tick: float) -> None:
        """Close the tick before this one, and share the budget of this one."""
        if tick <= self._tick:
            return
        passed = tick - self._tick if np.isfinite(self._tick) else 1.0
        self._tick = tick
        self._forget()
        accounts = [*self._accounts.values()]
        unused = math.fsum(account.close(passed) for account in accounts)
        budget = min(self._spare + unused + self._income * (passed - 1.0), self._burst) + self._income
        level = _level(np.array([account.wants for account in accounts]), budget)
        self._spare = budget - math.fsum([account.open(level) for account in accounts])

    def _forget(self) -> None:
        if len(self._accounts) > _STREAMS:
            by_size = sorted(self._accounts.items(), key=lambda item: (-item[1].wants - item[1].came, item[0]))
            self._accounts = dict(by_size[:_STREAMS])


def _level(wants: Floats, budget: float) -> float:
    """How much each may have at most so that all together have no more than the budget.

    Where it suffices for all, the one that wants most might have the rest too.

    Examples
    --------
    >>> _level(np.array([1.0, 90.0, 5.0]), 16.0), _level(np.array([1.0, 5.0]), 16.0)
    (10.0, 15.0)
    """
    rising = np.sort(wants)
    levels = (budget - np.cumsum(rising) + rising) / np.arange(len(rising), 0, -1)
    over = np.flatnonzero(rising >= levels)
    return float(levels[over[0]]) if len(over) else float(levels[-1]) if len(levels) else budget


def _draws(at: Floats, ids: Hashes) -> Floats:
    """Numbers between 0 and 1 that are as good as random and always the same for the same request."""
    source = np.where(ids == 0, np.ascontiguousarray(at, np.float64).view(np.uint64), ids)
    return np.asarray((mix(source ^ _SALT) >> np.uint64(11)) * 2.0**-53, np.float64)


def _groups(ticks: Floats) -> Iterator[slice]:
    """Slices of rows of the same tick."""
    edges = [0, *(np.flatnonzero(np.diff(ticks)) + 1).tolist(), len(ticks)]
    return (slice(a, b) for a, b in pairwise(edges) if a < b)

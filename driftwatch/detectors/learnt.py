"""What one series was learnt from: many values, seldom read, kept in a tenth of their size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.state.compact import Singles, compressed, expanded
from driftwatch.statistics.buckets import Floats

_BLOCKS = 16  # that what is kept is made of, at least: the oldest block is forgotten as a whole
_FEWEST, _MOST = 16, 256  # values of a block


class Learnt:
    """The newest values that were learnt from; full blocks of them are compressed, and read only to fit anew.

    Parameters
    ----------
    capacity
        Values that are kept, at most; the oldest are forgotten, a sixteenth of them (256 at most) at a time.
    shape
        Of one value.

    Examples
    --------
    >>> learnt = Learnt(100)
    >>> learnt.add(np.arange(90.0))
    >>> learnt.add(np.arange(90.0, 120.0))
    >>> len(learnt), learnt.values[[0, -1]].tolist(), float(learnt.sums)
    (88, [32.0, 119.0], 6644.0)
    """

    def __init__(self, capacity: int, *shape: int) -> None:
        self.capacity, self.block = capacity, min(max(capacity // _BLOCKS, _FEWEST), _MOST)
        self.packed: list[bytes] = []
        self.kinds = ""
        self.totals = np.empty((0, *shape))  # of the blocks
        self.newest: Singles = np.empty((self.block, *shape), np.float32)
        self.end = 0

    def parts(self) -> dict[str, Any]:
        """What is saved."""
        return {"values": self.values.astype(np.float32)}

    def __len__(self) -> int:
        return len(self.packed) * self.block + self.end

    @property
    def values(self) -> Floats:
        """All of them, oldest first."""
        columns = (expanded(self.kinds, self.block, data) for data in self.packed)
        blocks = [np.stack(block, axis=-1).reshape(self.newest.shape) for block in columns]
        return np.concatenate([*blocks, self.newest[: self.end]]).astype(np.float64)

    @values.setter
    def values(self, values: NDArray[Any]) -> None:
        self.packed, self.totals, self.end = [], self.totals[:0], 0
        self.add(np.asarray(values))

    @property
    def sums(self) -> Floats:
        """Their sum."""
        return np.asarray(self.totals.sum(axis=0) + self.newest[: self.end].sum(axis=0, dtype=np.float64))

    def add(self, values: NDArray[Any]) -> None:
        """Learn from more."""
        while len(values):
            some, values = values[: self.block - self.end], values[self.block - self.end :]
            self.newest[self.end : self.end + len(some)] = some
            self.end += len(some)
            if self.end == self.block:
                self._pack()
        over = -(-max(len(self) - self.capacity, 0) // self.block)
        if over:
            del self.packed[:over]
            self.totals = self.totals[over:].copy()

    def _pack(self) -> None:
        self.kinds, data = compressed([*self.newest.reshape(self.block, -1).T])
        self.packed.append(data)
        self.totals = np.concatenate([self.totals, self.newest.sum(axis=0, dtype=np.float64)[None]])
        self.end = 0

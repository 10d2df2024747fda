"""What one series was learnt from: many values, seldom read, kept in a tenth of their size."""

from __future__ import annotations

from collections import deque
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
        self.packed: deque[tuple[str, bytes, Floats]] = deque()
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
        columns = (expanded(kinds, self.block, data) for kinds, data, _ in self.packed)
        blocks = [np.stack(block, axis=-1).reshape(self.newest.shape) for block in columns]
        return np.concatenate([*blocks, self.newest[: self.end]]).astype(np.float64)

    @values.setter
    def values(self, values: NDArray[Any]) -> None:
        self.packed.clear()
        self.end = 0
        self.add(np.asarray(values))

    @property
    def sums(self) -> Floats:
        """Their sum."""
        return np.sum([self.newest[: self.end].sum(axis=0, dtype=np.float64), *(total for *_, total in self.packed)], 0)

    def add(self, values: NDArray[Any]) -> None:
        """Learn from more."""
        while len(values):
            some, values = values[: self.block - self.end], values[self.block - self.end :]
            self.newest[self.end : self.end + len(some)] = some
            self.end += len(some)
            if self.end == self.block:
                columns = compressed(self.newest.reshape(self.block, -1).T)
                self.packed.append((*columns, self.newest.sum(axis=0, dtype=np.float64)))
                self.end = 0
        while len(self) > self.capacity and self.packed:
            self.packed.popleft()

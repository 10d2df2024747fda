"""Pieces of a history: the newest as they came, those before them by the block of ticks, compressed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline import Observed, SegmentSums
from driftwatch.baseline.pending import NEVER
from driftwatch.state.compact import compressed, expanded, single
from driftwatch.statistics.buckets import Ints
from driftwatch.ticks import Ticks
from driftwatch.ticks.tick import empty

BLOCK = 288
"""Ticks of a block: many enough that what each costs is little, few enough that they are forgotten in time."""
Piece = TypeVar("Piece", Observed, SegmentSums, Ticks)
Once = dict[tuple[str, bytes], NDArray[Any]]
"""Columns by their content."""
_COLUMNS: dict[type[Any], tuple[str, ...]] = {
    Observed: ("tick", "value", "total", "raw"),
    SegmentSums: ("tick", "segment", "count", "total", "squares", "raw"),
    Ticks: (
        *("flow_known", "flow_stream", "flow_segment", "flow_tick"),
        *("started", "started_tokens", "ended_tokens", "announced"),
    ),
}


@dataclass(frozen=True, slots=True)
class Packed(Generic[Piece]):
    """A piece that is seldom read, compressed.

    Parameters
    ----------
    kind
        Of the piece.
    n, first, last
        Its rows, and their first and last tick.
    written, data
        As `driftwatch.state.compact.compressed` gives them.
    """

    kind: type[Piece]
    n: int
    first: int
    last: int
    written: str
    data: bytes

    @property
    def piece(self) -> Piece:
        """As it was."""
        return cast("Piece", _unpacked(self))

    @property
    def tick(self) -> Ints:
        """Ticks of the rows, shape (n,)."""
        return _ticks(self.piece)


@lru_cache(maxsize=256)  # one explanation reads the same pieces again and again; a megabyte or two for all streams
def _unpacked(packed: Packed[Any]) -> Any:
    columns: dict[str, Any] = dict(
        zip(_COLUMNS[packed.kind], expanded(packed.written, packed.n, packed.data), strict=True)
    )
    return replace(empty(), **columns) if packed.kind is Ticks else packed.kind(**columns)


Pieces = list[Piece | Packed[Piece]]


def read(pieces: Collection[Piece | Packed[Piece]], first: int, last: int) -> Iterator[Piece]:
    """The pieces that may hold rows of these ticks."""
    for piece in pieces:
        if not isinstance(piece, Packed):
            yield piece
        elif piece.first <= last and piece.last >= first:
            yield piece.piece


def settle(pieces: Pieces[Piece], since: int, once: Once, summed: Callable[[Piece], Piece]) -> None:
    """Join the pieces from a tick on with those of their block, and pack the blocks that are over.

    Parameters
    ----------
    since
        A tick; what came before it was settled already.
    once
        What several signals have in common (their ticks, their requests) is kept once.
    summed
        Adds rows up that belong together, of what is new.
    """
    block = since // BLOCK * BLOCK
    new, over = _taken(pieces, since), _taken(pieces, -NEVER)
    whole = [piece for piece in over if _ticks(piece)[0] >= block]
    pieces.extend(_packed(piece) for piece in over[: len(over) - len(whole)])
    whole += [summed(joined(new))] if new else []
    if whole:
        pieces.append(_shared(_kept(joined(whole)), once))


def joined(pieces: Sequence[Piece]) -> Piece:
    """Pieces that follow one another as one."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in pieces]) for name in _COLUMNS[type(first)]
    }
    return replace(first, **columns)


def forget(pieces: Pieces[Any], before: int) -> None:
    """Let go of the pieces that lie before a tick."""
    while pieces and _last(pieces[0]) < before:
        del pieces[0]


def saved(pieces: Pieces[Piece]) -> tuple[Piece, list[int], int]:
    """All rows end to end, how long each piece is, and how many of these are packed."""
    every = [piece.piece if isinstance(piece, Packed) else piece for piece in pieces]
    return joined(every), [len(_ticks(p)) for p in every], sum(isinstance(piece, Packed) for piece in pieces)


def restored(whole: Piece, lengths: Sequence[int], packed: int) -> Pieces[Piece]:
    """The inverse of `saved`."""
    ends, names = np.cumsum([0, *lengths]).tolist(), _COLUMNS[type(whole)]

    def cut(start: int, end: int) -> Piece:
        columns: dict[str, Any] = {name: getattr(whole, name)[start:end].copy() for name in names}
        return replace(whole, **columns)

    every: list[Piece] = [cut(a, b) for a, b in pairwise(ends)]
    pieces: Pieces[Piece] = []
    pieces.extend(_packed(piece) for piece in every[:packed])
    pieces.extend(every[packed:])
    return pieces


def _taken(pieces: Pieces[Piece], since: int) -> list[Piece]:
    """Take out the newest pieces that begin at this tick or later, and are not packed."""
    taken: list[Piece] = []
    while pieces:
        newest = pieces[-1]
        if isinstance(newest, Packed) or _ticks(newest)[0] < since:
            break
        taken.insert(0, newest)
        pieces.pop()
    return taken


def _kept(piece: Piece) -> Piece:
    """A piece as a history keeps it: only what is read, good to seven digits, whichever way the ticks came."""
    if isinstance(piece, Ticks):
        return piece
    columns: dict[str, Any] = {name: getattr(piece, name) for name in _COLUMNS[type(piece)]}
    once = {id(column): single(column) for column in columns.values() if column.dtype.kind == "f"}
    return type(piece)(**{name: once.get(id(column), column) for name, column in columns.items()})


def _packed(piece: Piece) -> Packed[Piece]:
    tick, rounded = _ticks(piece), _kept(piece)
    columns = [getattr(rounded, name) for name in _COLUMNS[type(piece)]]
    return Packed(type(piece), len(tick), int(tick[0]), int(tick[-1]), *compressed(columns))


def _shared(piece: Piece, once: Once) -> Piece:
    columns: dict[str, Any] = {name: getattr(piece, name) for name in _COLUMNS[type(piece)]}
    columns = {name: once.setdefault((c.dtype.char, c.tobytes()), c) for name, c in columns.items()}
    return replace(piece, **columns)


def _ticks(piece: Any) -> Ints:
    return np.asarray(piece.flow_known if isinstance(piece, Ticks) else piece.tick)


def _last(piece: Any) -> int:
    return piece.last if isinstance(piece, Packed) else int(_ticks(piece)[-1])

"""Parts of a stream that no label names: requests with prompts of a length, and by how much the prefix cache had."""

from __future__ import annotations

import numpy as np

from driftwatch.baseline.features import unpack
from driftwatch.baseline.judged import SegmentSums
from driftwatch.baseline.workload import Measured
from driftwatch.statistics.buckets import UNKNOWN_CELL, Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import Ticks, group_by

LENGTHS = ("under 256", "256 to 1023", "1024 to 4095", "4096 to 16383", "16384 or more")
"""Prompt tokens: buckets of two octaves."""
CACHED = ("under 5%", "5% to 50%", "over 50%")
"""Share of the prompt that the prefix cache had."""
LABELS = ("prompt_tokens", "cached_share")
"""What these parts are called, as labels are."""
SIZE = (len(LENGTHS) + 1) * (len(CACHED) + 1)
"""Parts of one segment; a number of a segment times this, and the part, is the number of both."""
_BY_PART = " by part"
BLOCK = 6
"""Ticks whose sums are kept together; an epoch of the engine is a whole number of them."""
_EDGES = np.log1p([256.0, 1024.0, 4096.0, 16_384.0])
_SHARES = (0.05, 0.5)


def parts_name(signal: str) -> str:
    """What sums by segment and part are called among those by segment.

    Examples
    --------
    >>> parts_name("ttft")
    'ttft by part'
    """
    return signal + _BY_PART


def is_by_part(name: str) -> bool:
    """Whether sums of this name are by segment and part."""
    return name.endswith(_BY_PART)


def part_labels(part: int) -> dict[str, str]:
    """The labels of a part; those that are not known are left out.

    Examples
    --------
    >>> part_labels(5), part_labels(SIZE - 1)
    ({'prompt_tokens': '256 to 1023', 'cached_share': '5% to 50%'}, {})
    """
    length, cached = divmod(part, len(CACHED) + 1)
    names = (*zip(LABELS, ((*LENGTHS, ""), (*CACHED, "")), (length, cached), strict=True),)
    return {label: values[k] for label, values, k in names if values[k]}


def parts_of(ticks: Ticks) -> Ints:
    """The part that each row of ticks belongs to, shape (n,)."""
    cells, logs = unpack(ticks.cell), ticks.mean_log_tokens()
    length = np.where(cells[:, 0] == UNKNOWN_CELL, len(LENGTHS), np.searchsorted(_EDGES, logs[:, 0], "right"))
    share = np.expm1(logs[:, 2]) / np.maximum(np.expm1(logs[:, 0]), 1.0)
    unknown = (cells[:, 0] == UNKNOWN_CELL) | (cells[:, 2] == UNKNOWN_CELL)
    cached = np.where(unknown, len(CACHED), np.searchsorted(_SHARES, share, "right"))
    return np.asarray(length * (len(CACHED) + 1) + cached, np.int64)


def by_part(ticks: Ticks, part: Ints, seen: Measured, residual: Floats) -> SegmentSums:
    """Sums by block of ticks, and by segment and part; ``residual`` is bounded, so that one request makes no part.

    There are many parts, and who was hit is a matter of minutes: a block goes by the tick in its middle.
    """
    tick = ticks.tick[seen.row] // BLOCK * BLOCK + BLOCK // 2
    key, weighted = ticks.segment[seen.row] * SIZE + part[seen.row], seen.count * residual
    columns = (seen.count, weighted, weighted * residual, seen.count * seen.value)
    return added(SegmentSums(tick, key, *(np.asarray(x, np.float64) for x in columns)))


def added(found: SegmentSums) -> SegmentSums:
    """Rows of the same tick and number as one, in order."""
    first, group = group_by(found.tick, found.segment)
    columns = (found.count, found.total, found.squares, found.raw)
    return SegmentSums(found.tick[first], found.segment[first], *(sums(group, x, len(first)) for x in columns))

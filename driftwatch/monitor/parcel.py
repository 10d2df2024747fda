"""What a worker hands to its collector: its ticks, and the metrics and markers that it was told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.errors import StateError
from driftwatch.events.columns import Markers, Metrics
from driftwatch.events.texts import Answers
from driftwatch.state import from_bytes, saved, to_bytes, unpack
from driftwatch.ticks.answered import KEYS, Answered
from driftwatch.ticks.merging import Part
from driftwatch.ticks.tick import TOKENS, Ticks

VERSION = 1
"""Of the format: a collector takes older ones, and refuses newer ones."""
MOST = 64 << 20
"""A parcel is not larger than this, in bytes, packed or unpacked."""
CONTENT_TYPE = "application/vnd.driftwatch.parcel"
_TWO = ("log_tokens", "outcomes")  # of three columns each
_BUCKETS = ("row", "code", "count")


@saved
@dataclass(frozen=True, slots=True)
class Parcel:
    """One of the parcels of one worker.

    Parameters
    ----------
    seq
        Counted from 1: a parcel that comes again is known by it.
    part
        The worker's ticks.
    metrics, markers
        What came since the parcel before.
    """

    seq: int
    part: Part
    metrics: tuple[Metrics, ...] = field(default_factory=tuple)
    markers: tuple[Markers, ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return 1  # it tells at least how far its worker is


def sealed(parcel: Parcel, config: Config) -> bytes:
    """A parcel as bytes."""
    header = {"parcel": VERSION, "shape": config.shape(), "worker": parcel.part.worker, "seq": parcel.seq}
    return to_bytes(header, parcel, compressed=True)


def opened(content: bytes, config: Config) -> Parcel:
    """The inverse of `sealed`.

    Raises
    ------
    StateError
        If it is damaged, of a newer version, or of a worker that is configured otherwise.
    """
    header, data = from_bytes(content, "parcel", most=MOST)
    version = header.get("parcel")
    if not isinstance(version, int) or version > VERSION:
        raise StateError(f"parcel: version {version} is not known here (this one takes up to {VERSION})")
    if header.get("shape") != config.shape():
        raise StateError("parcel: its worker has other ticks, streams, learning, text, budget or margins")
    parcel = unpack(header["state"], data)
    if not isinstance(parcel, Parcel) or not _sound(parcel.part):
        raise StateError("parcel: it does not hold ticks")
    return parcel


def _sound(part: Part) -> bool:
    """Whether the tables of some ticks fit together, so that nothing else fails on them later."""
    ticks = part.ticks
    if not isinstance(ticks, Ticks) or not isinstance(part.worker, str) or not isinstance(part.until, int):
        return False
    columns = {f.name: getattr(ticks, f.name) for f in fields(ticks) if f.name != "answered"}
    if not all(isinstance(c, np.ndarray) and c.dtype == np.int64 for c in columns.values()):
        return False
    if any(column.shape != _shape(name, columns) for name, column in columns.items()):
        return False
    known = (set(part.streams), set(part.segments))
    used = (ticks.stream, ticks.flow_stream), (ticks.segment, ticks.flow_segment)
    inside = not len(ticks.row) or 0 <= int(ticks.row.min()) <= int(ticks.row.max()) < len(ticks)
    return (
        inside
        and _sound_answers(ticks)
        and all(set(np.unique(np.concatenate(u)).tolist()) <= k for u, k in zip(used, known, strict=True))
    )


def _shape(name: str, columns: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape that a column must have, by the key of its table."""
    flow = name.startswith(("flow_", "started", "ended", "announced"))
    key = "row" if name in _BUCKETS else "flow_tick" if flow else "tick"
    return (len(columns[key]), len(TOKENS)) if name in _TWO else (len(columns[key]),)


def _sound_answers(ticks: Ticks) -> bool:
    """Whether the answers fit together, and are of streams and segments that the ticks have."""
    answered = ticks.answered
    if not isinstance(answered, Answered) or not isinstance(answered.said, Answers | None):
        return False
    n, said = len(answered.tick), {} if answered.said is None else answered.said.arrays()
    kinds = {name: np.uint64 if name == "id_hash" else np.int64 for name in KEYS}
    columns = {name: getattr(answered, name) for name in KEYS} | dict(answered.scores) | said
    if any(not isinstance(c, np.ndarray) or c.dtype.hasobject or c.shape[:1] != (n,) for c in columns.values()):
        return False
    if any(columns[name].dtype != kind for name, kind in kinds.items()):
        return False
    return set(answered.stream.tolist()) <= set(ticks.stream.tolist()) and set(answered.segment.tolist()) <= set(
        ticks.segment.tolist()
    )

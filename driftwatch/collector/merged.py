"""Where the ticks of workers go: added up, and judged as if one process had served all requests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.events.columns import Batch
from driftwatch.monitor.local import Local
from driftwatch.monitor.parcel import Parcel
from driftwatch.monitor.place import Fed, Known
from driftwatch.ticks.merging import TickMerger

_AHEAD_S = 60.0  # clocks of one service agree better than this
_MOST_WORKERS = 4096  # that are remembered by the number of their newest parcel


class Merged(Local):
    """The engine of a collector.

    Parameters
    ----------
    config
        Settings: the workers' must be the same.
    baseline
        What is healthy, where it was learnt before.

    Attributes
    ----------
    seen
        By worker, its newest parcel.
    refused
        Parcels that were left out, by reason.
    """

    def __init__(self, config: Config, baseline: Baseline | None = None) -> None:
        self.merger = TickMerger(config)
        super().__init__(config, baseline, self.merger)
        self.seen: dict[str, int] = {}
        self.refused: Counter[str] = Counter()

    def add(self, batch: Fed) -> None:
        """Take a worker's parcel, or events."""
        if not isinstance(batch, Parcel):
            super().add(batch)
        elif (why := self._wrong(batch)) is not None:
            self.refused[why] += 1
        else:
            self._take(batch)

    def _wrong(self, parcel: Parcel) -> str | None:
        if parcel.seq <= self.seen.get(parcel.part.worker, 0):
            return "it came before"
        ahead = parcel.part.until * self.config.ticks.width_s - self.merger.now
        if math.isfinite(ahead) and ahead > _AHEAD_S:
            return "it lies in the future"
        return None

    def _take(self, parcel: Parcel) -> None:
        worker = parcel.part.worker
        self.seen.pop(worker, None)
        self.seen[worker] = parcel.seq
        if len(self.seen) > _MOST_WORKERS:
            del self.seen[next(iter(self.seen))]
        self.merger.add(parcel.part)
        batches: tuple[Batch, ...] = (*parcel.metrics, *parcel.markers)
        for batch in batches:
            self.engine.add(batch)

    def known(self) -> Known:
        """What there is to tell."""
        return replace(super().known(), refused={f"parcel: {why}": n for why, n in self.refused.items()})

    def keep(self) -> dict[str, Any]:
        """All that is known."""
        return super().keep() | {"seen": self.seen}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        super().take(state)
        self.seen = dict(state["seen"])

"""How well the change time is known at the alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from detecting.changes import SETTINGS, Change, Setting
from detecting.delay import AFTER, ARLS, PLACES, changed
from detecting.ours import watch
from detecting.scale import Scale, say

SOUGHT = ("shift 0.5", "shift 1", "shift 2")


@dataclass(frozen=True, slots=True)
class Onset:
    """Change times of one change, estimated at the first alarm.

    Parameters
    ----------
    baseline, margin, change, place, arl
        Of what, as in `delay.Delay`.
    alarms
        Alarms after the change.
    error
        Median absolute error, in ticks.
    coverage
        Share of the 90% intervals that hold the truth.
    """

    baseline: str
    margin: float
    change: str
    place: int
    arl: float
    alarms: int
    error: float
    coverage: float


def onset(scale: Scale) -> Iterator[dict[str, Any]]:
    """Shifts in every setting with margin 0."""
    for setting in SETTINGS:
        for change in setting.changes if setting.margin == 0.0 else ():
            for place in PLACES if change.title in SOUGHT else ():
                for row in estimated(setting, change, place, scale):
                    say(f"onset: {setting.title}, {change.title}, after {place}, {row.arl:g}: {row.error:g} ticks")
                    yield asdict(row)


def estimated(setting: Setting, change: Change, place: int, scale: Scale) -> Iterator[Onset]:
    """One change at one place, at all run lengths."""
    at, parts = setting.learnt + place, []
    for batch, runs in scale.batches(400):
        value = changed(setting, change, at, AFTER, runs, batch)
        seen = watch(value, np.ones_like(value), setting.learnt, setting.margin, ARLS, onsets=True, seed=batch)
        parts.append((seen.first, seen.onset, seen.low, seen.high))
    first, middle, low, high = (np.concatenate(part) for part in zip(*parts, strict=True))
    error, inside = np.abs(middle - at), (low <= at) & (at <= high)
    for k, arl in enumerate(ARLS):
        found = first[:, k] >= at
        alarms = int(found.sum())
        yield Onset(
            setting.title,
            setting.margin,
            change.title,
            place,
            arl,
            alarms,
            float(np.median(error[found, k])) if alarms else np.nan,
            float(inside[found, k].mean()) if alarms else np.nan,
        )

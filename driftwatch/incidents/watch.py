"""One stream under watch: its baseline, a detector for each signal, and the alarms they raise."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from driftwatch.baseline import Judged, StreamBaseline
from driftwatch.config import Config
from driftwatch.detectors import Detector, LocationDetector, ProportionDetector
from driftwatch.errors import StateError
from driftwatch.events.signals import BY_NAME, SIGNALS, Signal
from driftwatch.incidents.life import Alarm
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks import Ticks

DOUBT = math.log(20.0)
"""Log e-value from which something may be changing: learning waits, and the signal is shown beside others."""
EPOCH = 24
"""Learning, recovery and restarts happen at ticks that are multiples of this, however the stream is cut."""


def margins_of(config: Config) -> dict[str, float]:
    """Indifference margins as the detectors use them: log units for ratios, differences for shares.

    Examples
    --------
    >>> round(margins_of(Config())["ttft"], 4), margins_of(Config())["error_share"]
    (0.0953, 0.01)
    """
    given = config.margins.model_dump()
    return {s.name: given[s.name] if s.shape == "share" else math.log1p(given[s.name]) for s in SIGNALS}


def detector_for(signal: Signal, margin: float, stream: str, capacity: int) -> Detector:
    """The detector of one signal of one stream; its seed depends on nothing else."""
    if signal.shape == "share":
        return ProportionDetector(margin=margin, capacity=capacity)
    seed = zlib.crc32(f"{stream}|{signal.name}".encode()) << 20
    return LocationDetector(margin=margin, seed=seed, capacity=capacity)


@dataclass(slots=True)
class StreamWatch:
    """One stream: learning, then watching.

    Parameters
    ----------
    title
        The stream as people read it.
    config
        Settings.
    baseline
        What is healthy for it.
    """

    title: str
    config: Config
    baseline: StreamBaseline
    detectors: dict[str, Detector] = field(default_factory=dict)
    hot: dict[str, tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats]] = field(default_factory=dict)
    requests: int = 0
    ticks: int = 0
    learnt_ticks: int = 0
    margins: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.margins, capacity = margins_of(self.config), self.config.learning.max_ticks
        self.detectors = {s.name: detector_for(s, self.margins[s.name], self.title, capacity) for s in SIGNALS}

    def advance(self, ticks: Ticks, first: int, last: int) -> Judged | None:
        """Take the stream's ticks from ``first`` to ``last``; None while it is learning."""
        self.requests += int(ticks.requests.sum())
        self.ticks += int(np.count_nonzero(np.diff(ticks.tick, prepend=ticks.tick[:1] - 1)))
        if not self.baseline.ready:
            self.baseline.collect(ticks, first)
            return None
        judged = self.baseline.judge(ticks, first, last)
        self.hot = {}
        for name, seen in judged.tracks.items():
            evidence = self.detectors[name].update(seen.tick, seen.value, seen.total)
            self.hot[name] = (evidence.tick, evidence.log_e)
        return judged

    def start(self, last: int) -> Judged | None:
        """End the warm-up if enough was seen; the judged warm-up is what the detectors learn from."""
        judged = self.baseline.start(last)
        if judged is None:
            return None
        for name, seen in judged.tracks.items():
            self.detectors[name].update(seen.tick, seen.value, seen.total)
            self.detectors[name].learn(last + 1)
        self.hot, self.learnt_ticks = {}, self.ticks
        return judged

    def alarms(self, threshold: float) -> Iterator[Alarm]:
        """Each test's first moment in the newest ticks with enough evidence of a move beyond the margin."""
        for name, (tick, log_e) in self.hot.items():
            seen = (self.look(name, int(t)) for t in tick[log_e >= threshold])
            alarm = next((a for a in seen if a is not None), None)
            if alarm is not None:
                yield alarm

    def look(self, name: str, tick: int) -> Alarm | None:
        """What one test says at this tick, if its move exceeds the margin."""
        shift = self.detectors[name].describe(tick)
        if shift is None or not shift.exceeds(self.margins[name]):
            return None
        return Alarm(self.title, name, tick, shift)

    def again(self, alarm: Alarm, tick: int) -> Alarm:
        """An alarm with what has come until this tick."""
        return replace(alarm, tick=tick, shift=self.detectors[alarm.signal].again(alarm.shift, tick))

    def recovered(self, alarm: Alarm, quiet: int, last: int) -> bool:
        """Whether an alarm's signal is back for so many ticks: healthy as far as can be told, most of the move gone."""
        size, error = self.detectors[alarm.signal].recent(last - quiet + 1, last)
        if math.isnan(size):
            return False
        back = abs(size) < max(self.margins[alarm.signal], 2.0 * error) or size * alarm.shift.size < 0
        return back and abs(size) < 0.5 * abs(alarm.shift.size)

    def in_doubt(self, last: int) -> bool:
        """Whether something may be changing: then it is too early to call the newest ticks healthy."""
        judged = (d for name, d in self.detectors.items() if not BY_NAME[name].workload)
        return any(d.evidence(last) > DOUBT for d in judged)

    def learn(self, before: int, skip: tuple[int, int] | None) -> None:
        """Take what was seen before this tick as healthy, but for the ticks in ``skip``."""
        self.baseline.learn(before, skip)
        for detector in self.detectors.values():
            detector.learn(before, skip)
        if skip is None:
            self.learnt_ticks = self.ticks

    def arrays(self) -> dict[str, Floats]:
        """What was learnt, as plain arrays."""
        found = {f"baseline.{key}": value for key, value in self.baseline.arrays().items()}
        return found | {f"detector.{name}": d.learnt for name, d in self.detectors.items() if d.ready}

    def restore(self, arrays: Mapping[str, Floats]) -> None:
        """Take over what was learnt elsewhere: watching starts at once.

        Raises
        ------
        StateError
            If something is missing.
        """
        try:
            self._restore(arrays)
        except KeyError as error:
            raise StateError(
                f"the baseline of {self.title} lacks {error}: learn it anew with 'driftwatch fit'"
            ) from error

    def _restore(self, arrays: Mapping[str, Floats]) -> None:
        parts = {k.removeprefix("baseline."): v for k, v in arrays.items() if k.startswith("baseline.")}
        self.baseline.restore(parts)
        for name, detector in self.detectors.items():
            if f"detector.{name}" in arrays:
                detector.restore(arrays[f"detector.{name}"])

    def restart(self) -> None:
        """Forget the evidence of an incident that is over."""
        for detector in self.detectors.values():
            detector.restart()

    @property
    def refused(self) -> tuple[str, ...]:
        """What is not judged, and why, in words."""
        if not self.baseline.ready:
            return (f"everything: learning is {self.baseline.progress:.0%} done",)
        return tuple(f"{BY_NAME[name].title}: not measured" for name in self.baseline.refused)

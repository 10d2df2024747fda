"""One stream under watch: its baseline, a detector for each signal, and the alarms they raise."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from driftwatch.baseline import Judged, Observed, StreamBaseline
from driftwatch.config import Config
from driftwatch.detectors import Detector, LocationDetector, ProportionDetector
from driftwatch.errors import StateError
from driftwatch.events.signals import BY_NAME, SIGNALS
from driftwatch.incidents.life import Alarm
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.ticks import Ticks

DOUBT = math.log(20.0)
"""Log e-value from which something may be changing: learning waits, and the signal is shown beside others."""
_SURELY = 3.1  # one-sided, one in a thousand
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a signal is watched: a detector, and its column."""

    detector: Detector
    column: int


def detectors_for(config: Config, stream: str) -> dict[str, Place]:
    """The detectors of one stream by signal: one for all locations, one for all shares."""
    margins, capacity = margins_of(config), config.learning.max_ticks
    locations, shares = ([s.name for s in SIGNALS if (s.shape == "share") is wanted] for wanted in (False, True))
    location = LocationDetector(
        margin=np.array([margins[name] for name in locations]),
        seeds=np.array([zlib.crc32(f"{stream}|{name}".encode()) << 20 for name in locations]),
        capacity=capacity,
    )
    share = ProportionDetector(margin=np.array([margins[name] for name in shares]), capacity=capacity)
    columns = {name: Place(location, k) for k, name in enumerate(locations)}
    return columns | {name: Place(share, k) for k, name in enumerate(shares)}


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
    places: dict[str, Place] = field(init=False)
    hot: dict[str, tuple[Ints, Floats]] = field(default_factory=dict)
    requests: int = 0
    ticks: int = 0
    learnt_ticks: int = 0
    margins: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.margins, self.places = margins_of(self.config), detectors_for(self.config, self.title)

    @property
    def detectors(self) -> list[Detector]:
        """Each detector once."""
        return list({id(place.detector): place.detector for place in self.places.values()}.values())

    def advance(self, ticks: Ticks, first: int, last: int) -> Judged | None:
        """Take the stream's ticks from ``first`` to ``last``; None while it is learning."""
        self.requests += int(ticks.requests.sum())
        self.ticks += int(np.count_nonzero(np.diff(ticks.tick, prepend=ticks.tick[:1] - 1)))
        if not self.baseline.ready:
            self.baseline.collect(ticks, first)
            return None
        judged = self.baseline.judge(ticks, first, last)
        self._update(judged)
        return judged

    def _update(self, judged: Judged) -> None:
        self.hot = {}
        for detector in self.detectors:
            columns = {n: p.column for n, p in self.places.items() if p.detector is detector and n in judged.tracks}
            rows = _rows({column: judged.tracks[name] for name, column in columns.items()}, detector.series)
            tick, log_e = rows[0], detector.update(*rows)
            self.hot |= {name: (tick, log_e[:, column]) for name, column in columns.items()}

    def start(self, last: int) -> Judged | None:
        """End the warm-up if enough was seen; the judged warm-up is what the detectors learn from."""
        judged = self.baseline.start(last)
        if judged is None:
            return None
        self._update(judged)
        for detector in self.detectors:
            detector.learn(last + 1)
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
        place = self.places[name]
        shift = place.detector.describe(place.column, tick)
        if shift is None or not shift.exceeds(self.margins[name]):
            return None
        return Alarm(self.title, name, tick, shift)

    def again(self, alarm: Alarm, tick: int) -> Alarm:
        """An alarm with what has come until this tick."""
        place = self.places[alarm.signal]
        return replace(alarm, tick=tick, shift=place.detector.again(place.column, alarm.shift, tick))

    def recovered(self, alarm: Alarm, quiet: int, last: int) -> int:
        """For how many ticks an alarm's signal has been back; 0 if that cannot be told yet.

        Back means: healthy as far as can be told, and that at least half of the move is still there is as unlikely as
        one in a thousand. What a short while cannot tell, a longer one may.
        """
        place, move = self.places[alarm.signal], alarm.shift.size
        for ticks in (quiet, 2 * quiet, 4 * quiet, 8 * quiet):
            if last - alarm.shift.onset < ticks:
                return 0
            now = place.detector.recent(place.column, last - ticks + 1, last)
            if ticks == quiet and math.isnan(now.size):
                return 0  # nothing was seen of late: nothing is known
            rest = now.size if move > 0 else -now.size
            healthy = rest < max(self.margins[alarm.signal], 2.0 * now.error)
            if healthy and rest + _SURELY * now.error < max(0.5 * abs(move), self.margins[alarm.signal]):
                return ticks
        return 0

    def evidence(self, name: str, tick: int) -> float:
        """Log e-value of one signal as seen at this tick."""
        place = self.places[name]
        return float(place.detector.evidence(tick)[place.column])

    def in_doubt(self, last: int) -> bool:
        """Whether something may be changing: then it is too early to call the newest ticks healthy."""
        return any(self.evidence(name, last) > DOUBT for name in self.places if not BY_NAME[name].workload)

    def learn(self, before: int, skip: tuple[int, int] | None) -> None:
        """Take what was seen before this tick as healthy, but for the ticks in ``skip``."""
        self.baseline.learn(before, skip)
        for detector in self.detectors:
            detector.learn(before, skip)
        if skip is None:
            self.learnt_ticks = self.ticks

    def arrays(self) -> dict[str, Floats]:
        """What was learnt, as plain arrays."""
        found = {f"baseline.{key}": value for key, value in self.baseline.arrays().items()}
        ready = {name: p for name, p in self.places.items() if p.detector.ready(p.column)}
        return found | {f"detector.{name}": p.detector.learnt[p.column] for name, p in ready.items()}

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
        for name, place in self.places.items():
            if f"detector.{name}" in arrays:
                place.detector.restore(place.column, arrays[f"detector.{name}"])

    def restart(self) -> None:
        """Forget the evidence of an incident that is over."""
        for place in self.places.values():
            place.detector.restart(place.column)

    @property
    def refused(self) -> tuple[str, ...]:
        """What is not judged, and why, in words."""
        if not self.baseline.ready:
            return (f"everything: learning is {self.baseline.progress:.0%} done",)
        return tuple(f"{BY_NAME[name].title}: not measured" for name in self.baseline.refused)


def _rows(columns: Mapping[int, Observed], series: int) -> tuple[Ints, Floats, Floats]:
    """Signals side by side: ticks, and values and totals of shape (n, series); NaN where there is none."""
    if not columns:
        return np.empty(0, np.int64), np.empty((0, series)), np.empty((0, series))
    tick = np.unique(np.concatenate([seen.tick for seen in columns.values()]))
    value, total = np.full((len(tick), series), np.nan), np.zeros((len(tick), series))
    for column, seen in columns.items():
        at = np.searchsorted(tick, seen.tick)
        value[at, column], total[at, column] = seen.value, seen.total
    return tick, value, total

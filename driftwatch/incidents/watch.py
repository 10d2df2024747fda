"""One stream under watch: its baseline, its tests, and the alarms they raise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline import Judged, StreamBaseline
from driftwatch.baseline.judged import beside
from driftwatch.config import Config
from driftwatch.detectors import Shift, state_of, take_state
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.allowed import Allowed
from driftwatch.incidents.lasting import lasts, least_ticks
from driftwatch.incidents.life import Alarm, kind_of
from driftwatch.incidents.panel import SLOW_LOCATIONS, Panel, SignalTest, margins_of, panels_of, signal_tests
from driftwatch.incidents.text import TO_TELL_TOPICS, TextWatch
from driftwatch.state import keep, take
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.ranks import lag_of
from driftwatch.ticks import Ticks

DOUBT = math.log(20.0)
"""Log e-value from which something may be changing: learning waits, and the signal is shown beside others."""
_SURELY = 3.1  # one-sided, one in a thousand
_SAME_AGAIN = "answers given their prompts: most are word for word what the same prompts were answered before"
_STATE = ("hot", "standing", "told", "requests", "ticks", "learnt_ticks", "allowed")
EPOCH = 24
"""Learning, recovery and restarts happen at ticks that are multiples of this, however the stream is cut."""


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
    panels: tuple[Panel, ...] = field(init=False)
    tests: Mapping[str, SignalTest] = field(init=False)
    hot: dict[str, tuple[Ints, Floats]] = field(default_factory=dict)
    standing: dict[str, Alarm] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    requests: int = 0
    ticks: int = 0
    learnt_ticks: int = 0
    margins: dict[str, float] = field(init=False)
    text: TextWatch = field(init=False)
    allowed: dict[str, Allowed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.margins, self.panels = margins_of(self.config), panels_of(self.config, self.title)
        self.tests = signal_tests(self.panels)
        self.text = TextWatch(self.title, self.config)

    def advance(self, ticks: Ticks, first: int, last: int) -> Judged | None:
        """Take the stream's ticks from ``first`` to ``last``; None while it is learning."""
        self.requests += int(ticks.requests.sum())
        self.ticks += int(np.count_nonzero(np.diff(ticks.tick, prepend=ticks.tick[:1] - 1)))
        self.hot = {}
        said = self.text.advance(ticks.answered)
        if said is not None:
            self.know_tests()
            self._update(said, self.text.panels)
        ticks = ticks.silent()
        if not self.baseline.ready:
            self.baseline.collect(ticks, first)
            return said
        judged = self.baseline.judge(ticks, first, last)
        self._update(judged, self.panels)
        return beside(judged, said)

    def know_tests(self) -> None:
        """Look up the tests anew where texts have brought some."""
        if len(self.tests) != sum(len(panel.signals) for panel in self._every):
            self.tests = signal_tests(self._every)

    @property
    def _every(self) -> tuple[Panel, ...]:
        return (*self.panels, *self.text.panels)

    def _update(self, judged: Judged, panels: Sequence[Panel]) -> None:
        for name, track in judged.tracks.items():
            if track.allowed is not None:
                self.allowed.setdefault(name, Allowed()).add(track.tick, track.allowed)
        for panel in panels:
            tick, value, total = panel.rows(judged)
            log_e = panel.detector.update(tick, value, total)
            told = np.unique(tick) if panel.by_answer else tick
            for column, signal in enumerate(panel.signals):
                self.hot[SignalTest(signal, panel, column).name] = (told, log_e[:, column])

    @property
    def effective(self) -> float:
        """How many independent ticks were learnt from: of the duration with the fewest (of all, if there is none)."""
        fast = [test for test in self.tests.values() if test.ready and not test.panel.slow]
        timed = [test for test in fast if BY_NAME[test.signal].shape == "duration"]
        return min((test.detector.effective(test.column) for test in timed or fast), default=0.0)

    def start(self, last: int, *, patient: bool = True) -> Judged | None:
        """End the warm-up if enough was seen; the judged warm-up is what the detectors learn from."""
        judged = self.baseline.start(last, patient=patient)
        if judged is None:
            return None
        self._begin(judged, self.panels, last)
        self.learnt_ticks = self.ticks
        return judged

    def start_text(self, last: int) -> Judged | None:
        """At the end of an epoch: end the learning of what is said if enough was seen."""
        self.text.response.settle()
        judged = self.text.start()
        if judged is not None:
            self.know_tests()
            self._begin(judged, self.text.panels, last)
        return judged

    def _begin(self, judged: Judged, panels: Sequence[Panel], last: int) -> None:
        self._update(judged, panels)
        for panel in panels:
            panel.detector.learn(last + 1)
        self.hot = {}

    def alarms(self, threshold: float) -> Iterator[Alarm]:
        """Each test's first moment in the newest ticks with enough evidence of a move that lasts."""
        for name, (tick, log_e) in self.hot.items():
            enough = log_e >= self.enough(name, threshold)
            alarm = next(filter(None, self._heard(name, tick, enough)), None)
            if alarm is not None:
                self.standing.pop(name, None)
                self.told.add(name)
                yield alarm

    def _heard(self, name: str, tick: Ints, enough: NDArray[np.bool_]) -> Iterator[Alarm | None]:
        """Tick by tick, the alarm that is raised, if any.

        Evidence that sufficed once stands for a while: bursts may be too short each, and last long enough in all.
        """
        first = 0 if name in self.standing else int(enough.argmax()) if enough.any() else len(tick)
        for t, hot in zip(tick[first:].tolist(), enough[first:].tolist(), strict=True):
            alarm = self.look(name, t) if hot and not self._by_topic(name, t) else None
            if alarm is not None and self.lasts(alarm):
                yield alarm
            elif alarm is not None and name not in self.told:
                self.standing.setdefault(name, alarm)
            yield self._still(name, t)

    def _by_topic(self, name: str, tick: int) -> bool:
        """Whether what this test sees may be due to new topics, or to few."""
        return BY_NAME[self.tests[name].signal].by_topic and self.text.says_little(tick)

    def _still(self, name: str, tick: int) -> Alarm | None:
        """The alarm that stands, where by now it has lasted."""
        standing = self.standing.get(name)
        if standing is None:
            return None
        too_old = tick - standing.tick > self.config.learning.span_s / self.config.ticks.width_s
        if too_old or self._by_topic(name, tick):
            del self.standing[name]
            return None
        alarm = self.again(standing, tick)
        return alarm if self._exceeds(alarm.signal, alarm.shift, tick) and self.lasts(alarm) else None

    def _margin(self, signal: str) -> float:
        return self.margins.get(signal, self.config.margins.score)

    def enough(self, name: str, threshold: float) -> float:
        """The threshold of one test: less for one that looks less often."""
        return threshold - math.log(self.tests[name].panel.span)

    def look(self, name: str, tick: int) -> Alarm | None:
        """What one test says at this tick, if its move exceeds the margin."""
        test = self.tests[name]
        shift = test.detector.describe(test.column, tick)
        if shift is None or not self._exceeds(test.signal, shift, tick):
            return None
        signal = BY_NAME[test.signal]
        if signal.one_sided and kind_of(signal, shift.size) != "degradation":
            return None
        if test.panel.slow and test.signal in SLOW_LOCATIONS:
            shift = replace(shift, reference=0.0)  # what is kept of the signal is less what the baseline expects
        return Alarm(self.title, test.signal, tick, shift, name, test.detector.effective(test.column))

    def _exceeds(self, signal: str, shift: Shift, tick: int) -> bool:
        """Whether a move is more than the margin, and than what users alone may have done since its onset."""
        allowed = self.allowed[signal].mean(shift.onset, tick) if signal in self.allowed and shift.size > 0 else 0.0
        return shift.exceeds(self._margin(signal) + allowed)

    def lasts(self, alarm: Alarm) -> bool:
        """Whether its move has been there for long enough in all; one of the slow time scale has."""
        test = self.tests[alarm.test]
        least = least_ticks(self.config)
        signal = BY_NAME[test.signal]
        if signal.text:  # answers share no engine's mood: there is no noisy minute to wait for
            told = alarm.shift.count >= TO_TELL_TOPICS or not signal.by_topic
            return told and alarm.tick + 1 - alarm.shift.onset >= least // 3
        return test.panel.slow or lasts(test.detector, test.column, alarm.shift, alarm.tick, least)

    def again(self, alarm: Alarm, tick: int) -> Alarm:
        """An alarm with what has come until this tick."""
        test = self.tests[alarm.test]
        return replace(alarm, tick=tick, shift=test.detector.again(test.column, alarm.shift, tick))

    def recovered(self, alarm: Alarm, quiet: int, last: int) -> int:
        """For how many ticks an alarm's signal has been back; 0 if that cannot be told yet.

        Back means: healthy as far as can be told, and that at least half of the move is still there is as unlikely as
        one in a thousand. What a short while cannot tell, a longer one may.
        """
        test, move = self.tests[alarm.test], alarm.shift.size
        quiet = max(quiet, 2 * test.panel.span if test.panel.slow else 0)
        for ticks in (quiet, 2 * quiet, 4 * quiet, 8 * quiet):
            if last - alarm.shift.onset < ticks:
                return 0
            now = test.detector.recent(test.column, last - ticks + 1, last)
            if ticks == quiet and math.isnan(now.size):
                return 0  # nothing was seen of late: nothing is known
            rest = now.size if move > 0 else -now.size
            healthy = rest < max(self._margin(alarm.signal), 2.0 * now.error)
            if healthy and rest + _SURELY * now.error < max(0.5 * abs(move), self._margin(alarm.signal)):
                return ticks
        return 0

    def evidence(self, name: str, tick: int) -> float:
        """Log e-value of one test as seen at this tick."""
        test = self.tests[name]
        return float(test.detector.evidence(tick)[test.column])

    def in_doubt(self, last: int) -> bool:
        """Whether something may be changing: then it is too early to call the newest ticks healthy."""
        return any(
            evidence > DOUBT and not BY_NAME[signal].workload and self._matters(signal, panel, k, last)
            for panel in self._every
            for k, (signal, evidence) in enumerate(zip(panel.signals, panel.detector.evidence(last), strict=True))
        )

    def _matters(self, signal: str, panel: Panel, column: int, last: int) -> bool:
        """Whether its move could be told: of some signals only those for the worse are."""
        if BY_NAME[signal].by_topic and self.text.response.repeating:
            return False
        if not BY_NAME[signal].one_sided:
            return True
        shift = panel.detector.describe(column, last)
        return shift is not None and kind_of(BY_NAME[signal], shift.size) == "degradation"

    @property
    def guard(self) -> int:
        """The newest ticks, which are not learnt from yet: a change must show before it is learnt."""
        detector = self.panels[0].detector
        known = max(map(detector.known, range(detector.series)))
        return max(self.config.learning.guard_ticks, lag_of(known))

    def learn(self, before: int, skip: tuple[int, int] | None, *, refit: bool = True) -> None:
        """Take what was seen before this tick as healthy, but for the ticks in ``skip``.

        Parameters
        ----------
        refit
            False while something may be changing: what is usual for answers is not fitted anew meanwhile.
        """
        self.baseline.learn(before, skip)
        for panel in self._every:
            panel.detector.learn(before, skip)
        self.text.learn(before, skip, refit=refit)
        if skip is None:
            self.learnt_ticks = self.ticks

    def keep(self) -> dict[str, Any]:
        """All that is known, to go on elsewhere as if nothing had happened."""
        kept = {name: getattr(self, name) for name in _STATE}
        parts = {"baseline": keep(self.baseline), "text": keep(self.text)}
        return kept | parts | {"detectors": [state_of(p.detector) for p in self.panels]}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        for name in _STATE:
            setattr(self, name, state[name])
        take(self.baseline, state["baseline"])
        if "text" in state:
            take(self.text, state["text"])
            self.know_tests()
        for panel, arrays in zip(self.panels, state["detectors"], strict=True):
            take_state(panel.detector, arrays)

    def spans(self) -> list[tuple[int, int]]:
        """Ticks that are not healthy, though nothing was told of them: evidence stands there."""
        standing = (a for a in self.standing.values() if not BY_NAME[a.signal].workload)
        return [(alarm.shift.onset_low, alarm.tick) for alarm in standing]

    def restart(self) -> None:
        """Forget the evidence of an incident that is over."""
        self.standing, self.told = {}, set()
        for test in self.tests.values():
            test.detector.restart(test.column)

    @property
    def refused(self) -> tuple[str, ...]:
        """What is not judged, and why, in words."""
        if not self.baseline.ready:
            return (f"everything: learning is {self.baseline.progress:.0%} done",)
        unheard = (_SAME_AGAIN,) if self.text.response.repeating else ()
        return (*(f"{BY_NAME[name].title}: not measured" for name in self.baseline.refused), *unheard)

"""One stream's baseline: it learns what is healthy given the workload, and says what it cannot explain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from driftwatch.baseline.features import FEATURES, LOAD_SPAN, LONG_SPAN, Seen, Workload, load_of, work_of, workload_of
from driftwatch.baseline.judged import Judged, Observed, SegmentSums
from driftwatch.baseline.load import SLOWER, UsualLoad, slower
from driftwatch.baseline.parts import by_part, parts_name, parts_of
from driftwatch.baseline.pending import SLOWEST, Pending, Queue, one_of, outside
from driftwatch.baseline.reuse import Asked, asked_of, expected_rise
from driftwatch.baseline.senders import Senders
from driftwatch.baseline.shares import Shares
from driftwatch.baseline.slowest import of_slowest, stray
from driftwatch.baseline.tokens import tokens_of
from driftwatch.baseline.tracks import bounded, by_segment, of_outcomes, of_users
from driftwatch.baseline.warmup import STEP_SIGNALS, find_step, length, settling, without_outages, worth_of
from driftwatch.baseline.workload import (
    BY_SENDER,
    CONDITIONAL,
    OPTIONAL,
    Measured,
    WorkloadModel,
    by_tick,
    location,
    measured,
)
from driftwatch.config import Learning
from driftwatch.events.signals import BY_NAME, TAILS
from driftwatch.state import keep, take
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.statistics.robust import sums
from driftwatch.ticks.tick import Ticks, merge

_REFIT = 1.25  # solve again when there is this much more to learn from
_GAP = 720  # a warm-up does not reach over a longer pause, in ticks
_STATE = (
    *("models", "seen", "shares", "asked", "load", "centre", "warmup", "warmup_first", "down"),
    *("work", "worth", "learnt", "solved", "notes"),
)


@dataclass(slots=True)
class StreamBaseline:
    """What is healthy for one stream.

    Parameters
    ----------
    settings
        How much is needed before anything is judged.
    margins
        Indifference margins by signal, in log units or shares.
    complete
        Whether a tick without requests means that there were none (True for request rows; a histogram that is scraped
        every 15 s says nothing about the ticks between).
    sender
        Whose requests a segment of this number holds: sizes are judged given who sends.
    """

    settings: Learning
    margins: Mapping[str, float]
    complete: bool = True
    sender: Callable[[int], str] = str
    models: dict[str, WorkloadModel] = field(default_factory=dict)
    senders: dict[str, Senders] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen.nothing)
    shares: Shares = field(default_factory=Shares.nothing)
    asked: Asked = field(default_factory=Asked)
    load: UsualLoad = field(default_factory=UsualLoad)
    centre: Floats = field(default_factory=lambda: np.zeros(5))
    warmup: list[Ticks] = field(default_factory=list)
    warmup_first: int | None = None
    down: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    pending: Queue = field(default_factory=Queue)
    work: Floats = field(default_factory=lambda: np.empty(0))
    worth: float = np.inf
    learnt: float = 0.0
    solved: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether anything can be judged."""
        return bool(self.models) or self.solved > 0

    def keep(self) -> dict[str, Any]:
        """All that is known, to go on elsewhere as if nothing had happened."""
        kept = {name: getattr(self, name) for name in _STATE}
        return kept | {"pending": self.pending.every(), "senders": {k: keep(s) for k, s in self.senders.items()}}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        for name in _STATE:
            setattr(self, name, state[name])
        self.pending = Queue(state["pending"])
        self.senders = {}
        for name, known in state["senders"].items():
            self.senders[name] = Senders(self.sender)
            take(self.senders[name], known)

    def pass_over(self, pause: int) -> None:
        """Go on after so many ticks of which nothing is known."""
        unknown = np.full(min(pause, LONG_SPAN), np.nan)
        self.work = np.concatenate([self.work, unknown])[-(LONG_SPAN - 1) :]

    @property
    def progress(self) -> float:
        """How far the learning is, 0 to 1."""
        if self.ready:
            return 1.0
        worth = self.worth / max(self.settings.min_effective, 1e-9)
        return min(self._enough(self.warmup), max(worth, length(self.warmup) / self.settings.max_wait_ticks))

    def _enough(self, parts: Sequence[Ticks]) -> float:
        """How much these ticks are of what is needed, 0 to 1."""
        requests = sum(int(t.requests.sum()) for t in parts)
        return min(1.0, length(parts) / self.settings.min_ticks, requests / self.settings.min_requests)

    @property
    def refused(self) -> tuple[str, ...]:
        """Signals that this stream's events never measured, so that nothing can be said of them."""
        return tuple(name for name in CONDITIONAL if self.ready and name not in self.models and name not in OPTIONAL)

    def collect(self, ticks: Ticks, first: int) -> None:
        """Keep ticks of the warm-up."""
        seen = [int(t.tick[-1]) for t in self.warmup if len(t)]
        if seen and len(ticks) and int(ticks.tick[0]) - seen[-1] > _GAP:
            self.notes.append("warm-up: traffic paused for long, and learning began again after it")
            self.warmup, self.warmup_first = [], None
        if self.warmup_first is None:
            self.warmup_first = int(ticks.tick[0]) if len(ticks) else first
        self.warmup.append(ticks)

    def start(self, last: int, *, patient: bool = True) -> Judged | None:
        """End the warm-up at this tick if enough was seen: fit, and judge the warm-up itself.

        Parameters
        ----------
        last
            The newest tick.
        patient
            False if nothing more will come: ticks that are worth little must do then.

        Returns
        -------
        The judged warm-up, for the detectors to learn from; None if it goes on.
        """
        if self._enough(self.warmup) < 1.0 or self.warmup_first is None:
            return None
        whole = merge(self.warmup)
        if self.complete:
            whole, down = without_outages(whole, self.warmup_first, last)
            self.down = np.union1d(self.down, down)
        self.warmup = [whole]
        if self._enough(self.warmup) < 1.0:
            return None
        first = self.warmup_first + settling(whole)
        ticks = whole.between(first, last)
        self._fit(ticks, first, last)
        judged = self.judge(ticks, first, last)
        changed = self._changed(judged)
        if changed is not None and changed > first:
            self._begin_again(ticks.between(changed, last), changed)
            return None
        self.worth = worth_of(judged)
        if self.worth < self.settings.min_effective:
            if patient and length(self.warmup) < self.settings.max_wait_ticks:
                self._begin_again(whole, self.warmup_first, self.worth)
                return None
            self.notes.append(
                f"warm-up: its {length(self.warmup)} ticks are worth only {self.worth:.0f} independent ones "
                f"(learning.min_effective is {self.settings.min_effective:g}), so what they say is less certain"
            )
        self.warmup = []
        self._absorb_all()
        if len(self.down):
            self.notes.append(f"warm-up: {len(self.down)} ticks of an outage were left out of what was learnt")
        return judged

    def _changed(self, judged: Judged) -> int | None:
        """The latest change inside the warm-up, if any."""
        found = []
        for signal in STEP_SIGNALS:
            track = judged.tracks.get(signal)
            step = find_step(track.tick, track.value, self.margins[signal]) if track is not None else None
            if step is not None:
                found.append((step.tick, signal, step.size))
        if not found:
            return None
        tick, signal, size = max(found)
        self.notes.append(
            f"warm-up: {BY_NAME[signal].title} changed by x{np.exp(size):.2f} inside it; which side is healthy is not "
            "known, so learning began again after the change (give a healthy log with 'driftwatch fit' to judge it)"
        )
        return tick

    def _begin_again(self, ticks: Ticks, first: int, worth: float = np.inf) -> None:
        self.worth = worth
        self.models, self.senders, self.seen, self.shares = {}, {}, Seen.nothing(), Shares.nothing()
        self.pending, self.work, self.asked, self.load = Queue(), np.empty(0), Asked(), UsualLoad()
        self.learnt = self.solved = 0.0
        self.warmup, self.warmup_first = [ticks], first

    def _fit(self, ticks: Ticks, first: int, last: int) -> None:
        work = work_of(ticks, self._requests(ticks, first, last), first)
        workload = workload_of(ticks, load_of(work, np.empty(0)), first)
        n = np.maximum(workload.requests, 0)
        logs = np.where(np.isnan(workload.logs), 0.0, workload.logs)
        known = ~np.isnan(workload.logs) * n[:, None]
        self.centre = np.append(
            (logs * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1e-9),
            [np.average(workload.load, weights=n + 1e-9), np.quantile(workload.load, 0.01)],
        )
        design = workload.design(self.centre)
        per_tick = float(n.sum() / max(len(np.unique(ticks.tick)), 1))
        for signal in CONDITIONAL:
            values = measured(signal, ticks, workload)
            if values.count.sum() >= self.settings.min_requests / 2:
                model = self.models[signal] = WorkloadModel.fit(signal, design, values, per_tick)
                if signal in BY_SENDER:
                    senders = self.senders[signal] = Senders(self.sender)
                    kinds = ticks.segment[values.row], workload.cells[values.row, 0]
                    senders.learn(*kinds, model.residual(design, values), values.count)
                    senders.settle()
                if signal == "prefill_share":
                    seen, residual = self._residual(signal, ticks, workload, design, values)
                    self.asked.learn(asked_of(workload, seen, residual, first, last - first + 1))
                    self.asked.settle()
                stray(signal, model, ticks, design, values)
                model.settle_tails()
        self.seen.add(workload.cells, workload.requests)
        self.load.learn(workload.load, workload.requests)
        self.load.settle()
        self.shares.add(workload.cells[:, 0], ticks.outcomes, workload.requests)
        self.solved = float(n.sum())

    def _requests(self, ticks: Ticks, first: int, last: int) -> Floats:
        """Requests by tick; NaN where that says nothing: not scraped, or left out as an outage."""
        counts = sums(ticks.tick - first, ticks.requests, last - first + 1)
        unknown = np.isin(np.arange(first, last + 1), self.down) if self.complete else counts == 0
        return np.where(unknown, np.nan, counts)

    def judge(self, ticks: Ticks, first: int, last: int) -> Judged:
        """Say what the workload does not explain, tick by tick.

        Parameters
        ----------
        ticks
            This stream's part of the ticks ``first`` to ``last``, which follow those judged before.
        """
        n = last - first + 1
        counts = self._requests(ticks, first, last)
        work = work_of(ticks, counts, first)
        workload = workload_of(ticks, load_of(work, self.work[-(LOAD_SPAN - 1) :]), first)
        design = workload.design(self.centre)
        inside = self.seen.covers(workload.cells)
        more = np.maximum(load_of(work, self.work, LONG_SPAN) - self.load.level, 0.0)
        more[: LONG_SPAN - 1 - len(self.work)] = 0.0  # of so few ticks it is chance
        asked, part = np.zeros((3, n)), parts_of(ticks)
        tracks: dict[str, Observed] = {}
        segments: dict[str, SegmentSums] = {}
        distances = [np.empty((4, 0), np.int64)]
        for signal, model in self.models.items():
            values = measured(signal, ticks, workload)
            values = values.take(np.flatnonzero(inside[values.row]))
            values, residual = self._residual(signal, ticks, workload, design, values)
            at = ticks.tick[values.row]
            tick, value, total = by_tick(signal, at, residual, values.count, first, n)
            raw = location(signal, at - first, values.value, values.count, n)[tick - first]
            allowed = None
            if signal in SLOWER:
                allowed = slower(float(model.coefficients[FEATURES.index("load")]), more[tick - first])
            if signal == "prefill_share":
                asked = asked_of(workload, values, residual, first, n)
                allowed = expected_rise(float(model.coefficients[0]), *self.asked.beyond(asked))[tick - first]
            tracks[signal] = Observed(tick, value, total, raw, float(model.coefficients[0]), allowed)
            if signal in TAILS:
                slow, strays = of_slowest(
                    signal, model, tracks[signal], at, residual, values.count, more[tick - first], self.margins[signal]
                )
                tracks, distances = tracks | slow, distances + strays
            residual = bounded(residual, model.scale)
            segments[signal] = by_segment(ticks, values, residual)
            segments[parts_name(signal)] = by_part(ticks, part, values, residual)
        tracks |= of_outcomes(self.shares, ticks, workload.cells[:, 0], inside, first, n)
        tracks |= of_users(workload, counts, first)
        tracks |= tokens_of(ticks, first, n)
        self.work = np.concatenate([self.work, work])[-(LONG_SPAN - 1) :]
        asked = np.vstack([np.arange(first, last + 1), asked])
        self.pending.add(Pending.of(workload, ticks, np.concatenate(distances, axis=1), asked))
        return Judged(tracks, segments, np.nan_to_num(counts))

    def _residual(
        self, signal: str, ticks: Ticks, workload: Workload, design: Floats, values: Measured
    ) -> tuple[Measured, Floats]:
        """What the workload does not explain, nor who sends it; without senders that are not known."""
        residual = self.models[signal].residual(design, values)
        if signal not in self.senders:
            return values, residual
        residual = residual - self.senders[signal].levels(ticks.segment[values.row], workload.cells[values.row, 0])
        known = np.flatnonzero(~np.isnan(residual))
        return values.take(known), residual[known]

    def learn(self, before: int, skip: tuple[int, int] | None) -> None:
        """Take what was judged before this tick as healthy, but for the ticks in ``skip``."""
        ripe = self.pending.take(before)
        if not ripe:
            return
        whole = one_of(ripe)  # joined, so that the cuts of the batches leave no trace
        for first, last in outside(skip, before):
            self._absorb(whole.between(first, last))
        if self.learnt >= self.solved * _REFIT:
            for model in self.models.values():
                model.settle()
            for senders in self.senders.values():
                senders.settle()
            self.asked.settle()
            self.load.settle()
            self.solved = self.learnt

    def _absorb_all(self) -> None:
        """The warm-up was fitted already: only count it."""
        self.learnt = self.solved
        self.pending = Queue()

    def _absorb(self, part: Pending) -> None:
        self.asked.learn(part.asked[1:])
        if not len(part.ticks):
            return
        for number, name in enumerate(SLOWEST):
            bucket, count = part.apart[2:, part.apart[0] == number]
            if len(bucket):
                self.models[BY_NAME[name].tail_of].slowest(name).count(bucket, count)
        design = part.workload.design(self.centre)
        for signal, model in self.models.items():
            values = measured(signal, part.ticks, part.workload)
            model.absorb(design, values)
            if signal in self.senders:
                kinds = part.ticks.segment[values.row], part.workload.cells[values.row, 0]
                self.senders[signal].learn(*kinds, model.residual(design, values), values.count)
        self.seen.add(part.workload.cells, part.workload.requests)
        self.load.learn(part.workload.load, part.workload.requests)
        self.shares.add(part.workload.cells[:, 0], part.ticks.outcomes, part.workload.requests)
        self.learnt += float(part.workload.requests.sum())

"""One stream's answers: what is usual is learnt from healthy ones, and what departs from it becomes signals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.judged import Each, Judged, Observed
from driftwatch.baseline.response.direction import LATELY, Direction
from driftwatch.baseline.response.evaluated import Evaluated
from driftwatch.baseline.response.kinds import KINDS
from driftwatch.baseline.response.model import Left, ResponseModel
from driftwatch.baseline.response.shares import hits_of
from driftwatch.baseline.response.tracks import Rows
from driftwatch.config import Text
from driftwatch.embedding.duplicates import NearDuplicates
from driftwatch.embedding.reading import measured
from driftwatch.embedding.repeats import Repeats
from driftwatch.events.identity import mix
from driftwatch.events.signals import score_name
from driftwatch.statistics.buckets import Floats, Ints
from driftwatch.ticks.answered import Answered, join_answered, no_answers

_LEARNT_FROM = 2 / 3  # of the answers; the others, which it never saw, show what is usual beside it
_SHOWN = 64  # ticks at least that show it: the detectors learn from 44 of them, and a direction needs 20 answers
_SPAN = 96  # ticks at least that the answers span that are kept to learn from, however busy a stream is
_RECENT = 128  # of the newest answers are described
_AHEAD = 24  # ticks that may be read ahead of what is told: their answers are kept beside those
_EARLY = 2000  # pieces of what was said before anything is judged
_BOUND = 4.0
KIND_SHARES = tuple(f"kind_{k + 1}" for k in range(KINDS))
"""Signals of the shares of kinds of answers."""

Mask = NDArray[np.bool_]
_NONE = np.empty(0)
NOTHING = Judged({}, {}, _NONE)


@dataclass(slots=True)
class ResponseBaseline:
    """What is usual for the answers of one stream, given their prompts.

    Parameters
    ----------
    settings
        How much is needed, and kept.
    """

    STATE: ClassVar[tuple[str, ...]] = (
        *(
            "model",
            "evaluated",
            "usual",
            "directions",
            "duplicates",
            "repeats",
            "repeating",
            "early",
            "waiting",
            "known",
            "recent",
        ),
        *("fitted", "learnt", "plain"),
    )
    settings: Text
    model: ResponseModel | None = None
    evaluated: Evaluated | None = None
    usual: dict[str, tuple[float, float]] = field(default_factory=dict)
    directions: dict[str, Direction] = field(default_factory=dict)
    duplicates: NearDuplicates = field(default_factory=NearDuplicates)
    repeats: Repeats = field(default_factory=Repeats)
    repeating: bool = False
    early: list[Judged] = field(default_factory=list)
    waiting: list[Answered] = field(default_factory=list)
    known: Answered = field(default_factory=no_answers)
    recent: Answered = field(default_factory=no_answers)
    fitted: int = 0
    learnt: int = 0
    plain: bool = False

    @property
    def ready(self) -> bool:
        """Whether anything is judged: answers given their prompts, or, where there is no text, scores alone."""
        return self.model is not None or self.plain

    @property
    def _each(self) -> int:
        """Answers of a tick that are kept, at most: so few that those before the ticks that are shown suffice."""
        shown = 1.0 - _LEARNT_FROM * self.settings.min_answers / self.settings.reference
        return max(self.settings.reference // max(_SPAN, math.ceil((_SHOWN + 1) / shown)), 1)

    def hear(self, answered: Answered) -> Judged:
        """Take the answers of ticks, one at least; returns nothing until enough was seen to judge by (`start`)."""
        rows = sampled(answered, self.settings.per_tick)
        some = answered.take(rows)
        plain = self._plain(answered, rows)
        if some.said is not None:
            self.repeats.count(some.said.features, some.said.prompt_hash)
            few = some.take(sampled(some, self._each))
            few = replace(few, said=replace(few.said, sketch=few.said.sketch[:, :0])) if few.said is not None else few
            most = self.settings.reference // (2 if self.ready else 1)
            self.waiting = _newest([*self.waiting, few], most)
            self.recent = join_answered([self.recent, few]).take(slice(-(_RECENT + _AHEAD * self._each), None))
        if not self.ready:
            self.early = [*self.early, plain][-_EARLY:]
            return NOTHING
        return plain if some.said is None or self.model is None else both(plain, self._given(some))

    def _plain(self, answered: Answered, rows: Ints) -> Judged:
        """What can be said of each answer by itself."""
        by = Rows.of(answered.tick, answered.segment)
        of = self.settings.scores
        scores = {score_name(name, of.get(name, "high")): answered.score(name) for name in answered.scores}
        if answered.said is None:
            return Judged(by.means(scores), by.segments(scores), _NONE)
        duplicate = np.full(len(answered), np.nan)
        duplicate[rows] = self.duplicates.judge(answered.said.sketch[rows], answered.said.prompt_hash[rows])
        hits = hits_of(measured(answered.said), duplicate)
        return Judged(by.means(scores) | by.shares(hits), by.segments(scores | hits), _NONE)

    def _given(self, some: Answered) -> Judged:
        """What can be said of answers given their prompts."""
        assert self.model is not None
        assert some.said is not None
        tick, by = some.tick, Rows.of(some.tick, some.segment)
        left, features = self.model.judge(some.said), measured(some.said)
        said = _present(some.said.response, features["characters"])
        scores = self._scores(tick, left, said, _present(some.said.prompt, features["asked_characters"]))
        names = enumerate(KIND_SHARES[: len(self.model.centres)])
        kinds = {name: np.where(said, (left.kind == kind).astype(np.float64), np.nan) for kind, name in names}
        tracks, parts = by.means(scores) | by.shares(kinds), by.segments(scores | kinds)
        if self.evaluated is not None:
            tokens = np.where(some.prompt_tokens < 0, np.nan, some.prompt_tokens)
            read = {"prompt_read": self.evaluated.left(features, tokens)}
            asked = np.where(np.isnan(read["prompt_read"]), np.nan, np.log1p(features["asked_words"]))
            tracks |= by.means(read, {"prompt_read": np.log1p(tokens) - asked})
            parts |= by.segments(read)
        return Judged(tracks, parts, _NONE, Each(tick, scores))

    def _scores(self, tick: Ints, left: Left, said: Mask, asked: Mask) -> dict[str, Floats]:
        return {
            "answer_shift": self._toward("answer_shift", tick, left.answer, said),
            "answer_jump": self._toward("answer_jump", tick, left.answer, said),
            "topic": self._toward("topic", tick, left.prompt, asked),
            "answer_match": np.where(said & asked, left.match, np.nan),
            "answer_spread": np.where(said, self._beyond("answer", left.spread), np.nan),
            "topic_spread": np.where(asked, self._beyond("prompt", left.novelty), np.nan),
        }

    def _beyond(self, which: str, spread: Floats) -> Floats:
        """How much further out than usual, in standard deviations."""
        centre, scale = self.usual[which]
        return np.clip((spread - centre) / scale, -_BOUND, _BOUND)

    def _toward(self, which: str, tick: Ints, vectors: Floats, known: Mask) -> Floats:
        """How far each answer goes the way that answers have been moving, tick by tick."""
        scores = np.full(len(tick), np.nan)
        rows = np.flatnonzero(known)
        begins = np.flatnonzero(np.diff(tick[rows], prepend=-1))
        scores[rows] = self.directions[which].score(vectors[rows], begins)
        return scores

    def newest(self, first: int, last: int) -> Answered:
        """The newest answers of these ticks as they were known at the last one, however far the reading is."""
        return self.recent.between(0, last).take(slice(-_RECENT, None)).between(first, last)

    def settle(self) -> None:
        """At the end of an epoch: whether most answers are those that the same prompts were given before."""
        self.repeating = self.repeats.mostly
        self.repeats.fade()

    def start(self) -> Judged | None:
        """Learn from what was seen, if that is enough; returns signals of what was not learnt from."""
        if self.model is not None or not (self.waiting or self.early):
            return None
        if not self.waiting:
            return self._start_plain()
        seen = join_answered(self.waiting)
        if self._edge(seen) is None:
            return None
        found = self._fit(seen, no_answers())
        self.waiting = []
        return both(self._early(), found)

    def _start_plain(self) -> Judged | None:
        """What was seen of scores, where nothing else is said, if it is enough."""
        ticks = {int(tick) for plain in self.early for track in plain.tracks.values() for tick in track.tick}
        if self.plain or len(ticks) < _SHOWN:
            return None
        self.plain = True
        return self._early()

    def _early(self) -> Judged:
        """What was said of each answer by itself before anything was judged; then it is forgotten."""
        early, self.early = self.early, []
        names = dict.fromkeys(name for plain in early for name in plain.tracks)
        return Judged({n: joined([p.tracks[n] for p in early if n in p.tracks]) for n in names}, {}, _NONE)

    def _edge(self, seen: Answered) -> int | None:
        """Where answers that are learnt from end, and those that show what is usual begin; None if they are too few."""
        ticks = np.unique(seen.tick)
        if len(ticks) <= _SHOWN:
            return None
        last = min(seen.tick[int(_LEARNT_FROM * len(seen))], ticks[-_SHOWN])
        edge = int(np.searchsorted(seen.tick, last))
        return edge if edge + self._each > _LEARNT_FROM * self.settings.min_answers else None  # ticks are whole

    def _fit(self, seen: Answered, later: Answered) -> Judged:
        """Fit to the earlier part of these answers; returns signals of the later part."""
        edge = self._edge(seen) or 0
        old, new = seen.take(slice(0, edge)), seen.take(slice(edge, None))
        assert old.said is not None
        assert new.said is not None
        self.model = ResponseModel.fit(old.said)
        tokens = np.where(old.prompt_tokens < 0, np.nan, old.prompt_tokens)
        self.evaluated = Evaluated.fit(measured(old.said), tokens)
        seen_so = self.model.judge(new.said)
        self.usual = {"answer": _moments(seen_so.spread), "prompt": _moments(seen_so.novelty)}
        prompts, answers = self.model.given.variance, self.model.left.variance
        self.directions = {
            name: Direction.none(prompts if name == "topic" else answers, lately) for name, lately in LATELY.items()
        }
        found = self._given(new)
        if len(later):
            self._given(later)
        self.known, self.fitted, self.learnt = seen, len(seen), 0
        return found

    def learn(self, before: int, skip: tuple[int, int] | None, *, refit: bool) -> Judged | None:
        """Take answers before this tick as healthy, but for those of the ticks in ``skip``.

        Returns
        -------
        Signals of healthy answers as a new fit sees them, if there is one: what was known of these is to be replaced.
        """
        if self.model is None or not self.waiting:
            return None
        every = join_answered(self.waiting)
        late = every.tick >= before
        ripe = every.take(~late & ~_within(every.tick, skip))
        self.waiting = [every.take(late)] if late.any() else []
        self.known = join_answered([self.known, ripe]).take(slice(-self.settings.reference, None))
        self.learnt += len(ripe)
        enough = self.learnt >= min(self.fitted, self.settings.reference)
        if not (refit and enough) or self._edge(self.known) is None:
            return None
        return self._fit(self.known, every.take(late))


def sampled(answered: Answered, most: int) -> Ints:
    """Rows of at most so many answers of each tick: those whose ids draw the lowest numbers, so that no cut matters."""
    begins = np.flatnonzero(np.diff(answered.tick, prepend=answered.tick[0] - 1))
    size = np.diff(begins, append=len(answered))
    if size.max() <= most:
        return np.arange(len(answered))
    drawn = mix(answered.id_hash ^ mix(answered.moment.astype(np.uint64)))
    order = np.lexsort((drawn, answered.tick))
    place = np.arange(len(order)) - np.repeat(begins, size)
    return np.sort(order[place < most])


def _newest(pieces: list[Answered], most: int) -> list[Answered]:
    """The newest so many answers of pieces."""
    over = sum(map(len, pieces)) - most
    while over > 0 and len(pieces[0]) <= over:
        over -= len(pieces[0])
        pieces = pieces[1:]
    return [pieces[0].take(slice(over, None)), *pieces[1:]] if over > 0 else pieces


def both(plain: Judged, given: Judged) -> Judged:
    """What can be said of answers by themselves, and given their prompts."""
    return Judged({**plain.tracks, **given.tracks}, {**plain.segments, **given.segments}, _NONE, given.each)


def joined(tracks: list[Observed]) -> Observed:
    """Pieces of one signal in order of time as one."""
    tick, value = np.concatenate([t.tick for t in tracks]), np.concatenate([t.value for t in tracks])
    return Observed(tick, value, np.concatenate([t.total for t in tracks]), np.concatenate([t.raw for t in tracks]))


def _moments(values: Floats) -> tuple[float, float]:
    return float(values.mean()), max(float(values.std()), 1e-3)


def _within(tick: Ints, skip: tuple[int, int] | None) -> Mask:
    return np.zeros(len(tick), np.bool_) if skip is None else (tick >= skip[0]) & (tick <= skip[1])


def _present(vector: NDArray[np.int8], length: Floats) -> Mask:
    """Which texts can be judged: those with a vector, or with characters where there are no vectors at all."""
    return np.asarray(vector.any(axis=1) if vector.shape[1] else np.nan_to_num(length) > 0)

"""What one stream's requests say, under watch: the usual, its detectors, and whether prompts are the usual ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline import Judged, ResponseBaseline
from driftwatch.baseline.response import arrays_of, take_arrays
from driftwatch.config import Config
from driftwatch.detectors import AnswerDetector, state_of, take_state
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.panel import Panel, score_panel_of, text_panels_of
from driftwatch.state import keep, take
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks.answered import Answered

TO_TELL_TOPICS = 30
"""Answers since a change that new topics need to show themselves, if it is due to them."""
_AS_USUAL, _NEARLY = 0.0, 2.0
"""Log e-value, and standard errors of the newest prompts, below which nothing speaks for new topics."""


class TextWatch:
    """The answers of one stream: learning, then watching. A stream that says nothing has no detectors here.

    Parameters
    ----------
    title
        The stream as people read it.
    config
        Settings.
    """

    def __init__(self, title: str, config: Config) -> None:
        self.title, self.config = title, config
        self.response = ResponseBaseline(config.text)
        self.panels: tuple[Panel, ...] = ()

    def advance(self, answered: Answered) -> Judged | None:
        """Take the answers of the newest ticks; None where they say nothing, or it is learnt."""
        if not len(answered):
            return None
        judged = self.response.hear(answered)
        if not self.response.ready:
            return None
        self._add_scores(judged)
        return judged

    def start(self) -> Judged | None:
        """End the learning if enough was seen; returns what the detectors are to learn from."""
        judged = self.response.start()
        if judged is None:
            return None
        if self.response.model is not None:
            self.panels = (*text_panels_of(self.config, self.title), *self.panels)
        self._add_scores(judged)
        return judged

    def learn(self, before: int, skip: tuple[int, int] | None, *, refit: bool) -> None:
        """Take answers before this tick as healthy; a new fit replaces what the detectors knew of the old one's."""
        judged = self.response.learn(before, skip, refit=refit)
        if judged is None:
            return
        for panel in self.panels:
            for column, signal in enumerate(panel.signals):
                if (learnt := _learnt(panel, judged, signal)) is not None:
                    panel.detector.restore(column, learnt)

    def says_little(self, tick: int) -> bool:
        """Whether answers may differ for another reason than the model, as seen at this tick.

        New topics are one; that the same few prompts come again and again, and get the same answers, is another: then
        all that was learnt is one sample of the answers to each.
        """
        return self.response.repeating or self._topics_moved(tick)

    def _topics_moved(self, tick: int) -> bool:
        for panel in self.panels:
            if isinstance(panel.detector, AnswerDetector):
                return any(_moved(panel.detector, k, tick) for k, s in enumerate(panel.signals) if BY_NAME[s].workload)
        return False

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learnt, as plain arrays: that of the detectors apart."""
        return arrays_of(self.response)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what was learnt elsewhere; the detectors are there then, and know nothing yet."""
        take_arrays(self.response, arrays)
        self.panels = text_panels_of(self.config, self.title)

    def keep(self) -> dict[str, Any]:
        """All that is known, to go on elsewhere as if nothing had happened."""
        detectors = [(panel.signals, state_of(panel.detector)) for panel in self.panels]
        return {"response": keep(self.response), "detectors": detectors}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        take(self.response, state["response"])
        known = {panel.signals: panel for panel in text_panels_of(self.config, self.title)}
        for signals, _ in state["detectors"]:
            known.setdefault(signals, score_panel_of(self.config, self.title, signals[0]))
        self.panels = tuple(known[signals] for signals, _ in state["detectors"])
        for panel, (_, arrays) in zip(self.panels, state["detectors"], strict=True):
            take_state(panel.detector, arrays)

    def _add_scores(self, judged: Judged) -> None:
        """Scores that were not met before, until there are as many as are judged."""
        watched = {signal for panel in self.panels for signal in panel.signals}
        room = self.config.text.max_scores - sum(":" in signal for signal in watched)
        new = [name for name in judged.tracks if ":" in name and name not in watched][: max(room, 0)]
        self.panels += tuple(score_panel_of(self.config, self.title, name) for name in new)


def _moved(detector: AnswerDetector, series: int, tick: int) -> bool:
    """Whether all evidence, or the newest answers by themselves, speak for a move: what is new shows there first."""
    newest = detector.lately(series, tick, TO_TELL_TOPICS)
    return bool(detector.evidence(tick)[series] >= _AS_USUAL or abs(newest.size) > _NEARLY * newest.error)


def _learnt(panel: Panel, judged: Judged, signal: str) -> Floats | None:
    """A signal as the detector of its panel keeps what it learnt; None where there is nothing of it."""
    if panel.by_answer:
        values = judged.each.values[signal] if judged.each is not None else np.empty(0)
        return values[~np.isnan(values)]
    track = judged.tracks.get(signal)
    if track is None:
        return None
    return np.column_stack([track.value, track.total]) if BY_NAME[signal].shape == "share" else track.value

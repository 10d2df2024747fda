"""What one stream's requests say, under watch: the usual, its detectors, and whether prompts are the usual ones."""

from __future__ import annotations

import math

import numpy as np

from driftwatch.baseline import Judged, Observed, ResponseBaseline
from driftwatch.config import Config
from driftwatch.detectors import LocationDetector, ProportionDetector
from driftwatch.events.signals import BY_NAME
from driftwatch.incidents.panel import Panel, score_panel_of, text_panels_of
from driftwatch.ticks.answered import Answered

_AS_USUAL = 0.0
"""Log e-value below which prompts are the usual ones: nothing speaks for new topics."""


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
        judged = self.response.take(answered)
        if not self.response.ready:
            return None
        self._add_scores(judged)
        return judged

    def start(self) -> Judged | None:
        """End the learning if enough was seen; returns what the detectors are to learn from."""
        judged = self.response.start()
        if judged is None:
            return None
        self.panels = text_panels_of(self.config, self.title)
        self._add_scores(judged)
        self._scale_margins(judged)
        return judged

    def learn(self, before: int, skip: tuple[int, int] | None, *, refit: bool) -> None:
        """Take answers before this tick as healthy; a new fit replaces what the detectors knew of the old one's."""
        judged = self.response.learn(before, skip, refit=refit)
        if judged is None:
            return
        for panel in self.panels:
            for column, signal in enumerate(panel.signals):
                track = judged.tracks.get(signal)
                if track is not None:
                    panel.detector.restore(column, _learnt(panel, track))
        self._scale_margins(judged)

    def topics_moved(self, tick: int) -> bool:
        """Whether anything speaks for new topics as seen at this tick: then answers may differ for that reason."""
        for panel in self.panels:
            if "topic" in panel.signals:
                return float(panel.detector.evidence(tick)[panel.signals.index("topic")]) >= _AS_USUAL
        return False

    def _add_scores(self, judged: Judged) -> None:
        """Scores that were not met before, until there are as many as are judged."""
        watched = {signal for panel in self.panels for signal in panel.signals}
        room = self.config.text.max_scores - sum(":" in signal for signal in watched)
        new = [name for name in judged.tracks if ":" in name and name not in watched][: max(room, 0)]
        self.panels += tuple(score_panel_of(self.config, self.title, name) for name in new)

    def _scale_margins(self, judged: Judged) -> None:
        """Margins are of one answer; a tick's score is a sum, divided by the root of how many there are."""
        for panel in self.panels:
            if not isinstance(panel.detector, LocationDetector):
                continue
            for column, signal in enumerate(panel.signals):
                track = judged.tracks.get(signal)
                if BY_NAME[signal].unit == "sd" and track is not None and len(track.total):
                    margin = getattr(self.config.margins, signal)
                    panel.detector.margin[column] = margin * math.sqrt(float(np.median(track.total)))


def _learnt(panel: Panel, track: Observed) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A signal as the detector of its panel keeps what it learnt."""
    counts = isinstance(panel.detector, ProportionDetector)
    return np.column_stack([track.value, track.total]) if counts else track.value

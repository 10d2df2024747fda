"""Everything that may speak for or against a cause, as one list of candidates on the incident's own ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from driftwatch.attribution.causes.answering import answering
from driftwatch.attribution.causes.candidates import Candidate, Event
from driftwatch.attribution.causes.derived import derived
from driftwatch.attribution.causes.dose import trailing
from driftwatch.attribution.history import StreamHistory
from driftwatch.attribution.restarts import restarts
from driftwatch.baseline import ResponseBaseline
from driftwatch.config import Config
from driftwatch.events.catalogue import BY_NAME as SERIES
from driftwatch.events.catalogue import RATIOS
from driftwatch.events.columns import Markers
from driftwatch.statistics.buckets import Floats
from driftwatch.ticks import Names
from driftwatch.ticks.series import SeriesStore

_RATIO = {ratio.name: ratio for ratio in RATIOS}
_MOST_OF_IT = 0.7
_MUCH_OF_IT, _FASTER = 0.3, 1.5  # a part that made up less of a move is its story too, where it grew so much faster
_ROUTED = ("replica",)  # where requests are sent is no doing of users
_ASKED = ("mean_prompt_tokens",)  # the requests themselves say it better
_HOST_MEMORY = ("host_memory_available", "host_memory_total")
_OUTCOMES = ("finish_reason",)  # what became of a request is not what users did
_LONG_S = 60.0  # over so long, what is asked for and what is computed are the same requests
_MOST_BYSTANDERS = 64
_MOST_SEGMENTS = 8  # values of one label that are looked at: those with the most tokens


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known around an incident.

    Parameters
    ----------
    config
        Settings.
    histories
        By stream title.
    labels
        The labels of each stream, by title.
    segments
        Numbers of segments.
    series
        Metrics.
    markers
        What people and deploy systems did.
    said
        What is known of the answers of each stream, by title.
    strangers
        Series of machines that have nothing to do with it.
    """

    config: Config
    histories: Mapping[str, StreamHistory]
    labels: Mapping[str, Mapping[str, str]]
    segments: Names
    series: SeriesStore
    markers: Markers
    said: Mapping[str, ResponseBaseline] = field(default_factory=dict)
    strangers: SeriesStore | None = None

    @property
    def width(self) -> float:
        """Width of a tick, in seconds."""
        return self.config.ticks.width_s

    def events(self, first: int, last: int) -> list[Event]:
        """Markers and restarts between two ticks, counted from the first."""
        tick = np.floor(self.markers.at / self.width).astype(np.int64)
        marked = [
            Event(int(tick[k] - first), self.markers.kind[k], self.markers.text[k], self.markers.labels[k])
            for k in np.flatnonzero((tick >= first) & (tick <= last))
        ]
        return [*marked, *restarts(self.series, [int(each - first) for each in tick], first, last)]

    def candidates(self, stream: str, first: int, onset: int, last: int, *, answers: bool = False) -> list[Candidate]:
        """All that may explain what this stream felt, by ticks from ``first`` to ``last``; or what its answers say."""
        found = 1.0 - self.histories[stream].signal("prefill_share", first, last)[1]
        return [
            *self._traffic(stream, first, onset, last),
            *self._measured(first, last),
            *self._host_memory(first, last),
            *derived(self.series, first, last),
            *(answering(self.series, found, first, onset, last) if answers else ()),
        ]

    def bystanders(self, first: int, last: int) -> list[Floats]:
        """Series that cannot be a cause, as negative controls; those that were measured throughout."""
        if self.strangers is None:
            return []
        ids = list(self.strangers.tracks)[:_MOST_BYSTANDERS]
        found = (self.strangers.values(series, first, last, until=last) for series in ids)
        return [values for values in found if np.isfinite(values).mean() > 0.5]

    def _traffic(self, stream: str, first: int, onset: int, last: int) -> list[Candidate]:
        """What users did: this stream's requests, each part of them, and the other streams'."""
        found: list[Candidate] = []
        for title, history in self.histories.items():
            scope = {} if title == stream else dict(self.labels[title])
            whole = self._flow(history, first, last, None, scope)
            parts = [
                self._flow(history, first, last, numbers, scope | {label: value})
                for label in self.segments.labels
                if label not in _ROUTED
                if label not in _OUTCOMES
                for value, numbers in self._values(history, label).items()
            ]
            found += [] if one_part_moved(whole, parts, onset - first) else whole
            found += [candidate for part in parts for candidate in part]
        return found + self._lengths(stream, first, last)

    def _values(self, history: StreamHistory, label: str) -> dict[str, list[int]]:
        """Segments by value of one label, if it has several values."""
        values: dict[str, list[int]] = {}
        for number in history.segment_numbers():
            value = self.segments.where(number).get(label)
            if value is not None:
                values.setdefault(value, []).append(number)
        return dict(list(values.items())[:_MOST_SEGMENTS]) if len(values) > 1 else {}

    def _flow(
        self, history: StreamHistory, first: int, last: int, segments: list[int] | None, scope: dict[str, str]
    ) -> list[Candidate]:
        begun, brought, held = history.flow(first, last, segments)
        if not begun.any():
            return []
        offered = Candidate("traffic", "exogenous", brought / self.width, "tokens/s", scope=scope)
        return [offered, Candidate("held_tokens", "exogenous", held, "tokens", scope=scope)]

    def _lengths(self, stream: str, first: int, last: int) -> list[Candidate]:
        raw = self.histories[stream].signal("prompt_length", first, last)[1]
        return [Candidate("prompt_length", "exogenous", np.expm1(raw), "tokens")] if np.isfinite(raw).any() else []

    def _measured(self, first: int, last: int) -> list[Candidate]:
        """What the engine, the GPU and the host measured of themselves."""
        found = []
        asked = any("asked_tokens" in history.observed for history in self.histories.values())
        for name in sorted({series.name for series in self.series.ids()}):
            role = self.config.attribution.roles.get(name, _role(name))
            if role not in ("exogenous", "mechanism", "symptom") or (name in _ASKED and asked):
                continue
            values = self.series.combined(name, first, last, until=last)
            if np.isfinite(values).any():
                found.append(self._computed(name, values, first, last) or _candidate(name, role, values))
        return found

    def _computed(self, name: str, values: Floats, first: int, last: int) -> Candidate | None:
        """Prompt tokens that the engine computed, of those that its requests asked for: more is work done twice."""
        if name != "prompt_tokens":
            return None
        asked = (
            sum(np.nan_to_num(h.signal("asked_tokens", first, last)[0]) for h in self.histories.values()) / self.width
        )
        asked, computed = (trailing(np.nan_to_num(each), round(_LONG_S / self.width)) for each in (asked, values))
        if not np.any(asked):
            return None
        ratio = np.divide(computed, asked, out=np.full(len(asked), np.nan), where=asked > 0)
        return Candidate(name, "mechanism", ratio, "x asked for")

    def host_memory(self, first: int, last: int) -> Floats:
        """Share of the host's memory in use, by tick; NaN where it is not measured."""
        used = self.series.combined("host_memory", first, last, until=last)
        if np.isfinite(used).any():
            return used
        free, whole = (
            self.series.combined(f"host_memory_{x}", first, last, until=last) for x in ("available", "total")
        )
        return np.asarray(1.0 - free / whole)

    def _host_memory(self, first: int, last: int) -> list[Candidate]:
        """It does harm when it has run out."""
        used = self.host_memory(first, last)
        return [Candidate("host_memory", "mechanism", used, "share", ceiling=1.0)] if np.isfinite(used).any() else []


def one_part_moved(whole: list[Candidate], parts: list[list[Candidate]], onset: int) -> bool:
    """Whether a move of the whole traffic is that of one part of it: then only the part is named."""

    def levels(flow: list[Candidate]) -> tuple[float, float]:
        traffic = flow[0].values
        return float(traffic[:onset].mean()), float(traffic[onset:].mean())

    if not whole or not 0 < onset < len(whole[0].values):
        return False
    before, after = levels(whole)
    each = [levels(part) for part in parts if part]
    moves = [abs(late - early) for early, late in each]
    if moves and max(moves) >= _MOST_OF_IT * sum(moves) and max(moves) >= _MOST_OF_IT * abs(after - before):
        return True
    return any(
        late - early >= _MUCH_OF_IT * (after - before) > 0
        and late * (before - early) >= _FASTER * early * (after - late)
        and before > early
        for early, late in each
    )


def _role(name: str) -> str:
    known = SERIES.get(name) or _RATIO.get(name)
    return known.role if known is not None else "ignore"


def _candidate(name: str, role: str, values: Floats) -> Candidate:
    known = SERIES.get(name) or _RATIO.get(name)
    unit, bad = (known.unit, known.bad) if known is not None else ("", "up")
    ceiling = 1.0 if role == "mechanism" and unit == "share" and bad == "up" else None
    return Candidate(name, role, values, unit, bad, ceiling=ceiling)  # type: ignore[arg-type]  # the caller checked the role

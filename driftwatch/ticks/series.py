"""Metrics summarised by tick: gauges as they are, counters as rates, under the names of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from driftwatch.events.catalogue import BY_NAME, RATIOS, Ratio, resolve, scale_of
from driftwatch.events.columns import Floats, Metrics, SeriesKey
from driftwatch.state import keep, saved, take
from driftwatch.ticks.track import Kind, Track, counter_values, gauge_values, scrape_interval

Labels = tuple[tuple[str, str], ...]

_RATIO: dict[str, Ratio] = {ratio.name: ratio for ratio in RATIOS}
_PARTS_OF_A_HISTOGRAM = ("_bucket", "_sum", "_count", "_created")
_ADDED_UP = ("requests", "tokens", "bytes")  # units of gauges that add up over replicas; of others the worst counts
_COUNTS = ("not_finite", "late", "repeated", "refused")
_DCGM_BLANK = 2.0**47  # DCGM exports this or more where a GPU does not support a field


@saved
@dataclass(frozen=True, slots=True, order=True)
class SeriesId:
    """One series of the store.

    Parameters
    ----------
    name
        Our name where the catalogue has one, else the metric's own.
    labels
        Its labels, sorted by name.
    """

    name: str
    labels: Labels = ()


class SeriesStore:
    """Series by name and labels, each a bounded history of ticks.

    The content does not depend on how samples are cut into batches, nor on their order within ``lateness_s``.

    Parameters
    ----------
    width_s
        Width of a tick, in seconds.
    history_ticks
        Ticks kept of each series, counted from its newest sample.
    names
        Series names of your own: ``{their_name: our_name}``.
    lateness_s
        Samples that come later than this after a newer one of their series are dropped, in seconds.
    max_series
        Further series are refused.

    Attributes
    ----------
    not_finite, late, repeated, refused
        Samples that were left out: NaN, infinite or blank; too late; of a time that was there; of too many series.

    Examples
    --------
    >>> store = SeriesStore(5.0, 100)
    >>> key = SeriesKey("vllm:num_preemptions_total", (("pod", "a"),))
    >>> store.add(Metrics(np.array([0.0, 15.0]), np.array([0, 0], np.int32), np.array([7.0, 22.0]), (key,)))
    >>> [i.name for i in store.ids()], store.values(store.ids()[0], 0, 3).tolist()
    (['preemptions'], [1.0, 1.0, 1.0, nan])
    """

    def __init__(
        self,
        width_s: float,
        history_ticks: int,
        names: Mapping[str, str] | None = None,
        *,
        lateness_s: float = 10.0,
        max_series: int = 4096,
    ) -> None:
        self.width_s, self.history_ticks, self.lateness_s = width_s, history_ticks, lateness_s
        self.names, self.max_series = dict(names or {}), max_series
        self.tracks: dict[SeriesId, Track] = {}
        self.not_finite = self.late = self.repeated = self.refused = 0

    def keep(self) -> dict[str, Any]:
        """All that is known."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {**counts, "tracks": {series: keep(track) for series, track in self.tracks.items()}}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from what another one knew."""
        for name in _COUNTS:
            setattr(self, name, state[name])
        self.tracks = {}
        for series, known in state["tracks"].items():
            self.tracks[series] = Track(known["kind"], self.width_s, self.history_ticks, self.lateness_s)
            take(self.tracks[series], known)

    def add(self, metrics: Metrics) -> None:
        """Take a batch of samples."""
        n = len(metrics.keys)
        slot, scale, blank = np.full(n, -1), np.ones(n), np.full(n, np.inf)
        places: dict[tuple[SeriesId, Kind], int] = {}
        for position in np.unique(metrics.series):
            key = metrics.keys[position]
            scale[position] = scale_of(key.name, key.labels)
            blank[position] = _DCGM_BLANK if key.name.startswith("DCGM_") else np.inf
            if (place := self._place(key)) is not None:
                slot[position] = places.setdefault(place, len(places))
        if not places:
            return
        known = np.isfinite(metrics.at) & (np.abs(metrics.value) < blank[metrics.series])
        self.not_finite += int(len(known) - known.sum())
        rows = np.flatnonzero(known & (slot[metrics.series] >= 0))
        rows = rows[np.argsort(slot[metrics.series[rows]], kind="stable")]
        cuts = np.searchsorted(slot[metrics.series[rows]], np.arange(1, len(places)))
        for (series, kind), part in zip(places, np.split(rows, cuts), strict=True):
            if len(part) and (track := self._track(series, kind)):
                late, repeated = track.add(metrics.at[part], metrics.value[part] * scale[metrics.series[part]])
                self.late, self.repeated = self.late + late, self.repeated + repeated

    def ids(self, name: str | None = None) -> tuple[SeriesId, ...]:
        """The series of this name, or all; ratios that can be computed among them."""
        made = {i for r in RATIOS if name in (None, r.name) for i in self._made(r)}
        return tuple(sorted(made.union(i for i in self.tracks if name in (None, i.name))))

    def values(
        self,
        series: SeriesId,
        first_tick: int,
        last_tick: int,
        *,
        what: Literal["mean", "low", "high"] = "mean",
        until: int | None = None,
    ) -> Floats:
        """The series in each tick of ``[first_tick, last_tick]``, NaN where absent.

        A gauge holds from one sample to the next, a counter's increments are spread evenly between two samples and
        given per second; both only where the samples are less than 90 s or 5 scrapes apart.

        Parameters
        ----------
        what
            Of a gauge's samples within a tick: the mean, the lowest or the highest.
        until
            Do not look at samples after this tick, so that a scan that has them says what a monitor would have said.
        """
        track = self.tracks.get(series)
        if track is None:
            return self._quotient(series.name, first_tick, last_tick, dict(series.labels), until)
        if track.kind == "counter":
            return counter_values(track.snapshot(until), first_tick, last_tick, self.width_s)
        return gauge_values(track.snapshot(until), first_tick, last_tick, self.width_s, what)

    def extreme(
        self,
        series: SeriesId,
        first_tick: int,
        last_tick: int,
        side: Literal["max", "min"],
        *,
        until: int | None = None,
    ) -> float:
        """The largest or the smallest value in ``[first_tick, last_tick]``; NaN where absent."""
        values = self.values(series, first_tick, last_tick, what="high" if side == "max" else "low", until=until)
        known = values[~np.isnan(values)]
        if not len(known):
            return float("nan")
        return float(known.max() if side == "max" else known.min())

    def combined(
        self,
        name: str,
        first_tick: int,
        last_tick: int,
        labels: Mapping[str, str] | None = None,
        *,
        until: int | None = None,
    ) -> Floats:
        """All series of a name (and with these labels) as one.

        Counters, requests, tokens and bytes add up; of shares, temperatures and states the worst counts;
        a ratio is the sum of its numerators over the sum of its denominators.
        """
        wanted = set((labels or {}).items())
        tracks = {i: t for i, t in self.tracks.items() if i.name == name and wanted <= set(i.labels)}
        if not tracks:
            return self._quotient(name, first_tick, last_tick, labels or {}, until)
        values = np.stack([self.values(i, first_tick, last_tick, until=until) for i in sorted(tracks)])
        return _folded(values, name, any(t.kind == "counter" for t in tracks.values()))

    def interval(self, series: SeriesId, *, until: int | None = None) -> float:
        """Median time between two samples, in seconds; NaN where unknown."""
        track = self._sampled(series)
        return scrape_interval(track.snapshot(until)) if track else float("nan")

    def last_seen(self, series: SeriesId) -> float:
        """Time of the newest sample; NaN where there is none."""
        track = self._sampled(series)
        return track.newest if track else float("nan")

    def until(self, tick: int) -> SeriesStore:
        """A view of the series that had begun by the end of a tick, for reading: a scan has later ones too."""
        end = (tick + 1) * self.width_s
        return self.only(series for series, track in self.tracks.items() if track.begin < end)

    def only(self, kept: Iterable[SeriesId]) -> SeriesStore:
        """A view of some of the series, for reading."""
        view = copy(self)
        view.tracks = {series: self.tracks[series] for series in kept}
        return view

    def trim(self, before_tick: int) -> None:
        """Forget the ticks before this one, and the series that have no later sample."""
        self.tracks = {i: t for i, t in self.tracks.items() if t.newest >= before_tick * self.width_s}
        for track in self.tracks.values():
            track.trim(before_tick)

    def _place(self, key: SeriesKey) -> tuple[SeriesId, Kind] | None:
        """Our name and kind of a source's series; none for parts of histograms."""
        name = self.names.get(key.name, key.name)
        found = resolve(name, key.labels)
        if found is not None:
            series = found[0]
            return None if series.kind == "histogram" else (SeriesId(series.name, key.labels), series.kind)
        if key.kind not in ("gauge", "counter") and name.endswith(_PARTS_OF_A_HISTOGRAM):
            return None
        return SeriesId(name, key.labels), "counter" if key.kind == "counter" or name.endswith("_total") else "gauge"

    def _track(self, series: SeriesId, kind: Kind) -> Track | None:
        if series not in self.tracks:
            if len(self.tracks) >= self.max_series:
                self.refused += 1
                return None
            self.tracks[series] = Track(kind, self.width_s, self.history_ticks, self.lateness_s)
        return self.tracks[series]

    def _made(self, ratio: Ratio) -> list[SeriesId]:
        """The ratio for each set of labels of its numerator that its denominator has too."""
        below = [i.labels for i in self.tracks if i.name == ratio.denominator]
        parts: dict[tuple[str, ...], set[Labels]] = {}
        made = []
        for labels in [i.labels for i in self.tracks if i.name == ratio.numerator]:
            names = tuple(name for name, _ in labels)
            if names not in parts:
                parts[names] = {tuple(pair for pair in other if pair[0] in names) for other in below}
            if labels in parts[names]:
                made.append(SeriesId(ratio.name, labels))
        return made

    def _quotient(
        self, name: str, first_tick: int, last_tick: int, labels: Mapping[str, str], until: int | None
    ) -> Floats:
        """A ratio over all series with these labels; NaN where there is no such ratio."""
        if name not in _RATIO:
            return np.full(last_tick - first_tick + 1, np.nan)
        parts = (_RATIO[name].numerator, _RATIO[name].denominator)
        above, below = (self.combined(part, first_tick, last_tick, labels, until=until) for part in parts)
        some = below > 0
        return np.where(some, above / np.where(some, below, 1.0), np.nan)

    def _sampled(self, series: SeriesId) -> Track | None:
        """The track that a series, or the numerator of a ratio, is read from."""
        name = series.name if series in self.tracks or series.name not in _RATIO else _RATIO[series.name].numerator
        return self.tracks.get(SeriesId(name, series.labels))


def _folded(values: Floats, name: str, counter: bool) -> Floats:
    """Series of one name as one, of shape (series, ticks): the rule that `SeriesStore.combined` states."""
    series = BY_NAME.get(name)
    if counter or (series is not None and series.unit in _ADDED_UP):
        return np.where(np.isnan(values).all(axis=0), np.nan, np.nansum(values, axis=0))
    worst = np.fmin if series is not None and series.bad == "down" else np.fmax
    return np.asarray(worst.reduce(values, axis=0))

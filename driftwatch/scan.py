"""Over logs: read them, run the engine, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from driftwatch import __version__
from driftwatch.baseline import Baseline
from driftwatch.config import Config
from driftwatch.engine import Engine
from driftwatch.errors import InputError
from driftwatch.events.catalogue import expected_series
from driftwatch.incidents import Incident
from driftwatch.readers import Quarantine, read_markers, read_metrics, read_requests, recording
from driftwatch.report import Quarantined, Report, StreamState

Progress = Callable[[int, int], None]
"""Called with bytes read and bytes in all (0 where not known)."""


def scan(
    requests: Any = None,
    metrics: Any = None,
    markers: Any = None,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    baseline: Baseline | None = None,
    progress: Progress | None = None,
) -> Report:
    """Look for silent degradation in logs, and explain what is found.

    Parameters
    ----------
    requests
        Request logs: a path, a glob, a recording folder, a data frame, an iterable of batches, or a list of such.
        Without them, the latency histograms in ``metrics`` are used.
    metrics
        Series of the engine, the GPU and the host: paths or tables.
    markers
        Deploys, config changes, restarts: a path or a table.
    config
        A TOML file, a mapping, or a `Config`.
    baseline
        What is healthy, from `fit`; without it, it is learnt from the beginning of the log.
    progress
        Called with bytes read and bytes in all.

    Raises
    ------
    InputError
        If a source cannot be used at all. Single bad rows are left out, and counted in the report.
    ConfigError
        If the configuration is wrong.
    """
    reading = _Reading(requests, metrics, markers, Config.load(config), baseline, progress)
    latest: dict[str, Incident] = {}
    for incident in reading.run():
        latest[incident.id] = incident
    return reading.report(sorted(latest.values(), key=lambda i: (i.opened_at, i.id)))


def fit(
    requests: Any,
    metrics: Any = None,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    progress: Progress | None = None,
) -> Baseline:
    """Learn what is healthy from a log that is known to be.

    Parameters
    ----------
    requests, metrics, config, progress
        As for `scan`.

    Raises
    ------
    InputError
        If the log is too short to learn from.
    """
    settings = Config.load(config)
    reading = _Reading(requests, metrics, None, settings, None, progress)
    for _ in reading.run():
        pass
    learnt = reading.engine.learnt()
    if not learnt.streams:
        need = settings.learning
        raise InputError(
            f"too little to learn from: {need.min_ticks} ticks and {need.min_requests} requests are needed"
        )
    return learnt


class _Reading:
    """One pass over the sources."""

    def __init__(
        self,
        requests: Any,
        metrics: Any,
        markers: Any,
        config: Config,
        baseline: Baseline | None,
        progress: Progress | None,
    ) -> None:
        self.requests, self.metrics, self.markers = _sources(requests, metrics, markers)
        if not self.requests and not self.metrics:
            raise InputError("nothing to read: give request logs, or metrics with latency histograms")
        self.config, self.progress = config, progress
        self.quarantine = Quarantine(config.input.max_quarantined_share)
        self.engine = Engine(config, from_requests=bool(self.requests), baseline=baseline, keep_series=True)
        self.names: set[str] = set()
        self.first, self.last = np.inf, -np.inf

    def run(self) -> Iterable[Incident]:
        """Everything that happened, in order of time."""
        for source in self.markers:
            self.engine.add(read_markers(source, self.config, self.quarantine))
        for source in self.metrics:
            for samples in read_metrics(source, self.config, self.quarantine):
                self.names.update(key.name for key in samples.keys)
                self._span(samples.at)
                self.engine.add(samples)
        if self.requests:
            for batch in read_requests(self.requests, self.config, self.quarantine, self.progress):
                self._span(batch.at)
                self.engine.add(batch)
                yield from self.engine.advance(prompt=False)
        yield from self.engine.finish()

    def _span(self, at: Any) -> None:
        if len(at):
            self.first, self.last = min(self.first, float(at.min())), max(self.last, float(at.max()))

    def report(self, incidents: list[Incident]) -> Report:
        """What was found, and what could not be seen."""
        engine, builder = self.engine, self.engine.builder
        known = np.isfinite(self.first)
        return Report(
            incidents=tuple(incidents),
            started_at=datetime.fromtimestamp(self.first, UTC) if known else None,
            ended_at=datetime.fromtimestamp(self.last, UTC) if known else None,
            requests=sum(watch.requests for watch in engine.watches.values()),
            samples=engine.samples,
            streams=tuple(
                StreamState(
                    name=watch.title,
                    requests=watch.requests,
                    ticks=watch.ticks,
                    learnt_ticks=watch.learnt_ticks,
                    effective_ticks=round(watch.effective, 1),
                    state="watching" if watch.baseline.ready else "learning",
                    refused=watch.refused,
                    notes=tuple(watch.baseline.notes),
                )
                for watch in engine.watches.values()
            ),
            quarantined=tuple(
                Quarantined(source=q.source, reason=q.reason, rows=q.count, first_lines=tuple(q.lines))
                for q in self.quarantine.rows()
            ),
            late=getattr(builder, "late", 0),
            duplicates=getattr(builder, "duplicates", 0),
            absent=tuple(str(a) for a in expected_series(self.names)) if self.names else (),
            notes=(
                *self.quarantine.notes,
                *self._limits(),
                *self._ahead(),
                *(str(rule) for rule in engine.unread_rules),
            ),
            config_digest=self.config.digest(),
            version=__version__,
        )

    def _limits(self) -> tuple[str, ...]:
        """Limits of the configuration that were reached."""
        builder, limits = self.engine.builder, self.config.streams
        learnt_with = self.engine.baseline.config_digest
        other = "the baseline was learnt with another configuration: learn it anew if ticks, streams or units differ"
        return (other,) * (learnt_with not in ("", self.config.digest())) + tuple(
            f"there are more {what} than streams.max_{what} = {limit}: the others are taken together as 'other'"
            for what, names, limit in (
                ("streams", builder.streams, limits.max_streams),
                ("segments", builder.segments, limits.max_segments),
            )
            if names.overflow
        )

    def _ahead(self) -> tuple[str, ...]:
        ahead = getattr(self.engine.builder, "ahead", 0)
        if not ahead:
            return ()
        return (
            f"{ahead} requests lie over an hour ahead of all others and were left out: check the clock that wrote them",
        )


def _sources(requests: Any, metrics: Any, markers: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Sources of each kind; a recording folder stands for all three."""
    found: tuple[list[Any], list[Any], list[Any]] = ([], _listed(metrics), _listed(markers))
    for source in _listed(requests):
        parts = _recorded(source)
        if parts is None:
            found[0].append(source)
        else:
            for known, part in zip(found, parts, strict=True):
                known.extend(_listed(part))
    return found


def _recorded(source: Any) -> tuple[Path | None, ...] | None:
    """The files of a recording folder; None for anything else, such as a folder of logs."""
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return None
    try:
        return recording(source)
    except InputError:
        return None


def _listed(source: Any) -> list[Any]:
    """Several sources, or one: a list of paths or tables is several, a list of rows is one."""
    if source is None:
        return []
    several = isinstance(source, list | tuple) and not any(isinstance(s, Mapping | BaseModel) for s in source)
    return list(source) if several else [source]

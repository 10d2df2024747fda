"""What a scan found, and what it could not see: incidents, streams, rows that could not be read, absent series."""

from __future__ import annotations

import html as escaping
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from driftwatch._optional import load
from driftwatch.errors import InputError, MissingExtra
from driftwatch.explain import headline, html, plot, render, text
from driftwatch.explain.facts import sentences
from driftwatch.explain.findings import lead
from driftwatch.explain.numbers import clean, clock, lasting, utc
from driftwatch.explain.panel import Tile
from driftwatch.explain.story import Section, Table
from driftwatch.incidents.models import Incident
from driftwatch.incidents.record import Record
from driftwatch.sinks import Outbox, Outcome, Sink
from driftwatch.statistics.whitening import PROMISED

_MOST = 20  # rows of a table in words; all of them are in the JSON


class StreamState(Record):
    """How far one stream is known."""

    name: str
    requests: int = 0
    ticks: int = Field(default=0, description="Ticks that had requests.")
    learnt_ticks: int = Field(default=0, description="Ticks that the baseline is learnt from.")
    effective_ticks: float = Field(default=0.0, description="Independent ticks that these are worth.")
    state: Literal["learning", "watching"] = "learning"
    refused: tuple[str, ...] = Field(default=(), description="What is not judged, and why.")
    notes: tuple[str, ...] = ()


class Quarantined(Record):
    """Rows of one source that could not be read, for one reason."""

    source: str
    reason: str
    rows: int
    first_lines: tuple[int, ...] = Field(default=(), description="Some of the lines, counted from 1.")


class Report(Record):
    """The result of `scan`.

    Examples
    --------
    >>> from datetime import UTC
    >>> start = datetime(2026, 11, 23, 14, tzinfo=UTC)
    >>> report = Report(started_at=start, ended_at=start.replace(hour=15), requests=3600)
    >>> print(report.summary()[0])
    No incident, but nothing is judged yet: no stream has learnt what is healthy
    >>> Report.from_json(report.to_json()) == report
    True
    """

    incidents: tuple[Incident, ...] = Field(default=(), description="By opening time.")
    started_at: datetime | None = Field(default=None, description="Time of the first event.")
    ended_at: datetime | None = Field(default=None, description="Time of the last event.")
    requests: int = 0
    samples: int = Field(default=0, description="Samples of metrics.")
    streams: tuple[StreamState, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    late: int = Field(default=0, description="Rows that came too late for their tick, and were left out.")
    duplicates: int = Field(default=0, description="Rows with a request id that was seen before, left out.")
    absent: tuple[str, ...] = Field(
        default=(), description="Series that are expected of such an engine and are not there."
    )
    notes: tuple[str, ...] = ()
    config_digest: str = ""
    version: str = ""

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page (no script, no network).

        Raises
        ------
        MissingExtra
            If the extra ``report`` is not installed.
        """
        target = Path(path)
        target.write_text(self.page(), encoding="utf-8")
        return target

    def page(self) -> str:
        """The same page as text."""
        return html.page(self.incidents, **self._layout())

    def plot(self) -> Any:
        """The pictures of the page as one altair chart: the timeline, then those of the first twelve incidents.

        Raises
        ------
        MissingExtra
            If the extra ``report`` is not installed.
        """
        return plot(self.incidents, self._period())

    def to_json(self, path: str | Path | None = None) -> str:
        """All facts as JSON, also into a file if one is named; `from_json` reads it back."""
        document = self.model_dump_json(indent=2) + "\n"
        if path is not None:
            Path(path).write_text(document, encoding="utf-8")
        return document

    @classmethod
    def from_json(cls, source: str | Path) -> Self:
        """Read what `to_json` gave: a path, or the JSON itself.

        Raises
        ------
        InputError
            If it cannot be read or is not such a report.
        """
        given = isinstance(source, str) and source.lstrip().startswith("{")
        name = "report" if given else str(source)
        try:
            document = str(source) if given else Path(source).read_text(encoding="utf-8")
            return cls.model_validate_json(document)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", source=name) from error
        except (ValidationError, UnicodeDecodeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(map(str, first["loc"])) or "the document"
            raise InputError(f"not a report of driftwatch: {where}: {first['msg']}", source=name) from error

    def to_frame(self) -> Any:
        """A pandas data frame, one row for each incident.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        return load("pandas", "batch").DataFrame(
            [_row(incident) for incident in self.incidents], columns=list(_COLUMNS)
        )

    def send(self, sinks: Iterable[Sink] | Outbox, *, path: str | Path | None = None) -> list[Outcome]:
        """Tell destinations of the incidents, through a durable outbox, and try to deliver now.

        What is not taken stays in the outbox; what an earlier scan of the same log has told is not told again.

        Parameters
        ----------
        sinks
            Destinations, or an outbox that has some.
        path
            File of the outbox, where only destinations are given; by default that in the folder for state.

        Returns
        -------
        list
            What became of each attempt.

        Raises
        ------
        StateError
            If the outbox cannot be written.
        """
        outbox = sinks if isinstance(sinks, Outbox) else Outbox(path, sinks)
        try:
            outbox.put(self.incidents)
            return outbox.deliver()
        finally:
            if outbox is not sinks:
                outbox.close()

    def summary(self) -> tuple[str, ...]:
        """What was found and what was looked at, in two sentences."""
        return sentences([self._verdict(), self._extent()])

    def watched(self) -> tuple[Section, ...]:
        """What was watched, what is not judged, what could not be read, what is absent."""
        left_out = [f"{self.late:,} rows came too late for their tick"] if self.late else []
        left_out += [f"{self.duplicates:,} rows repeat a request id"] if self.duplicates else []
        sections = (
            Section("streams", "Watched", (), self._stream_table()),
            Section("refused", "Not judged", sentences(self._refused())),
            Section("absent", "Absent", sentences(self._absences())),
            Section("unread", "Not read", sentences(left_out), self._quarantine_table()),
            Section("notes", "Notes", sentences(clean(note, 300) for note in self.notes[:_MOST])),
        )
        return tuple(s for s in sections if s.sentences or s.table)

    def __str__(self) -> str:
        stories = [render(incident, "text") for incident in self.incidents]
        return "\n\n".join(["\n".join(self.summary()), *stories, text.layout(self.watched())]).rstrip() + "\n"

    def __repr__(self) -> str:
        return f"<Report: {self._verdict()}>"

    def _repr_html_(self) -> str:
        try:
            return html.fragment(self.incidents, **self._layout())
        except MissingExtra:
            return f"<pre>{escaping.escape(str(self))}</pre>"

    def _period(self) -> tuple[datetime, datetime] | None:
        return (self.started_at, self.ended_at) if self.started_at and self.ended_at else None

    def _layout(self) -> dict[str, Any]:
        verdict, extent = self.summary()
        made = f"driftwatch {clean(self.version, 30)}, configuration {clean(self.config_digest, 30)}"
        return {
            "heading": verdict,
            "summary": (extent,),
            "watched": self.watched(),
            "period": self._period(),
            "footer": made if self.version else "",
            "tiles": () if self.incidents else self._tiles(),
            "quiet": not self.incidents and self._judged(),
        }

    def _verdict(self) -> str:
        if self.incidents:
            counts = Counter(f"{i.severity} {i.kind}" for i in self.incidents)
            many = f"{len(self.incidents)} incident{'s' if len(self.incidents) > 1 else ''}"
            return f"{many} ({', '.join(f'{n} {what}' for what, n in counts.items())})"
        if self._judged():
            return "no incident: nothing that is judged moved by more than its margin"
        return "no incident, but nothing is judged yet: no stream has learnt what is healthy"

    def _judged(self) -> bool:
        return any(stream.state == "watching" for stream in self.streams)

    def _tiles(self) -> tuple[Tile, ...]:
        """How much was looked at, where nothing was found."""
        judged = sum(stream.state == "watching" for stream in self.streams)
        period = self._period()
        lasted = lasting((utc(period[1]) - utc(period[0])).total_seconds()) if period else "unknown"
        return (
            Tile("streams judged", f"{judged:,} of {len(self.streams):,}", "each against its own healthy past"),
            Tile("requests", f"{self.requests:,}", "read and given to a tick"),
            Tile("samples of metrics", f"{self.samples:,}", f"{len(self.absent):,} expected series absent"),
            Tile("watched for", lasted, "of event time"),
        )

    def _extent(self) -> str:
        read = f"{self.requests:,} requests and {self.samples:,} samples of metrics"
        if self.started_at is None or self.ended_at is None:
            return read
        lasted = lasting((utc(self.ended_at) - utc(self.started_at)).total_seconds())
        return f"{read} over {lasted}, from {clock(self.started_at)} to {clock(self.ended_at)}"

    def _refused(self) -> Iterator[str]:
        for stream in self.streams[:_MOST]:
            if stream.state == "learning":
                yield f"on {clean(stream.name)}: still learning, {stream.learnt_ticks:,} ticks so far"
            elif stream.effective_ticks < PROMISED:
                yield (
                    f"on {clean(stream.name)}: the baseline is young; its {stream.learnt_ticks:,} ticks are worth "
                    f"{stream.effective_ticks:.0f} independent ones, and the promise about false alarms holds from "
                    f"{PROMISED:.0f}"
                )
            yield from (
                f"on {clean(stream.name)}: {clean(what, 200)}" for what in (*stream.refused, *stream.notes)[:_MOST]
            )

    def _absences(self) -> Iterator[str]:
        if self.absent:
            names = ", ".join(clean(name, 60) for name in self.absent[:_MOST])
            more = f" and {len(self.absent) - _MOST} more" if len(self.absent) > _MOST else ""
            yield f"expected and not there, so nothing is said about them: {names}{more}"

    def _stream_table(self) -> Table | None:
        rows = [
            (clean(s.name), s.state, *(f"{n:,.0f}" for n in (s.requests, s.ticks, s.learnt_ticks, s.effective_ticks)))
            for s in self.streams
        ]
        header = ("stream", "state", "requests", "ticks", "learnt from", "worth")
        return Table("Streams", header, tuple(rows[:_MOST])) if rows else None

    def _quarantine_table(self) -> Table | None:
        rows = [
            (clean(q.source, 80), f"{q.rows:,}", ", ".join(map(str, q.first_lines[:5])), clean(q.reason, 120))
            for q in self.quarantined
        ]
        header = ("source", "rows", "first lines", "reason")
        return Table("Rows that could not be read", header, tuple(rows[:_MOST])) if rows else None


_COLUMNS = (
    *("id", "seq", "status", "kind", "severity", "stream", "onset", "onset_low", "onset_high", "opened_at"),
    *("resolved_at", "signal", "unit", "before", "after", "change", "evidence", "cause", "tier", "share_low"),
    *("share_high", "lag_s", "silent", "headline"),
)


def _row(incident: Incident) -> dict[str, Any]:
    first = lead(incident)
    cause = next((c for c in incident.causes if c.tier != "ruled_out"), None)
    plain = ("id", "seq", "status", "kind", "severity", "stream", "onset", "opened_at", "resolved_at", "silent")
    row = {name: getattr(incident, name) for name in plain}
    row |= dict(zip(("onset_low", "onset_high"), incident.onset_interval, strict=True))
    row |= {n: getattr(first, n, None) for n in ("signal", "unit", "before", "after", "change", "evidence")}
    row |= {n: getattr(cause, n, None) for n in ("tier", "share_low", "share_high", "lag_s")}
    return row | {"cause": cause.name if cause else None, "headline": headline(incident)}

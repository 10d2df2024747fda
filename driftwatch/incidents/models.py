"""The incident record: the facts, all of them, and nothing that is not a fact.

Words, pictures and alerts are made from this record alone, so that nothing is said that is not in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from driftwatch.incidents.chapters import Economics, Memory
from driftwatch.incidents.record import Record

Kind = Literal["degradation", "improvement", "change", "workload", "telemetry"]
Severity = Literal["info", "warning", "critical"]
Status = Literal["open", "acknowledged", "resolved"]
Role = Literal["exogenous", "mechanism", "event"]
Tier = Literal["supported", "consistent", "ruled_out"]
Layer = Literal["infrastructure", "serving"]
State = Literal["green", "firing", "absent"]
Format = Literal["text", "markdown", "html"]


class Finding(Record):
    """One signal of one stream that moved."""

    signal: str = Field(description="Name of the signal in the catalogue, such as 'ttft'.")
    stream: str = Field(description="The stream, such as 'model=smollm2'.")
    direction: Literal["up", "down"] = Field(description="Which way it moved.")
    unit: str = Field(description="Unit of before and after: 's', 'tokens', 'share', '1/s'.")
    before: float = Field(description="Typical value before the onset, for the workload of after.")
    after: float = Field(description="Typical value since the onset.")
    change: float = Field(description="after / before - 1; for a share, after - before.")
    interval: tuple[float, float] = Field(description="95% interval of the change.")
    evidence: float = Field(
        description="log10 of the e-value against 'nothing changed' when last updated; 6: a million to one."
    )
    onset: datetime = Field(description="Most probable time of this signal's change.")
    requests: int = Field(description="Requests measured since the onset.")


class Cause(Record):
    """One candidate for why, with what speaks for and against it."""

    name: str = Field(description="Name in the catalogue ('kv_cache', 'preemptions', 'traffic'), or the marker's text.")
    role: Role
    tier: Tier = Field(
        description="supported: the claim passed its tests. consistent: it fits but cannot be told apart."
    )
    share_low: float = Field(description="Lower end of the share of the excess that it explains, 0 to 1.")
    share_high: float = Field(description="Upper end of that share.")
    lag_s: float = Field(description="Seconds by which it runs ahead of the signal.")
    via: tuple[str, ...] = Field(default=(), description="The chain from driver to signal, by name.")
    scope: dict[str, str] = Field(default_factory=dict, description="Labels that it is limited to, such as the tenant.")
    evidence: dict[str, float] = Field(default_factory=dict, description="Measured numbers by name.")
    unit: str = Field(default="", description="Unit of 'before' and 'after' in the evidence.")
    reason: str = Field(default="", description="Why this tier: the test that decided, in one sentence.")


class HealthCheck(Record):
    """One check of a usual dashboard, and what it showed during the incident."""

    name: str
    layer: Layer
    state: State = Field(description="green, firing, or absent (not measured; never the same as green).")
    newly: bool = Field(default=False, description="True if it fires now and did not before the onset.")
    worst: float | None = Field(description="Worst value during the incident; None if absent.")
    threshold: float
    comparison: Literal[">", "<", ">=", "<=", "==", "!="] = ">"
    for_s: float = Field(default=0.0, description="It must hold this long to fire, in seconds.")
    unit: str = ""
    source: str = Field(default="", description="Where the threshold is from.")
    series: str = Field(default="", description="The series or the signal that it reads.")
    room: float | None = Field(
        default=None,
        description="How far the worst value stayed from the threshold, as a share of it; below 0 it was beyond.",
    )


class Contrast(Record):
    """What users felt, beside the check that should have said so: the infrastructure check closest to firing."""

    felt: str = Field(description="Name of the signal that moved most.")
    felt_unit: str
    felt_before: float
    felt_after: float
    shown: str = Field(description="Name of the check.")
    shown_unit: str = ""
    shown_worst: float
    shown_threshold: float
    comparison: Literal[">", "<", ">=", "<=", "==", "!="]


class Segment(Record):
    """A part of the traffic, and how much harder it was hit than the rest."""

    where: dict[str, str]
    share: float = Field(description="Share of the excess that falls on it, 0 to 1.")
    lift: float = Field(description="Its excess per request over that of the rest (1 is the same).")
    compared: bool = Field(default=True, description="False where nothing else could be judged to compare it with.")
    signal: str = ""
    before: float = 0.0
    after: float = 0.0
    added: float | None = Field(
        default=None, description="By how much its typical request is longer, in seconds; None for other units."
    )
    rest: float | None = Field(default=None, description="The same of the rest of the traffic.")
    requests: int = 0


class Line(Record):
    """A series as it is drawn beside the others; times are those of the chart."""

    name: str
    unit: str = ""
    role: Literal["signal", "exogenous", "mechanism", "event", "symptom", "health"]
    value: tuple[float | None, ...]
    expected: tuple[float | None, ...] = Field(default=(), description="What the baseline expects, where it has one.")


class Chart(Record):
    """What a person needs to see: the signals, and the candidate causes on the same time axis."""

    time: tuple[float, ...] = Field(description="Seconds since the epoch, one for each point.")
    lines: tuple[Line, ...]


class Dose(Record):
    """How much worse a tick was at what level of one candidate cause, and the monotone ramp fitted to that.

    An excess is a ratio to what was expected for a duration, a length or a rate, and a difference for a share.
    """

    name: str = Field(description="The candidate, with its labels, as the chart's lines name it.")
    unit: str = Field(default="", description="Unit of the candidate.")
    signal: str = Field(description="The signal whose excess it is.")
    excess_unit: str = Field(description="'times' the expected value, or the unit of a difference: 'share', 'sd'.")
    lag_s: float = Field(default=0.0, description="The candidate's level is that of so many seconds before.")
    healthy: tuple[tuple[float, float], ...] = Field(description="Ticks before the onset: level, excess.")
    during: tuple[tuple[float, float], ...] = Field(description="Ticks since the onset: level, excess.")
    ramp: tuple[tuple[float, float], ...] = Field(default=(), description="Corners of the fitted ramp, from the left.")
    saturates: float | None = Field(default=None, description="The level from which more does no more harm, if any.")


class Mark(Record):
    """A marker near the incident."""

    at: datetime
    kind: str
    text: str


class Loss(Record):
    """Something that was heard of regularly and is not any more."""

    what: Literal["traffic", "requests", "series"] = Field(
        description="traffic: a stream completes nothing. requests: they began and do not end. series: metrics stopped."
    )
    source: str = Field(description="The stream, or the labels of who exposes the metrics ('metrics': no such labels).")
    since: datetime = Field(description="When it was missing first.")
    until: datetime | None = Field(default=None, description="When it came back.")
    missing: int = Field(
        description="Requests to be expected meanwhile, requests that did not end, or metrics that stopped."
    )
    of: int = Field(default=0, description="Of so many requests that began since, or metrics of the source.")
    rate: float = Field(default=0.0, description="Requests per second before, for traffic.")
    longest_s: float = Field(
        description="The longest healthy silence or usual request, or the time between two samples, in seconds."
    )
    names: tuple[str, ...] = Field(default=(), description="Metrics that stopped.")
    evidence: float = Field(default=0.0, description="log10 of the evidence against a healthy silence; 0 for a rule.")


class Trait(Record):
    """One feature of answers, before and since."""

    name: str = Field(description="Name of the feature, such as 'words'.")
    before: float
    after: float
    unit: str = Field(default="", description="'share', or empty for a count.")


class Term(Record):
    """A phrase of the public list, and the share of answers that have it."""

    text: str
    before: float
    after: float


class KindMove(Record):
    """A kind of answers (a cluster of what prompts do not explain), and its share."""

    kind: int = Field(description="Number of the kind, as in the signal 'kind_3'.")
    before: float
    after: float
    terms: tuple[str, ...] = Field(default=(), description="Phrases that tell it from the other kinds.")


class Example(Record):
    """An answer that shows the change."""

    request_id: str
    at: float = Field(description="When it was complete, in seconds since the epoch.")
    excerpt: str = Field(default="", description="Its beginning; empty unless text.keep_text is set.")


class AnswerChange(Record):
    """How answers changed, from what is kept of them: numbers, and phrases of a public list."""

    before: int = Field(description="Answers that were learnt from.")
    after: int = Field(description="Newest answers since the onset that are compared with them.")
    traits: tuple[Trait, ...] = ()
    more: tuple[Term, ...] = ()
    fewer: tuple[Term, ...] = ()
    kinds: tuple[KindMove, ...] = ()
    examples: tuple[Example, ...] = ()


class Incident(Record):
    """What changed, since when, for whom, what stayed green, the likely cause, and how sure that is.

    ``(id, seq)`` names one transition: the record is never changed, a later state has a higher ``seq``.
    """

    id: str
    seq: int = 1
    status: Status = "open"
    transition: Literal["open", "update", "acknowledge", "accept", "resolve", "merge"] = "open"
    kind: Kind
    severity: Severity
    stream: str
    opened_at: datetime
    onset: datetime
    onset_interval: tuple[datetime, datetime] = Field(description="90% interval of the onset.")
    updated_at: datetime
    resolved_at: datetime | None = None
    findings: tuple[Finding, ...] = Field(description="The leading signal first: causes and segments are about it.")
    losses: tuple[Loss, ...] = Field(default=(), description="What is not heard of any more, for kind telemetry.")
    causes: tuple[Cause, ...] = ()
    silent: bool = Field(
        default=False, description="True when no infrastructure check newly fired, and at least one is measured."
    )
    health: tuple[HealthCheck, ...] = ()
    contrast: Contrast | None = Field(
        default=None, description="What users felt beside what a dashboard showed, for a silent incident."
    )
    segments: tuple[Segment, ...] = ()
    answers: AnswerChange | None = Field(default=None, description="How answers changed, where they did.")
    memory: Memory | None = Field(default=None, description="What the memory was like, where it is measured.")
    economics: Economics | None = Field(default=None, description="What the tokens cost, where they are counted.")
    markers: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = Field(
        default=(), description="What limits this record: absent series, short reference, ..."
    )
    chart: Chart | None = None
    doses: tuple[Dose, ...] = Field(default=(), description="Dose-response of the likeliest measured causes.")

    def explain(self, format: Format = "text") -> str:
        """Say it in words.

        Parameters
        ----------
        format
            ``"text"`` for a terminal, ``"markdown"`` for a ticket, ``"html"`` for a self-contained page.
        """
        from driftwatch.explain import render  # the only arrow that points upward: the contract spells it as a method

        return render(self, format)

    def plot(self) -> Any:
        """Its pictures as one altair chart (extra ``report``)."""
        from driftwatch.explain import plot  # as above

        return plot([self])

    def _repr_html_(self) -> str:
        from driftwatch.explain import notebook  # as above

        return notebook(self)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return self.model_dump(mode="json")

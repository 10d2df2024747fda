"""The configuration: one TOML file, checked by pydantic, each key with its default, its unit and its meaning.

docs/configuration.md is made from these models, so what is said there is what is checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from driftwatch._section import Section
from driftwatch.alerting import Alerts
from driftwatch.errors import ConfigError


class Input(Section):
    """How sources are read."""

    time_unit: Literal["s", "ms", "us", "ns"] = Field("s", description="Unit of numeric times.")
    duration_unit: Literal["s", "ms", "us", "ns"] = Field("s", description="Unit of durations.")
    fields: dict[str, str] = Field({}, description="Column names of your own: {their_name = 'our_name'}.")
    series: dict[str, str] = Field({}, description="Series names of your own: {their_name = 'our_name'}.")
    unknown: Literal["labels", "ignore"] = Field("labels", description="What to do with columns that are not known.")
    max_line_bytes: int = Field(4_194_304, gt=0, description="Longer lines are quarantined, in bytes.")
    max_quarantined_share: float = Field(
        0.5, gt=0, le=1, description="A source with a larger share of bad rows than this is refused."
    )


class Ticks(Section):
    """How events are summarised over time."""

    width_s: float = Field(5.0, gt=0, description="Width of a tick of event time, in seconds.")
    lateness_s: float = Field(10.0, ge=0, description="A tick is final this long after its end, in seconds.")


class Streams(Section):
    """What is watched separately."""

    by: tuple[str, ...] = Field(("model", "route"), description="Labels that make a stream.")
    max_streams: int = Field(16, ge=1, description="More streams than this go into one stream named 'other'.")
    segments: tuple[str, ...] = Field(
        ("tenant", "replica", "adapter"), description="Labels that are compared within a stream."
    )
    max_segments: int = Field(64, ge=1, description="Segments kept for each stream; the rest go into 'other'.")


class Learning(Section):
    """How 'healthy' is learnt."""

    min_ticks: int = Field(48, ge=20, description="Ticks with requests before anything is judged.")
    min_requests: int = Field(100, ge=20, description="Requests before anything is judged.")
    min_effective: float = Field(
        12.0,
        ge=0,
        description="Independent ticks that the warm-up must be worth, for neighbouring ticks resemble each other.",
    )
    max_wait_ticks: int = Field(720, ge=20, description="A warm-up this long is ended, however little it is worth.")
    max_ticks: int = Field(17_280, ge=100, description="Ticks that the baseline is learnt from, at most.")
    guard_ticks: int = Field(24, ge=0, description="The newest ticks that are not learnt from yet.")
    span_s: float = Field(3600.0, gt=0, description="Length of a span of the slow time scale, in seconds.")
    anchor_spans: int = Field(
        168, ge=48, description="Spans that the slow time scale learns from; then what it compares with stays."
    )


class Budget(Section):
    """How many false incidents are acceptable, all signals and streams together."""

    false_incidents: float = Field(1.0, gt=0, description="False incidents.")
    per_days: float = Field(30.0, gt=0, description="In this many days.")


class Margins(Section):
    """What is too small to matter: a move by less than this is shown, not alerted."""

    ttft: float = Field(0.10, ge=0, description="Relative change of the time to first token.")
    itl: float = Field(0.10, ge=0, description="Relative change of the inter-token latency.")
    latency: float = Field(0.10, ge=0, description="Relative change of the end-to-end latency.")
    ttft_tail: float = Field(0.03, ge=0, description="Change of the share of slow first tokens.")
    itl_tail: float = Field(0.03, ge=0, description="Change of the share of requests with slow tokens.")
    latency_tail: float = Field(0.03, ge=0, description="Change of the share of slow answers.")
    ttft_bursts: float = Field(0.01, ge=0, description="Change of the share of time with slow first tokens.")
    itl_bursts: float = Field(0.01, ge=0, description="Change of the share of time with slow tokens.")
    latency_bursts: float = Field(0.01, ge=0, description="Change of the share of time with slow answers.")
    output_length: float = Field(0.10, ge=0, description="Relative change of the output length.")
    prefill_share: float = Field(
        0.03, ge=0, description="Change of the part of a prompt that the prefix cache leaves to compute."
    )
    length_share: float = Field(0.02, ge=0, description="Change of the share of answers cut at the token limit.")
    abort_share: float = Field(0.02, ge=0, description="Change of the share of aborted requests.")
    error_share: float = Field(0.01, ge=0, description="Change of the share of failed requests.")
    empty_share: float = Field(0.02, ge=0, description="Change of the share of empty answers.")
    garbled_share: float = Field(0.01, ge=0, description="Change of the share of answers with broken characters.")
    loop_share: float = Field(0.02, ge=0, description="Change of the share of answers that repeat themselves.")
    cut_share: float = Field(0.03, ge=0, description="Change of the share of answers that end in mid-sentence.")
    refusal_share: float = Field(0.02, ge=0, description="Change of the share of refusals.")
    foreign_share: float = Field(0.02, ge=0, description="Change of the share of answers in another script.")
    duplicate_share: float = Field(0.03, ge=0, description="Change of the share of nearly the same answers.")
    echo_share: float = Field(0.03, ge=0, description="Change of the share of answers that repeat the prompt.")
    kinds: float = Field(0.05, ge=0, description="Change of the share of a kind of answers.")
    prompt_read: float = Field(0.05, ge=0, description="Relative change of the tokens evaluated for a prompt's text.")
    answer_shift: float = Field(0.05, ge=0, description="Move of the answers, in their own standard deviations.")
    answer_kinds: float = Field(0.1, ge=0, description="Move of the mix of kinds of answers, likewise.")
    answer_jump: float = Field(0.05, ge=0, description="Move of the newest answers, likewise.")
    answer_match: float = Field(0.05, ge=0, description="Move of how close answers stay to their prompts, likewise.")
    answer_spread: float = Field(0.05, ge=0, description="Move of how far answers lie from the usual, likewise.")
    score: float = Field(0.02, ge=0, description="Change of a score, in its own unit.")
    topic: float = Field(0.05, ge=0, description="Move of the topics of prompts, in their own standard deviations.")
    topic_spread: float = Field(0.05, ge=0, description="Move of how unusual prompts are, likewise.")
    traffic: float = Field(1.0, ge=0, description="Relative change of the request rate (1.0: twice or half).")
    prompt_length: float = Field(0.5, ge=0, description="Relative change of the prompt length.")
    novel_share: float = Field(0.10, ge=0, description="Share of requests unlike any that were learnt from.")


class Maintenance(Section):
    """Some time in which nobody is to be paged; what lasts longer is told then."""

    start: AwareDatetime = Field(description="When it begins, with an offset.")
    end: AwareDatetime = Field(description="When it ends, with an offset.")
    where: dict[str, str] = Field({}, description="Labels of the streams that it is for; empty: all.")


class Text(Section):
    """What is heard of prompts and answers."""

    read: bool = Field(True, description="Read prompts, answers, vectors and scores where there are any.")
    encoder: str = Field(
        "hashing",
        description="What makes vectors where none are brought: 'hashing' (needs nothing), 'none', or the name or "
        "folder of a sentence-transformers model (extra 'embed').",
    )
    device: str = Field(
        "cpu", description="Where such a model runs: cpu, so that watching adds no pressure, or cuda:0."
    )
    dimensions: int = Field(256, ge=16, le=1024, description="Dimensions of the hashing encoder.")
    documents_per_s: float = Field(
        0.0, ge=0, description="Documents that are encoded a second, shared fairly by the streams; all if 0."
    )
    min_answers: int = Field(
        200, ge=100, le=2048, description="Answers before it is judged how they follow from their prompts."
    )
    per_tick: int = Field(16, ge=1, le=64, description="Answers of a tick whose vectors are judged: a fair sample.")
    reference: int = Field(640, ge=400, le=4096, description="Answers of a stream that the usual is learnt from.")
    keep_text: bool = Field(
        False, description="Keep the texts of a few answers of each stream as examples; nothing of a text is kept else."
    )
    scores: dict[str, Literal["high", "low", "unknown"]] = Field(
        {}, description="Which way your scores are good: {judge = 'high'}; high where absent."
    )
    max_scores: int = Field(4, ge=0, le=4, description="Scores of a stream that are judged: those that came first.")

    @model_validator(mode="after")
    def _enough_kept(self) -> Text:
        if self.min_answers > self.reference:
            raise ValueError(
                f"min_answers {self.min_answers} is more than reference {self.reference}, the answers that are kept: "
                f"give at most that many"
            )
        return self


class Incidents(Section):
    """How evidence becomes incidents."""

    together_s: float = Field(120.0, ge=0, description="Changes closer than this belong together, in seconds.")
    lasting_s: float = Field(
        90.0, ge=0, description="A change must have been there for so long, in all, to open one, in seconds."
    )
    quiet_s: float = Field(120.0, gt=0, description="Back within the margin for this long means resolved, in seconds.")
    critical_change: float = Field(1.0, gt=0, description="A relative change this large is critical.")
    maintenance: tuple[Maintenance, ...] = Field((), description="Windows of maintenance.")


class Attribution(Section):
    """How causes are looked for."""

    max_lag_s: float = Field(60.0, ge=0, description="A cause runs ahead of its effect by at most this, in seconds.")
    significance: float = Field(0.05, gt=0, lt=1, description="Level of the permutation tests.")
    permutations: int = Field(999, ge=99, description="Permutations of a test.")
    max_candidates: int = Field(10, ge=1, description="Series that are examined after screening.")
    history_s: float = Field(21_600.0, gt=0, description="History kept for explanations, in seconds.")
    roles: dict[str, Literal["exogenous", "mechanism", "event", "symptom", "ignore"]] = Field(
        {}, description="Roles of series of your own."
    )


class Check(Section):
    """A health check of your own: ``series comparison threshold``, held for ``for_s``."""

    name: str = Field(description="As shown.")
    series: str = Field(description="A series of the catalogue, or a metric's own name.")
    comparison: Literal[">", "<", ">=", "<=", "==", "!="] = Field(">", description="Fires where this is true.")
    threshold: float = Field(description="In the unit of the series.")
    for_s: float = Field(0.0, ge=0, description="It must hold this long, in seconds.")
    layer: Literal["infrastructure", "serving"] = Field("infrastructure", description="Which layer it speaks for.")
    labels: dict[str, str] = Field({}, description="Only series with these labels.")


class Health(Section):
    """The checks of your dashboards."""

    standard: bool = Field(True, description="Use the standard checks.")
    checks: tuple[Check, ...] = Field((), description="Checks of your own.")
    rules_files: tuple[str, ...] = Field((), description="Prometheus rule files; simple comparisons are read.")
    serving_alerts: tuple[str, ...] = Field(
        ("*vllm*", "*sglang*", "*trtllm*", "*tgi*", "*kv?cache*", "*kvcache*", "*preempt*"),
        description="Names of your Prometheus server's alerts, with * and ?, that belong to the serving layer.",
    )
    ignored_alerts: tuple[str, ...] = Field(
        ("Watchdog", "InfoInhibitor", "driftwatch*"), description="Names of its alerts that say nothing."
    )


class Economics(Section):
    """What GPUs cost, so that it can be said what an incident does to the price of a token."""

    gpu_hour: float = Field(0.0, ge=0, description="Price of one GPU for an hour; 0: no cost is told.")
    currency: str = Field("USD", max_length=16, description="Of the price, as shown.")
    gpus: float = Field(0.0, ge=0, description="GPUs that serve all of this; 0: counted from their metrics.")


class Monitoring(Section):
    """How a monitor lives in a serving process."""

    queue: int = Field(
        65_536, ge=1, description="Calls that wait for the background thread; more are shed, and counted."
    )
    text_mb: int = Field(64, ge=0, description="Of texts and vectors, what waits at most; beyond it calls go without.")
    pause_s: float = Field(0.25, gt=0, description="The background thread looks for work this often, in seconds.")
    cpu_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Of a core, what judging may take on average: with many streams it looks less often.",
    )
    traffic: Literal["requests", "histograms"] = Field(
        "requests", description="What tells of latency: request by request, or the histograms of a metrics page."
    )
    collector: str = Field("", description="Where ticks are handed to instead: unix:///path or http://host:port.")
    spool_mb: int = Field(64, ge=1, description="What waits for the collector at most; the oldest is let go, in MB.")
    patience_s: float = Field(
        15.0, gt=0, description="A collector waits so long for a worker that is not heard of, in seconds."
    )
    folder: str = Field("", description="Where checkpoints and alerts to be sent are kept; empty: in memory only.")
    checkpoint_s: float = Field(60.0, gt=0, description="At most so much is lost in a crash, in seconds.")


class Config(Section):
    """All settings. Every key has a default: an empty file is a valid configuration.

    Examples
    --------
    >>> Config().ticks.width_s
    5.0
    >>> Config.parse({"budget": {"per_days": 7}}).budget.per_days
    7.0
    """

    input: Input = Field(Input(), description="How sources are read.")
    ticks: Ticks = Field(Ticks(), description="How events are summarised over time.")
    streams: Streams = Field(Streams(), description="What is watched separately.")
    learning: Learning = Field(Learning(), description="How 'healthy' is learnt.")
    budget: Budget = Field(Budget(), description="How many false incidents are acceptable.")
    margins: Margins = Field(Margins(), description="What is too small to matter.")
    text: Text = Field(Text(), description="What is heard of prompts and answers.")
    incidents: Incidents = Field(Incidents(), description="How evidence becomes incidents.")
    attribution: Attribution = Field(Attribution(), description="How causes are looked for.")
    health: Health = Field(Health(), description="The checks of your dashboards.")
    economics: Economics = Field(Economics(), description="What GPUs cost.")
    alerts: Alerts = Field(Alerts(), description="Who is told of incidents, of which, and when.")
    monitor: Monitoring = Field(Monitoring(), description="How a monitor lives in a serving process.")

    @classmethod
    def parse(cls, settings: Mapping[str, Any], *, source: str = "config") -> Config:
        """Check settings that are already a mapping.

        Raises
        ------
        ConfigError
            Names each wrong key, its value and what is allowed.
        """
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            wrong = "; ".join(_complaint(e["loc"], e["msg"], e["type"]) for e in error.errors())
            raise ConfigError(f"{source}: {wrong}") from error

    @classmethod
    def load(cls, config: Config | Mapping[str, Any] | str | Path | None) -> Config:
        """Take a configuration as callers give it: a path, a mapping, a ready one, or none for the defaults.

        Raises
        ------
        ConfigError
            If the file cannot be read, is not TOML, or holds a wrong key or value.
        """
        if config is None:
            return cls()
        if isinstance(config, Config):
            return config
        if isinstance(config, Mapping):
            return cls.parse(config)
        import tomllib  # not everybody has a file

        path = Path(config)
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a TOML file ({error})") from error
        return cls.parse(settings, source=str(path))

    def digest(self) -> str:
        """A short hash that changes with any setting that bears on what is found."""
        return _hash(self.model_dump_json(exclude={"alerts", "monitor"}))

    def shape(self) -> str:
        """A short hash that changes with any setting that what is known of a stream depends on."""
        return _hash(self.model_dump_json(include={"ticks", "streams", "learning", "text", "budget", "margins"}))


def _hash(settings: str) -> str:
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def _complaint(location: tuple[int | str, ...], message: str, kind: str) -> str:
    key = ".".join(map(str, location))
    if kind == "extra_forbidden":
        return f"unknown key '{key}' (the keys are listed in docs/configuration.md)"
    return f"'{key}': {message}"

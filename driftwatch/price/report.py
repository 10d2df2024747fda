"""The price of the budget as a record, and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from driftwatch.events.signals import BY_NAME
from driftwatch.explain.facts import sentences
from driftwatch.explain.numbers import change, clean, lasting, number
from driftwatch.explain.story import Section, Table
from driftwatch.explain.text import layout
from driftwatch.incidents.record import Record
from driftwatch.price.noise import BETWEEN, BY_REQUEST, MEMORY, SHARES, TYPICAL_LEARNT
from driftwatch.statistics.whitening import PROMISED


class Delay(Record):
    """How long one change takes to be noticed."""

    change: float = Field(description="A relative change; for a share, a difference.")
    outcome: Literal["noticed", "within_margin", "too_slow", "impossible"] = Field(
        description="within_margin: so small a change is shown, not alerted. impossible: a share cannot rise beyond 1."
    )
    delay_s: float | None = Field(
        default=None, description="If noticed: median from the change to the open incident, in seconds."
    )


class SignalPrice(Record):
    """One signal of one stream."""

    signal: str = Field(description="Name of the signal in the catalogue.")
    unit: str = Field(description="'share', or the unit of the ratio.")
    margin: float = Field(description="Indifference margin: a ratio less one, or a difference of shares.")
    learnt_ticks: int = Field(description="Ticks that were learnt from.")
    effective_ticks: float = Field(description="Independent ticks that these are worth.")
    promised_after_s: float = Field(description="Seconds of traffic that are worth 100 independent ticks.")
    delays: tuple[Delay, ...]


class StreamPrice(Record):
    """One stream, as it is or as it is assumed to be."""

    name: str
    assumed: bool = Field(description="True where no log was given and typical noise is assumed.")
    requests_per_s: float | None
    judged_after_s: float = Field(description="Seconds of traffic after which judging begins.")
    signals: tuple[SignalPrice, ...]


class Price(Record):
    """What the budget is, and what it costs.

    Examples
    --------
    >>> from driftwatch.price import delays
    >>> price = delays(rate=2.0, runs=9)
    >>> print(price.rule()[0])
    The budget is 1 false incident in 30 days, all streams and signals together
    >>> Price.model_validate_json(price.model_dump_json()) == price
    True
    """

    false_incidents: float
    per_days: float
    max_streams: int
    tests: int = Field(description="Tests of a stream; those for what is lost count as three each.")
    one_in_ticks: float = Field(description="One false alarm of a test in so many ticks: the threshold A.")
    tick_s: float
    lateness_s: float = Field(description="A tick is judged this long after its end.")
    horizon_s: float = Field(description="Changes that take longer to notice are not waited for.")
    streams: tuple[StreamPrice, ...]

    def rule(self) -> tuple[str, ...]:
        """How the budget is divided, in words."""
        many = "incident" if self.false_incidents == 1 else "incidents"
        days = self.one_in_ticks * self.tick_s / 86_400.0
        return (
            f"The budget is {self.false_incidents:g} false {many} in {self.per_days:g} days, all streams and signals "
            "together",
            f"It is divided over {self.max_streams} streams x {self.tests} tests, whether they exist or not, so that "
            "what one stream does never depends on the others: each test may raise one false alarm in "
            f"{self.one_in_ticks:,.0f} ticks of {self.tick_s:g} s ({days:,.0f} days)",
            f"So an incident opens when a test's R reaches {self.one_in_ticks:.2g} (natural logarithm "
            f"{math.log(self.one_in_ticks):.1f}) and the move exceeds the margin at the near end of its interval",
            f"Delays are medians from the change to the open incident, the {self.lateness_s:g} s included for which a "
            f"tick waits for late rows; more than {lasting(self.horizon_s)} is not waited for; within the margin a "
            "change is shown, not alerted",
        )

    def __str__(self) -> str:
        learning = sentences(sentence for stream in self.streams for sentence in _learning(stream))
        sections = [Section("rule", "Rule", sentences(self.rule())), Section("learning", "Learning", learning)]
        for stream in self.streams:
            for title, shares in (("of that size", False), ("by so many points", True)):
                table = Table(f"{clean(stream.name, 80)}: a rise {title}", *self.grid(stream, shares=shares))
                sections.append(Section("delays", "", (), table))
        return layout(sections) + "\n"

    def grid(self, stream: StreamPrice, *, shares: bool) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Header and rows of a table of delays."""
        priced = [s for s in stream.signals if (s.unit == "share") is shares]
        sizes = [change(delay.change, "share" if shares else "s") for s in priced[:1] for delay in s.delays]
        header = ("signal", "margin", *(size.replace("points", "pts") for size in sizes))
        return header, tuple((s.signal, *self._row(s)) for s in priced)

    def _row(self, priced: SignalPrice) -> Iterator[str]:
        yield number(priced.margin, "share")
        others = {"within_margin": "in margin", "too_slow": f"> {lasting(self.horizon_s)}", "impossible": "-"}
        for delay in priced.delays:
            yield lasting(delay.delay_s) if delay.delay_s is not None else others[delay.outcome]

    def to_json(self, path: str | Path) -> None:
        """Write all of it as JSON."""
        Path(path).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def assumptions() -> str:
    """What is taken as typical, in a sentence."""
    shares = ", ".join(f"{name} {number(share, 'share')}" for name, share in SHARES.items())
    return (
        f"no log was given, so typical noise is assumed: requests differ by {BY_REQUEST['duration']:.0%} (lengths by "
        f"{BY_REQUEST['size']:.0%}) beyond what their workload explains, ticks by {BETWEEN:.0%} more with an "
        f"autocorrelation of {MEMORY:g}; {shares}; {TYPICAL_LEARNT} ticks were learnt. Give a healthy log for your own"
    )


def _learning(stream: StreamPrice) -> Iterator[str]:
    """How long learning takes, in sentences."""
    rate = "" if stream.requests_per_s is None else f" at {number(stream.requests_per_s, '1/s')}"
    slowest = max(_deciding(stream.signals), key=lambda s: s.promised_after_s)
    begins = f"judging begins after {lasting(stream.judged_after_s)}"
    promise = f"the promise about false alarms holds from {PROMISED:.0f} independent ticks"
    if stream.assumed:
        yield f"on {stream.name}{rate}, {begins}; {promise}, after {lasting(slowest.promised_after_s)}"
        yield assumptions()
        return
    yield (
        f"on {clean(stream.name)}{rate}, {begins}; its {slowest.learnt_ticks:,} ticks of {slowest.signal}, the least "
        f"sure signal, are worth {slowest.effective_ticks:.0f} independent ones; {promise}: {_reached(slowest)}"
    )


def _deciding(signals: Sequence[SignalPrice]) -> Sequence[SignalPrice]:
    """The durations where there are any: what the engine's memory shows in."""
    return [s for s in signals if BY_NAME[s.signal].shape == "duration"] or signals


def _reached(priced: SignalPrice) -> str:
    if priced.effective_ticks >= PROMISED:
        return "it does"
    left = 1.0 - priced.effective_ticks / PROMISED
    return f"after {lasting(left * priced.promised_after_s)} more"

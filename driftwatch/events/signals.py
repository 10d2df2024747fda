"""The signals that users feel and that driftwatch judges: name, unit, which way is good, what they depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Good = Literal["low", "high", "unknown"]
Shape = Literal["duration", "size", "rate", "share", "fraction"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal.

    Parameters
    ----------
    name
        As used in configs, findings and charts.
    title
        As a person would say it.
    unit
        ``s``, ``tokens``, ``share`` or ``1/s``.
    good
        Which way is good; ``unknown`` makes a move a ``change``.
    shape
        ``duration`` and ``size`` are judged as ratios, ``rate`` as a ratio of counts. ``share`` counts requests and
        ``fraction`` is the mean of a part of each: both are judged as differences.
    given
        The workload that it is judged given.
    workload
        True for what users do; False for what the service does to them.
    tail_of
        The signal whose slowest requests, or ticks, it counts, if it does.
    by_tick
        Whether it counts ticks.
    one_sided
        Whether only a move for the worse is told.
    """

    name: str
    title: str
    unit: str
    good: Good
    shape: Shape
    given: tuple[str, ...] = ()
    workload: bool = False
    tail_of: str = ""
    by_tick: bool = False
    one_sided: bool = False

    @property
    def difference(self) -> bool:
        """Whether its moves are differences, and not ratios."""
        return self.unit == "share"


SIGNALS: tuple[Signal, ...] = (
    Signal("ttft", "time to first token", "s", "low", "duration", ("prompt", "cached", "load")),
    Signal("itl", "inter-token latency", "s", "low", "duration", ("prompt", "output", "load")),
    Signal("latency", "end-to-end latency", "s", "low", "duration", ("prompt", "output", "cached", "load")),
    Signal("ttft_tail", "slow first tokens", "share", "low", "share", ("prompt", "cached", "load"), tail_of="ttft"),
    Signal("itl_tail", "slow tokens", "share", "low", "share", ("prompt", "output", "load"), tail_of="itl"),
    Signal(
        "latency_tail",
        "slow answers",
        "share",
        "low",
        "share",
        ("prompt", "output", "cached", "load"),
        tail_of="latency",
    ),
    *(
        Signal(f"{name}_bursts", title, "share", "low", "share", given, tail_of=name, by_tick=True)
        for name, title, given in (
            ("ttft", "time with slow first tokens", ("prompt", "cached", "load")),
            ("itl", "time with slow tokens", ("prompt", "output", "load")),
            ("latency", "time with slow answers", ("prompt", "output", "cached", "load")),
        )
    ),
    Signal("output_length", "output length", "tokens", "unknown", "size", ("prompt",)),
    # a cache that finds more is nobody's trouble: the longer conversations last, the more there is to find
    Signal("prefill_share", "part of the prompt to compute", "share", "low", "fraction", one_sided=True),
    Signal("length_share", "answers cut at the token limit", "share", "low", "share"),
    Signal("abort_share", "aborted requests", "share", "low", "share"),
    Signal("error_share", "failed requests", "share", "low", "share"),
    Signal("traffic", "request rate", "1/s", "unknown", "rate", workload=True),
    Signal("prompt_length", "prompt length", "tokens", "unknown", "size", workload=True),
    Signal("novel_share", "requests outside the learnt range", "share", "unknown", "share", workload=True),
)
"""All signals, in the order in which they are reported."""

BY_NAME: dict[str, Signal] = {signal.name: signal for signal in SIGNALS}

TAILS: dict[str, str] = {s.tail_of: s.name for s in SIGNALS if s.tail_of and not s.by_tick}
"""The share of slow requests of each signal that has one."""
BURSTS: dict[str, str] = {s.tail_of: s.name for s in SIGNALS if s.tail_of and s.by_tick}
"""The share of slow ticks of each signal that has one."""

"""The signals that users feel and that driftwatch judges: name, unit, which way is good, what they depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Good = Literal["low", "high", "unknown"]
Shape = Literal["duration", "size", "share", "rate"]


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
        ``duration`` and ``size`` are judged as ratios, ``share`` as a difference, ``rate`` as a ratio of counts.
    given
        The workload that it is judged given.
    workload
        True for what users do; False for what the service does to them.
    tail_of
        The signal whose slowest requests it counts, if it does.
    """

    name: str
    title: str
    unit: str
    good: Good
    shape: Shape
    given: tuple[str, ...] = ()
    workload: bool = False
    tail_of: str = ""


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
    Signal("output_length", "output length", "tokens", "unknown", "size", ("prompt",)),
    Signal("length_share", "answers cut at the token limit", "share", "low", "share"),
    Signal("abort_share", "aborted requests", "share", "low", "share"),
    Signal("error_share", "failed requests", "share", "low", "share"),
    Signal("traffic", "request rate", "1/s", "unknown", "rate", workload=True),
    Signal("prompt_length", "prompt length", "tokens", "unknown", "size", workload=True),
    Signal("prefill_length", "prompt tokens to compute", "tokens", "unknown", "size", ("prompt",), workload=True),
    Signal("novel_share", "requests outside the learnt range", "share", "unknown", "share", workload=True),
)
"""All signals, in the order in which they are reported."""

BY_NAME: dict[str, Signal] = {signal.name: signal for signal in SIGNALS}

TAILS: dict[str, str] = {signal.tail_of: signal.name for signal in SIGNALS if signal.tail_of}
"""The tail of each signal that has one."""

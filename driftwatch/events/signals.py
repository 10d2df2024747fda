"""The signals that users feel and that driftwatch judges: name, unit, which way is good, what they depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Good = Literal["low", "high", "unknown"]
Shape = Literal["duration", "size", "rate", "share", "fraction", "ratio", "score"]


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
        ``s``, ``tokens``, ``share``, ``1/s``, ``sd`` (standard deviations of healthy answers), or ``score``.
    good
        Which way is good; ``unknown`` makes a move a ``change``.
    shape
        ``duration``, ``size`` and ``ratio`` are judged as ratios, ``rate`` as a ratio of counts. ``share`` counts
        requests and ``fraction`` is the mean of a part of each: both are judged as differences, and so is ``score``,
        the mean of a number of each answer.
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
    text
        Whether it is read off what requests say: answers do not share an engine's moods.
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
    text: bool = False

    @property
    def difference(self) -> bool:
        """Whether its moves are differences, and not ratios."""
        return self.unit == "share" or self.shape == "score"

    @property
    def by_topic(self) -> bool:
        """Whether new topics move it: then it is judged only while prompts are the usual ones."""
        return "topic" in self.given


KINDS = 8
"""Kinds of answers that are told apart."""

_SHARES: tuple[tuple[str, str, Good, tuple[str, ...]], ...] = (
    ("empty_share", "empty answers", "low", ()),
    ("garbled_share", "garbled answers", "low", ()),
    ("loop_share", "answers that repeat themselves", "low", ()),
    ("cut_share", "answers that end in mid-sentence", "low", ("topic",)),
    ("refusal_share", "refusals", "unknown", ("topic",)),
    ("foreign_share", "answers in another script than the prompt", "unknown", ("topic",)),
    ("duplicate_share", "answers nearly the same as another", "unknown", ("topic",)),
    ("echo_share", "answers that repeat the prompt", "unknown", ("topic",)),
)
_TEXT: tuple[Signal, ...] = (
    *(Signal(name, title, "share", good, "share", given, text=True) for name, title, good, given in _SHARES),
    *(
        Signal(f"kind_{k + 1}", f"answers of kind {k + 1}", "share", "unknown", "share", ("topic",), text=True)
        for k in range(KINDS)
    ),
    # more tokens for the same prompt are a longer template; fewer are a prompt that was cut
    Signal(
        "prompt_read", "tokens evaluated for a word of the prompt", "tokens", "high", "ratio", one_sided=True, text=True
    ),
    *(
        Signal(name, title, "sd", "unknown", "score", ("topic",), text=True)
        for name, title in (
            ("answer_shift", "answers, given their prompts"),
            ("answer_jump", "the newest answers, given their prompts"),
            ("answer_match", "how close answers stay to their prompts"),
            ("answer_spread", "how far answers lie from the usual"),
        )
    ),
    Signal("topic", "topics of prompts", "sd", "unknown", "score", workload=True, text=True),
    Signal("topic_spread", "how unusual prompts are", "sd", "unknown", "score", workload=True, text=True),
)

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
    *(signal for signal in _TEXT if not signal.workload),
    Signal("traffic", "request rate", "1/s", "unknown", "rate", workload=True),
    Signal("prompt_length", "prompt length", "tokens", "unknown", "size", workload=True),
    Signal("novel_share", "requests outside the learnt range", "share", "unknown", "share", workload=True),
    *(signal for signal in _TEXT if signal.workload),
)
"""All signals, in the order in which they are reported."""

_SCORES: dict[str, Good] = {"score:": "high", "score.low:": "low", "score.unknown:": "unknown"}


def score_name(name: str, good: Good = "high") -> str:
    """What a score that callers bring is called as a signal, given which way it is good.

    Examples
    --------
    >>> score_name("judge"), BY_NAME[score_name("complaints", "low")].good
    ('score:judge', 'low')
    """
    return next(prefix for prefix, way in _SCORES.items() if way == good) + name


class _Signals(dict[str, Signal]):
    """Signals by name; a score that callers bring is one too, whatever its name."""

    def __missing__(self, name: str) -> Signal:
        prefix, colon, rest = name.partition(":")
        if prefix + colon not in _SCORES:
            raise KeyError(name)
        return Signal(name, f"score '{rest}'", "score", _SCORES[prefix + colon], "score", text=True)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and "".join(name.partition(":")[:2]) in _SCORES)

    def get(self, name: str, default: Any = None) -> Any:
        """The signal of this name, or else the default."""
        return self[name] if name in self else default  # noqa: SIM401 (this is what get does)


BY_NAME: dict[str, Signal] = _Signals({signal.name: signal for signal in SIGNALS})

TAILS: dict[str, str] = {s.tail_of: s.name for s in SIGNALS if s.tail_of and not s.by_tick}
"""The share of slow requests of each signal that has one."""
BURSTS: dict[str, str] = {s.tail_of: s.name for s in SIGNALS if s.tail_of and s.by_tick}
"""The share of slow ticks of each signal that has one."""

"""What is known of how a mechanism acts: on which signals, and how much of its own move it can pass on.

A step at the onset proves nothing by itself: whatever began then has one. It is a cause where the mechanism is known to
act on this signal, by about so much, moved at that moment as it never did before, and nothing else did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.screening import BLOCK_S, LATE_S, Screened, turning_point
from driftwatch.attribution.verdict import LEAST_SHARE, Case

Floats = NDArray[np.float64]

CLEAR = 4.0
"""A step of fewer robust standard deviations than this may be one of its usual ones."""
LEAST_BLOCKS = 8
"""Blocks of 30 s since the onset, and before it, without which a step is not looked at."""
_DECODING = ("itl", "latency", "itl_tail", "latency_tail", "itl_bursts", "latency_bursts")
_WAITING = ("ttft", "ttft_tail", "ttft_bursts")
_REACHED = 0.99
MOSTLY = 0.5
"""What runs out rises long before it does harm, so that its course fits badly: it must be able to explain half."""


@dataclass(frozen=True, slots=True)
class Law:
    """How one mechanism acts.

    Parameters
    ----------
    on
        The signals that it acts on.
    least, most
        What it passes on of its own move: the ratio of the logarithms of the two, or of the differences for shares.
        A signal that is itself a share of slow requests has no such ratio, and a thing that runs out has none either.
    runs_out
        It does nothing until it is used up.
    """

    on: tuple[str, ...]
    least: float = 0.25
    most: float = 1.5
    runs_out: bool = False


LAWS: dict[str, Law] = {
    # a clock that runs at half the speed takes twice as long at most; memory and overhead do not slow down with it
    "gpu_sm_clock": Law((*_DECODING, *_WAITING)),
    "gpu_memory_clock": Law((*_DECODING, *_WAITING)),
    # an iteration gives as many tokens as were accepted, and one; a rate is not proportional to that
    "spec_decode_accept_length": Law(_DECODING),
    "spec_decode_accept_rate": Law(_DECODING, least=0.1),
    # what the cache does not find is computed: by definition for the share, in time for the first token
    "prefix_hit_rate": Law(("prefill_share", *_WAITING), least=0.4, most=2.5),
    # prompt tokens computed beyond those asked for hold up everything else
    "prompt_tokens": Law((*_WAITING, *_DECODING), least=0.1, most=4.0),
    "host_memory": Law((*_DECODING, *_WAITING), runs_out=True),
}
"""Nothing is claimed of a step for a series without an entry."""


def with_steps(
    cases: Sequence[Case],
    screened: Sequence[Screened],
    excess: Floats,
    onset: int,
    interval: tuple[int, int],
    signal: str,
    tick_s: float,
) -> list[Case]:
    """Note for each case whether its step, by itself, is that of a known mechanism.

    Parameters
    ----------
    cases
        What was measured.
    screened
        All families, with how they moved.
    excess
        Shape (T,): turned so that up is worse.
    onset, interval
        The first tick of the incident, and the ticks between which it lies.
    signal
        The affected signal.
    tick_s
        Width of a tick.
    """
    slack = round(LATE_S / tick_s)
    window = interval[0] - slack, interval[1] + slack
    others = [s for s in screened if not s.out and _steps(s, onset, window, tick_s)]
    return [replace(c, step=_law_of(c, others, excess, onset, window, signal, tick_s)) for c in cases]


def foreign(names: Sequence[str], signal: str) -> bool:
    """Whether none of these acts on a signal, as far as is known.

    Examples
    --------
    >>> foreign(["prefix_hit_rate"], "itl"), foreign(["kv_cache_usage"], "itl")
    (True, False)
    """
    return all(name in LAWS and signal not in LAWS[name].on for name in names)


def _law_of(
    case: Case,
    others: Sequence[Screened],
    excess: Floats,
    onset: int,
    window: tuple[int, int],
    signal: str,
    tick_s: float,
) -> str:
    """Why its step is a cause, in words; empty if it is not."""
    found = [_told(case, k, excess, onset, window, signal, tick_s) for k in range(len(case.family.candidates))]
    return next((told for told in found if told and _alone(case, others)), "")


def _alone(case: Case, others: Sequence[Screened]) -> bool:
    """Whether no other mechanism stepped then too."""
    return all(s.family is case.family or s.family.exogenous for s in others)


def _told(case: Case, k: int, excess: Floats, onset: int, window: tuple[int, int], signal: str, tick_s: float) -> str:
    candidate, values, moved = case.family.candidates[k], case.family.values[k], case.screened.members[k]
    law = LAWS.get(candidate.name)
    if law is None or signal not in law.on or not moved.up or moved.placebo > 0.0:
        return ""
    if case.share.known < LEAST_SHARE and not (law.runs_out and case.share.high >= MOSTLY):
        return ""
    blocks = min(onset, len(values) - onset) * tick_s / BLOCK_S
    if blocks < LEAST_BLOCKS:
        return ""
    if law.runs_out:
        at = _reached(values)
        return f"it ran out {_when(at - onset, tick_s)}" if window[0] <= at <= window[1] else ""
    if moved.shift < CLEAR or not window[0] <= turning_point(values) <= window[1]:
        return ""
    return _dose(law, candidate.unit, moved.before, moved.after, excess, onset, signal)


def _dose(law: Law, unit: str, before: float, after: float, excess: Floats, onset: int, signal: str) -> str:
    """Whether the signal moved by as much as the law allows."""
    passed = f"it moved at the onset as never before, by {_change(before, after)}, and nothing else did"
    if signal.endswith(("_tail", "_bursts")):
        return passed
    effect = float(np.nanmedian(excess[onset:]) - np.nanmedian(excess[:onset]))
    if unit == "share" and signal.endswith("_share"):
        own = after - before
    elif before * after > 0:
        own = abs(math.log(abs(after) / abs(before)))
    else:
        return passed if after > before else ""
    return passed if own > 0 and law.least <= effect / own <= law.most else ""


def _change(before: float, after: float) -> str:
    return f"{(after - before) / abs(before):+.0%}" if before else f"{after - before:+.3g}"


def _when(ticks: int, tick_s: float) -> str:
    if not ticks:
        return "at the onset"
    return f"{abs(ticks) * tick_s:.0f} s {'after' if ticks > 0 else 'before'} the onset"


def _steps(screened: Screened, onset: int, window: tuple[int, int], tick_s: float) -> bool:
    """Whether a family moved at the onset as it does not otherwise."""
    return any(
        moved.up and moved.shift >= CLEAR and moved.placebo == 0.0 and window[0] <= turning_point(values) <= window[1]
        for values, moved in zip(screened.family.values, screened.members, strict=True)
    )


def _reached(values: Floats) -> int:
    """When something that runs out had all but run out."""
    return int(np.argmax(np.abs(values) >= _REACHED * np.abs(values).max()))

"""What is known of how a mechanism acts: on which signals, and how much of its own move it can pass on.

A step at the onset proves nothing by itself: whatever began then has one. It is a cause where the mechanism is known to
act on this signal, by about so much, moved at that moment as it never did before, and nothing else did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Candidate, Family
from driftwatch.attribution.causes.dose import LEAST_TICKS
from driftwatch.attribution.causes.effect import Effect
from driftwatch.attribution.causes.screening import BLOCK_S, LATE_S, Moved, Screened, turning_point
from driftwatch.attribution.causes.verdict import LEAST_SHARE, PINNED_AT, Case

Floats = NDArray[np.float64]

CLEAR = 4.0
"""A step of fewer robust standard deviations than this may be one of its usual ones."""
LEAST_BLOCKS = 8
"""Blocks of 30 s since the onset, and before it, without which a step is not looked at."""
PARTS = 4
"""Parts of an incident in each of which a drift must explain what was felt; the first may be too early to tell."""
BACK = 0.2
"""A part of a drift may fall short of the one before it by this share of the whole: that is how it is measured."""
_DECODING = ("itl", "latency", "itl_tail", "latency_tail", "itl_bursts", "latency_bursts")
_WAITING = ("ttft", "ttft_tail", "ttft_bursts")
_REACHED = 0.99
_TOO_LITTLE = "it moved by too little to do that"
FELT_S = 60.0
"""It may be felt this much later than it ran out."""
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
    floor
        A move by less than this is a matter of how it is measured: the logarithm, or the difference.
    runs_out
        It does nothing until it is used up.
    fed
        It also fills where answers merely take longer, for whatever reason: only what users asked for can fill it as a
        cause.
    counts
        Signals that are the same thing, counted by request: they go with it whatever it does.
    """

    on: tuple[str, ...]
    least: float = 0.25
    most: float = 1.5
    floor: float = 0.0
    runs_out: bool = False
    fed: bool = False
    counts: tuple[str, ...] = ()


LAWS: dict[str, Law] = {
    # a clock that runs at half the speed takes twice as long at most; memory and overhead do not slow down with it
    "gpu_sm_clock": Law((*_DECODING, *_WAITING)),
    "gpu_memory_clock": Law((*_DECODING, *_WAITING)),
    # an iteration gives as many tokens as were accepted, and one; a rate is not proportional to that
    "spec_decode_accept_length": Law(_DECODING),
    "spec_decode_accept_rate": Law(_DECODING, least=0.1),
    # what the cache does not find is computed: by definition for the share, in time for the first token
    "prefix_hit_rate": Law(("prefill_share", *_WAITING), least=0.4, most=2.5, counts=("prefill_share",)),
    # prompt tokens computed beyond those asked for hold up everything else
    "prompt_tokens": Law((*_WAITING, *_DECODING), least=0.1, most=4.0, floor=0.2),
    "host_memory": Law((*_DECODING, *_WAITING), runs_out=True),
    # without a free block requests wait, or are thrown out and computed anew; how much is free before that is no matter
    "kv_cache_usage": Law((*_WAITING, *_DECODING), runs_out=True, fed=True),
    "preemptions": Law((*_WAITING, *_DECODING), fed=True),
}
"""Nothing is claimed of a step for a series without an entry."""


def with_steps(cases: Sequence[Case], screened: Sequence[Screened], effect: Effect) -> list[Case]:
    """Note for each case whether its step, by itself, is that of a known mechanism.

    Parameters
    ----------
    cases
        What was measured.
    screened
        All families, with how they moved.
    effect
        What is to be explained.
    """
    moved = [s for s in screened if not s.out and acts(s.family, effect.signal) and any(map(_clear, s.members))]
    stepped = [s for s in moved if _stepped(s, effect)]
    return [case if _others(case, stepped) else replace(case, step=_step(case, effect, moved)) for case in cases]


def _others(case: Case, moved: Sequence[Screened]) -> bool:
    return any(other.family is not case.family for other in moved)


def acts(family: Family, signal: str) -> bool:
    """Whether a mechanism is known to act on a signal."""
    return any(c.name in LAWS and signal in LAWS[c.name].on for c in family.candidates) or family.runs_out


def if_fed(case: Case) -> Case:
    """The case without its step where that may be a consequence: users did not ask for most of what filled it."""
    fed = any(LAWS[c.name].fed for c in case.family.candidates if c.name in LAWS)
    return replace(case, step="") if fed and case.by_way < MOSTLY else case


def unlikely(screened: Screened, effect: Effect) -> str:
    """Why a mechanism can hardly have done this to a signal, as far as is known; empty where it can."""
    known = list(_known(screened))
    if len(known) < len(screened.members) or any(law.fed for law, _, _ in known):
        return ""
    acting = [each for each in known if effect.signal in each[0].on]
    if not acting:
        return "it moves with the signal, but nothing is known of how it could act on it"
    return "" if any(_enough(law, candidate, moved, effect) for law, candidate, moved in acting) else _TOO_LITTLE


def _known(screened: Screened) -> Iterator[tuple[Law, Candidate, Moved]]:
    for candidate, moved in zip(screened.family.candidates, screened.members, strict=True):
        if candidate.name in LAWS:
            yield LAWS[candidate.name], candidate, moved


def _enough(law: Law, candidate: Candidate, moved: Moved, effect: Effect) -> bool:
    """Whether it moved by enough to do what was done."""
    own = _own(candidate, moved, effect.signal)
    if law.runs_out or own is None:
        return True
    passed = _passed(own, effect)
    return own >= law.floor and (passed is None or 0.0 < passed <= law.most)


def _step(case: Case, effect: Effect, moved: Sequence[Screened]) -> str:
    """Why its step, or its drift where nothing else moved at all, is a cause, in words; empty if it is not."""
    known = list(_known(case.screened))
    if len(known) < len(case.family.candidates):
        return ""
    parts = [(*each, values) for each, values in zip(known, case.family.values, strict=True)]
    told = [_told(case, *part, effect) for part in parts]
    told += [] if _others(case, moved) else [_drifted(case, *part, effect) for part in parts]
    return next(filter(None, told), "")


def _told(case: Case, law: Law, candidate: Candidate, moved: Moved, values: Floats, effect: Effect) -> str:
    shown = case.share.known >= LEAST_SHARE or (law.runs_out and case.share.high >= MOSTLY)
    long = min(effect.onset, len(values) - effect.onset) * effect.tick_s >= LEAST_BLOCKS * BLOCK_S
    long = long or (law.fed and case.ticks >= LEAST_TICKS)  # to be full is no matter of levels that must settle
    if effect.signal not in law.on or not (moved.up and moved.placebo == 0.0 and shown and long):
        return ""
    if law.runs_out:
        at, (first, last) = _reached(values, candidate.ceiling if law.fed else None), _window(effect)
        before = round(FELT_S / effect.tick_s)
        out = at >= 0 and first - before <= at <= last
        return f"it ran out {_when(at - effect.onset, effect.tick_s)}" if out else ""
    if not _at_onset(moved, values, effect) or not _enough(law, candidate, moved, effect):
        return ""
    own = _own(candidate, moved, effect.signal)
    passed = None if own is None else _passed(own, effect)
    if passed is not None and passed < law.least:
        return ""
    return (
        f"it moved at the onset as never before, by {_change(moved)}, and nothing else that is known to act on it did"
    )


def _drifted(case: Case, law: Law, candidate: Candidate, moved: Moved, values: Floats, effect: Effect) -> str:
    known = effect.signal in law.on and not law.runs_out and case.share.known >= LEAST_SHARE
    clear = _clear(moved) or (moved.up and effect.signal in law.counts)
    if not (known and clear and _enough(law, candidate, moved, effect) and _along(law, candidate, values, effect)):
        return ""
    return f"the signal went with it all the way, by as much as it can pass on ({_change(moved)})"


def _own(candidate: Candidate, moved: Moved, signal: str) -> float | None:
    """How far it moved, as compared with the signal; None where that means nothing."""
    if candidate.unit == "share" and signal.endswith("_share"):
        return moved.after - moved.before
    return abs(math.log(moved.after / moved.before)) if moved.before * moved.after > 0 else None


def _passed(own: float, effect: Effect) -> float | None:
    """What of its own move it passed on; None of a share of slow requests, which is no such thing."""
    if effect.signal.endswith(("_tail", "_bursts")):
        return None
    healthy, since = effect.excess[: effect.onset], effect.excess[effect.onset :]
    return float(np.nanmedian(since) - np.nanmedian(healthy)) / max(own, 1e-9)


def _window(effect: Effect) -> tuple[int, int]:
    slack = round(LATE_S / effect.tick_s)
    return effect.interval[0] - slack, effect.interval[1] + slack


def _stepped(screened: Screened, effect: Effect) -> bool:
    """Whether a family moved at the onset as it does not otherwise."""
    return any(_at_onset(m, v, effect) for m, v in zip(screened.members, screened.family.values, strict=True))


def _at_onset(moved: Moved, values: Floats, effect: Effect) -> bool:
    first, last = _window(effect)
    return _clear(moved) and first <= turning_point(values) <= last


def _clear(moved: Moved) -> bool:
    return moved.up and moved.shift >= CLEAR and moved.placebo == 0.0


def _along(law: Law, candidate: Candidate, values: Floats, effect: Effect) -> bool:
    """Whether it drifted away part by part, and the signal with it, each time by what it can pass on.

    What the signal counts need not drift.
    """
    if effect.signal.endswith(("_tail", "_bursts")):
        return False
    healthy = float(np.median(values[: effect.onset])), float(np.nanmedian(effect.excess[: effect.onset]))
    parts = np.array_split(np.arange(effect.onset, len(values)), PARTS)
    passed, owns = [], []
    for part in parts:
        moved = Moved(healthy[0], float(np.median(values[part])), 0.0, 0.0)
        own = _own(candidate, moved, effect.signal)
        if own is None or own <= 0 or not (moved.after > moved.before) or np.isnan(effect.excess[part]).all():
            return False
        owns.append(own)
        passed.append((float(np.nanmedian(effect.excess[part])) - healthy[1]) / own)
    drifted = min(np.diff(owns)) >= -BACK * max(owns) and owns[-1] >= 2 * owns[0]
    drifted = drifted or effect.signal in law.counts
    return drifted and all(law.least <= each <= law.most for each in passed[1:])


def _reached(values: Floats, ceiling: float | None) -> int:
    """When something that runs out had all but run out, -1 if never: its ceiling, or the most that it came to."""
    level = np.abs(values)
    full = level >= (_REACHED * level.max() if ceiling is None else PINNED_AT * ceiling)
    return int(np.argmax(full)) if full.any() else -1


def _change(moved: Moved) -> str:
    before, after = moved.before, moved.after
    return f"{(after - before) / abs(before):+.0%}" if before else f"{after - before:+.3g}"


def _when(ticks: int, tick_s: float) -> str:
    if not ticks:
        return "at the onset"
    return f"{abs(ticks) * tick_s:.0f} s {'after' if ticks > 0 else 'before'} the onset"

"""Measure what passed the screen: shares, dose-responses, what drives what, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Event, Family, held, label
from driftwatch.attribution.causes.dose import Dose, dose_response, followed, readings, trailing, usable_ticks
from driftwatch.attribution.causes.effect import Effect
from driftwatch.attribution.causes.physics import acts, if_fed, unlikely, with_steps
from driftwatch.attribution.causes.screening import HEADROOM, Screened, ran_short
from driftwatch.attribution.causes.shares import Share, best_lag, family_term, parts, shares, step_term
from driftwatch.attribution.causes.verdict import PINNED_AT, Case, decided, surely

Floats = NDArray[np.float64]

DRIVES = 0.2
"""Traffic that explains less of a mechanism's rise than this does not drive it."""
LEVELS = {"can run out": 0.4, "mechanism": 0.4, "traffic": 0.2}
"""How the level is spent on the questions, of those that are asked."""
UPSTREAM = {"prefix_hit_rate": ("kv_cache_usage", "evicted_tokens")}
"""What moves a mechanism from outside: a full KV cache lets go of prefixes."""
MADE = ("concurrency_cap", "concurrency", "cached_share", "engine_age")
"""Candidates that are made only where they may act."""
LEAST_BYSTANDERS = 10
"""Fewer negative controls than this say nothing."""
AS_WELL = 0.1
"""If more of them than this follow the signal as well, to follow it proves nothing."""
_CONTROLS = 3


def measured(
    effect: Effect,
    examined: Sequence[Screened],
    near: Sequence[Event],
    screened: Sequence[Screened],
    rng: np.random.Generator,
    bystanders: Sequence[Floats] = (),
) -> tuple[list[Case], list[Share]]:
    """Measure every family that passed the screen, and the share of every event beside the onset."""
    window, found = effect.window, [s.family for s in examined]
    terms = [family_term(family, window, effect.lags) for family in found]
    terms += [step_term(window, event.at_tick) for event in near]
    if not terms or float(window.excess[window.during].sum()) <= 0:
        return [], [Share(0.0, 0.0, 1.0)] * len(near)
    known = [family.exogenous or acts(family, effect.signal) for family in found] + [True] * len(near)
    found_shares = shares(terms, window, effect.onset, rng, known)
    traffic = [s.family for s in screened if s.family.exogenous]
    doses = _gate(effect, found, traffic, rng)
    event_shares = found_shares[len(found) :]
    cases = [
        _case(effect, s, share, dose)
        for s, share, dose in zip(examined, found_shares[: len(found)], doses, strict=True)
    ]
    cases = [_beside(case, near, event_shares) for case in _apart(effect, cases, rng)]
    cases = _against(effect, cases, bystanders, _recent(traffic, effect))
    if not near:  # beside an event nobody can tell whose step it is
        cases = with_steps(cases, screened, effect)
    short = [s.family for s in screened if ran_short(s, effect.onset)]
    cases = [_downstream(case, cases, short, effect.settings.significance) for case in cases]
    return _chained(effect, cases), event_shares


def _gate(
    effect: Effect, found: Sequence[Family], traffic: Sequence[Family], rng: np.random.Generator
) -> list[Dose | None]:
    """Dose-responses: mechanisms beyond traffic, traffic as it is; the p-values allow for all questions."""
    kinds = [_kind(family) for family in found]
    spent = sum(level for kind, level in LEVELS.items() if kind in kinds)
    doses: dict[int, Dose | None] = {}
    for kind, level in LEVELS.items():
        at = [i for i, each in enumerate(kinds) if each == kind]
        controls = _recent([] if kind == "traffic" else traffic, effect)
        tested = _doses(effect, [found[i] for i in at], controls, effect.lags, rng)
        doses |= dict(zip(at, (_weighted(dose, level / spent) for dose in tested), strict=True))
    return [doses[i] for i in range(len(found))]


def _kind(family: Family) -> str:
    if family.exogenous:
        return "traffic"
    return "can run out" if family.runs_out else "mechanism"


def _weighted(dose: Dose | None, level: float) -> Dose | None:
    """Spend a part of the level on one question (weighted Bonferroni)."""
    return dose and replace(dose, familywise=min(1.0, dose.familywise / level))


def _recent(traffic: Sequence[Family], effect: Effect) -> Floats:
    """What arrived lately, of a few kinds of traffic: shape (T, c)."""
    empty = np.empty((len(effect.excess), 0))
    return np.column_stack([empty, *(trailing(family.values[0], 3) for family in traffic[:_CONTROLS])])


def _doses(
    effect: Effect,
    found: Sequence[Family],
    controls: Floats,
    lags: Sequence[int],
    rng: np.random.Generator,
    before: bool = True,
) -> list[Dose | None]:
    return dose_response(
        effect.excess,
        effect.onset,
        found,
        controls,
        tick_s=effect.tick_s,
        lags=lags,
        count=effect.settings.permutations,
        rng=rng,
        before=before,
    )


def _case(effect: Effect, screened: Screened, share: Share, dose: Dose | None) -> Case:
    family, ticks = screened.family, usable_ticks(effect.excess, effect.onset)
    moved = [label(c) for c, m in zip(family.candidates, screened.members, strict=True) if m.up]
    lag = dose.lag if dose is not None else best_lag(family.values[0], effect.window, effect.lags)
    ceiling = family.head.ceiling
    pinned = 0.0 if ceiling is None else float((np.abs(family.values[0, ticks]) >= PINNED_AT * ceiling).mean())
    return Case(
        screened=screened,
        share=share,
        dose=dose,
        ticks=len(ticks),
        readings=readings(family, ticks),
        pinned=pinned,
        lag_s=lag * effect.tick_s,
        chain=(*(moved or [family.label]), *([effect.signal] if effect.signal else [])),
        unlikely="" if family.exogenous else unlikely(screened, effect),
        stranger=not (family.exogenous or acts(family, effect.signal) or family.head.name in MADE),
    )


def _beside(case: Case, near: Sequence[Event], event_shares: Sequence[Share]) -> Case:
    """Note an event at the onset that explains more."""
    louder = [e.text or e.kind for e, share in zip(near, event_shares, strict=True) if share.joint > case.share.joint]
    return replace(case, event=louder[0]) if louder else case


def _apart(effect: Effect, cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """Where several mechanisms pass, test each beyond the others; what is known to act, beyond those that may stand."""
    level = effect.settings.significance
    passing = [c for c in cases if c.passes(level) and not c.family.exogenous]
    standing = [c for c in passing if decided(c, level)[0] == "supported"]
    together: dict[int, str] = {}
    for case in passing:
        rivals = standing if acts(case.family, effect.signal) else passing
        others = sorted((c for c in rivals if c is not case), key=lambda c: -_likeness(effect, case.family, c.family))
        if not others:
            continue
        lags = {round(c.lag_s / effect.tick_s) for c in (case, *others)}
        beside = [
            np.roll(values, lag) for other in others for values in _curved(other.family, case.family) for lag in lags
        ]
        own = (round(case.lag_s / effect.tick_s),)
        (dose,) = _doses(effect, [case.family], np.column_stack(beside), own, rng, before=False)
        if dose is None or dose.single > effect.settings.significance:
            together[id(case)] = others[0].family.label
    return [replace(case, together=together[id(case)]) if id(case) in together else case for case in cases]


def _against(effect: Effect, cases: Sequence[Case], bystanders: Sequence[Floats], controls: Floats) -> list[Case]:
    """Note where bystanders follow the signal as well as a mechanism does."""
    if len(bystanders) < LEAST_BYSTANDERS:
        return list(cases)
    chance = followed(effect.excess, effect.onset, [held(each) for each in bystanders], controls, effect.lags)
    found = []
    for case in cases:
        if case.passes(effect.settings.significance) and not case.family.exogenous:
            own = followed(effect.excess, effect.onset, case.family.values, controls, effect.lags).max()
            as_well = int((chance >= own).sum())
            if as_well > AS_WELL * len(chance):
                case = replace(case, bystanders=f"{as_well} of {len(chance)}")
        found.append(case)
    return found


def _curved(other: Family, like: Family) -> list[Floats]:
    """The members of another family, also as curved as one that hurts only near its end."""
    values = list(other.values)
    if not like.runs_out:
        return values
    headroom = float((like.values[0] <= HEADROOM * like.head.ceiling).mean()) if like.head.ceiling else 0.0
    return values + [np.maximum(each, np.quantile(each, headroom)) for each in values]


def _downstream(case: Case, cases: Sequence[Case], short: Sequence[Family], level: float) -> Case:
    """What another mechanism may have moved is not told apart from it while that one stands, or where it ran short."""
    above = UPSTREAM.get(case.family.head.name, ())
    standing = [c.family for c in cases if decided(c, level)[0] != "ruled_out"] if above else []
    found = [family for family in (*standing, *short) if family.head.name in above]
    return replace(case, together=found[0].label, step="") if found else case


def _likeness(effect: Effect, one: Family, other: Family) -> float:
    ticks = usable_ticks(effect.excess, effect.onset)
    pair = np.stack([one.values[0, ticks], other.values[0, ticks]])
    return float(abs(np.corrcoef(pair)[0, 1])) if bool((pair.std(1) > 0).all()) else 0.0


def _chained(effect: Effect, cases: Sequence[Case]) -> list[Case]:
    """Name what drives each mechanism: the traffic that explains most of its rise."""
    traffic = [case for case in cases if case.family.exogenous]
    if not traffic:
        return _within_the_whole(effect, [if_fed(case) for case in cases])
    drives: dict[int, tuple[str, float]] = {}
    chains: dict[int, tuple[str, ...]] = {}
    mechanisms = []
    for case in cases:
        if case.family.exogenous:
            continue
        explained = _rise(effect, case.family, [t.family for t in traffic])
        top = int(np.argmax(explained))
        if explained[top] >= DRIVES:
            driver = traffic[top]
            case = if_fed(replace(case, by_way=min(1.0, sum(explained)), chain=(driver.family.label, *case.chain)))
            alive = decided(case, effect.settings.significance)[0] != "ruled_out"
            if alive and explained[top] > drives.get(id(driver), ("", 0.0))[1]:
                drives[id(driver)], chains[id(driver)] = (case.family.label, explained[top]), case.chain
        mechanisms.append(if_fed(case))
    drivers = [replace(t, drives=drives[id(t)], chain=chains[id(t)]) if id(t) in drives else t for t in traffic]
    mechanisms = _within_the_whole(effect, mechanisms)
    claimed = [m for m in mechanisms if decided(m, effect.settings.significance)[0] == "supported"]
    return mechanisms + [_aside(t, [*drivers, *claimed]) if claimed else t for t in drivers]


def _aside(case: Case, others: Sequence[Case]) -> Case:
    """Beside a mechanism that stands, only what drives one is blamed: other traffic often moves with either."""
    instead = next((c for c in others if c.drives is not None or not c.family.exogenous), None)
    return case if case.drives is not None or instead is None else replace(case, together=instead.family.label)


def _within_the_whole(effect: Effect, cases: Sequence[Case]) -> list[Case]:
    """Mechanisms together explain no more than all: what is known to act comes first, then what explains more."""
    level = effect.settings.significance
    claimed = [c for c in cases if decided(c, level)[0] == "supported"]
    claimed.sort(key=lambda c: (not acts(c.family, effect.signal), -surely(c, level)))
    total, instead = 0.0, dict[int, str]()
    for case in claimed:
        if total + surely(case, level) > 1.0:
            instead[id(case)] = claimed[0].family.label
        else:
            total += surely(case, level)
    return [replace(c, together=instead[id(c)], step="") if id(c) in instead else c for c in cases]


def _rise(effect: Effect, mechanism: Family, traffic: Sequence[Family]) -> list[float]:
    """The share of a mechanism's rise that each kind of traffic explains."""
    values = mechanism.values[0, effect.window.ticks]
    rise = values - float(np.median(values[~effect.window.during]))
    window = replace(effect.window, excess=rise)
    if float(rise[window.during].sum()) <= 0:
        return [0.0] * len(traffic)
    return parts([family_term(family, window, effect.lags) for family in traffic], window)

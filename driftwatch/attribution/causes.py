"""Why did it happen: causes with their tier and the share that they explain, and what was ruled out by which test.

A wrong confident cause is the worst that this library can do, so ``supported`` must be earned: the candidate moved with
the onset and not so in healthy times, explains a share that an unknown step cannot take over, and, since the onset,
the signal rises and falls with it beyond what traffic explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.candidates import Candidate, Event, Family, families, held, label
from driftwatch.attribution.dose import Dose, clipped, dose_response, lag_grid, readings, usable_ticks
from driftwatch.attribution.screening import LATE_S, Screened, screen, turning_point
from driftwatch.attribution.shares import Share, Window, best_lag, family_term, parts, shares, step_term, window_of
from driftwatch.attribution.verdict import PINNED, Case, event_cause, ruled_out, verdict
from driftwatch.config import Attribution
from driftwatch.incidents.models import Cause, Tier

Floats = NDArray[np.float64]

EVENT_SLACK_S = 30.0
"""An event this far outside the onset's interval is still beside it."""
EVENTS_S = 900.0
"""Events further from the onset than this are not mentioned."""
_DRIVES = 0.2
_YOUNG_TICKS = 12
_RANK: dict[Tier, int] = {"supported": 0, "consistent": 1, "ruled_out": 2}


@dataclass(frozen=True, slots=True)
class _Incident:
    """The effect, turned so that up is worse, and how it is looked at."""

    excess: Floats
    onset: int
    window: Window
    lags: tuple[int, ...]
    tick_s: float
    settings: Attribution
    signal: str


def find_causes(
    excess: Floats,
    onset: int,
    candidates: Sequence[Candidate],
    events: Sequence[Event],
    *,
    tick_s: float,
    settings: Attribution,
    seed: int,
    signal: str = "",
    onset_interval: tuple[int, int] | None = None,
) -> tuple[Cause, ...]:
    """Say what probably caused an incident, how sure that is, and what was ruled out.

    Parameters
    ----------
    excess
        Shape (T,): the log-residual of the affected signal against the workload's baseline: 0 is healthy, NaN is a
        tick without requests. Ticks before ``onset`` are the healthy reference.
    onset
        The first tick of the incident.
    candidates
        Series of shape (T,) that may explain it. Symptoms may be among them and are never blamed.
    events
        Deploys and other markers.
    tick_s
        Width of a tick, in seconds.
    settings
        Level, permutations, lags, number of candidates examined.
    seed
        Of the permutations: the same seed gives the same answer.
    signal
        Name of the affected signal, the end of every chain in ``via``.
    onset_interval
        First and last tick at which the incident may have begun; a minute around ``onset`` unless given.

    Returns
    -------
    tuple[Cause, ...]
        Most likely first; a mechanism is followed by what drives it; those ruled out come last. Shares of a chain
        overlap: a driver acts by way of its mechanism. Empty or all ruled out means that the cause is unknown.

    References
    ----------
    .. [1] shared/reference of the project: roles, screening, a joint fit, and a gate; docs/attribution.md.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> kv = np.clip(np.r_[rng.normal(0.4, 0.05, 120), rng.normal(0.85, 0.08, 60)], 0, 1)
    >>> slow = 8 * np.maximum(kv - 0.7, 0) + rng.normal(0, 0.1, 180)
    >>> kv_use = Candidate("kv_cache_usage", "mechanism", kv, ceiling=1.0)
    >>> first, *_ = find_causes(slow, 120, [kv_use], [], tick_s=5.0, settings=Attribution(), seed=1)
    >>> first.name, first.tier
    ('kv_cache_usage', 'supported')
    """
    excess = np.asarray(excess, np.float64)
    since = excess[onset:][~np.isnan(excess[onset:])]
    if not len(since) or np.isnan(excess[:onset]).all():
        return ()
    worse = 1.0 if float(clipped(since).mean()) >= 0 else -1.0
    incident = _incident(worse * excess, onset, tick_s, settings, signal)
    rng = np.random.default_rng(seed)
    late = _latest(incident)
    screened = [screen(family, onset, tick_s, late) for family in families(candidates, onset, worse)]
    examined = sorted((s for s in screened if not s.out), key=lambda s: -s.shift)[: settings.max_candidates]
    near = [event for event in events if _near(event, incident, onset_interval)]
    cases, event_shares = _cases(incident, examined, near, screened, rng)
    causes = [verdict(case, settings.significance) for case in cases]
    away = [e for e in events if e not in near and abs(e.at_tick - onset) * tick_s <= EVENTS_S]
    told = [event_cause(e, s, (e.at_tick - onset) * tick_s, True) for e, s in zip(near, event_shares, strict=True)]
    told += [event_cause(e, Share(0.0, 0.0, 0.0), (e.at_tick - onset) * tick_s, False) for e in away]
    out = sorted((s for s in screened if s.out), key=lambda s: (s.family.exogenous, -abs(s.shift)))
    excluded = [ruled_out(s) for s in out[: settings.max_candidates]]
    return _ordered([*causes, *told, *excluded], settings.significance)


def _incident(excess: Floats, onset: int, tick_s: float, settings: Attribution, signal: str) -> _Incident:
    window = window_of(excess, onset, round(LATE_S / tick_s))
    window = replace(window, excess=window.excess - float(np.median(window.excess[~window.during])))
    return _Incident(excess, onset, window, lag_grid(settings.max_lag_s, tick_s), tick_s, settings, signal)


def _latest(incident: _Incident) -> int | None:
    """The last tick at which a cause may have moved: after the signal itself did, with some slack."""
    if len(incident.excess) - incident.onset < _YOUNG_TICKS:
        return None
    turned = max(turning_point(held(incident.excess)), incident.onset)
    return turned + round((incident.settings.max_lag_s + LATE_S) / incident.tick_s)


def _near(event: Event, incident: _Incident, interval: tuple[int, int] | None) -> bool:
    minute = round(LATE_S / incident.tick_s) // 2
    first, last = interval or (incident.onset - minute, incident.onset)
    slack = round(EVENT_SLACK_S / incident.tick_s)
    return first - slack <= event.at_tick <= last + slack


def _cases(
    incident: _Incident,
    examined: Sequence[Screened],
    near: Sequence[Event],
    screened: Sequence[Screened],
    rng: np.random.Generator,
) -> tuple[list[Case], list[Share]]:
    """Measure every family that passed the screen, and the share of every event beside the onset."""
    window, found = incident.window, [s.family for s in examined]
    terms = [family_term(family, window, incident.lags) for family in found]
    terms += [step_term(window, event.at_tick) for event in near]
    if not terms or float(window.excess[window.during].sum()) <= 0:
        return [], [Share(0.0, 0.0, 1.0)] * len(near)
    found_shares = shares(terms, window, incident.onset, rng)
    doses = _gate(incident, found, [s.family for s in screened if s.family.exogenous], rng)
    event_shares = found_shares[len(found) :]
    cases = [
        _case(incident, s, share, dose)
        for s, share, dose in zip(examined, found_shares[: len(found)], doses, strict=True)
    ]
    cases = [_beside(case, near, event_shares) for case in _apart(incident, cases, rng)]
    return _chained(incident, cases), event_shares


def _gate(
    incident: _Incident, found: Sequence[Family], traffic: Sequence[Family], rng: np.random.Generator
) -> list[Dose | None]:
    """Dose-responses: mechanisms beyond traffic, traffic as it is; the p-values allow for both questions."""
    kinds = sum(any(family.exogenous == kind for family in found) for kind in (True, False))
    doses: dict[int, Dose | None] = {}
    for kind in (True, False):
        at = [i for i, family in enumerate(found) if family.exogenous == kind]
        tested = _doses(incident, [found[i] for i in at], [] if kind else traffic, rng)
        doses |= dict(
            zip(at, (d and replace(d, familywise=min(1.0, d.familywise * kinds)) for d in tested), strict=True)
        )
    return [doses[i] for i in range(len(found))]


def _doses(
    incident: _Incident, found: Sequence[Family], controls: Sequence[Family], rng: np.random.Generator
) -> list[Dose | None]:
    count = incident.settings.permutations
    return dose_response(incident.excess, incident.onset, found, controls, lags=incident.lags, count=count, rng=rng)


def _case(incident: _Incident, screened: Screened, share: Share, dose: Dose | None) -> Case:
    family, ticks = screened.family, usable_ticks(incident.excess, incident.onset)
    moved = [label(c) for c, m in zip(family.candidates, screened.members, strict=True) if m.up]
    lag = dose.lag if dose is not None else best_lag(family.values[0], incident.window, incident.lags)
    ceiling = family.head.ceiling
    pinned = 0.0 if ceiling is None else float((np.abs(family.values[0, ticks]) >= 0.98 * ceiling).mean())
    return Case(
        screened=screened,
        share=share,
        dose=dose,
        ticks=len(ticks),
        readings=readings(family, ticks),
        pinned=pinned,
        lag_s=lag * incident.tick_s,
        chain=(*(moved or [family.label]), *([incident.signal] if incident.signal else [])),
    )


def _beside(case: Case, near: Sequence[Event], event_shares: Sequence[Share]) -> Case:
    """Note an event at the onset that explains more."""
    louder = [e.text or e.kind for e, share in zip(near, event_shares, strict=True) if share.joint > case.share.joint]
    return replace(case, event=louder[0]) if louder else case


def _apart(incident: _Incident, cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """Where several mechanisms pass, test each beyond the others."""
    passing = [c for c in cases if c.passes(incident.settings.significance) and not c.family.exogenous]
    if len(passing) < 2:
        return list(cases)
    together: dict[int, str] = {}
    for case in passing:
        others = sorted(
            (c.family for c in passing if c is not case), key=lambda f: -_likeness(incident, case.family, f)
        )
        (dose,) = _doses(incident, [case.family], others, rng)
        if dose is None or dose.single > incident.settings.significance:
            together[id(case)] = others[0].label
    return [replace(case, together=together[id(case)]) if id(case) in together else case for case in cases]


def _likeness(incident: _Incident, one: Family, other: Family) -> float:
    ticks = usable_ticks(incident.excess, incident.onset)
    pair = np.stack([one.values[0, ticks], other.values[0, ticks]])
    return float(abs(np.corrcoef(pair)[0, 1])) if bool((pair.std(1) > 0).all()) else 0.0


def _chained(incident: _Incident, cases: Sequence[Case]) -> list[Case]:
    """Name what drives each mechanism: the traffic that explains most of its rise."""
    traffic = [case for case in cases if case.family.exogenous]
    if not traffic:
        return list(cases)
    drives: dict[int, tuple[str, float]] = {}
    chains: dict[int, tuple[str, ...]] = {}
    mechanisms = []
    for case in cases:
        if case.family.exogenous:
            continue
        explained = _rise(incident, case.family, [t.family for t in traffic])
        top = int(np.argmax(explained))
        if explained[top] >= _DRIVES:
            driver = traffic[top]
            case = replace(case, by_way=min(1.0, sum(explained)), chain=(driver.family.label, *case.chain))
            if explained[top] > drives.get(id(driver), ("", 0.0))[1]:
                drives[id(driver)], chains[id(driver)] = (case.family.label, explained[top]), case.chain
        mechanisms.append(case)
    drivers = [replace(t, drives=drives[id(t)], chain=chains[id(t)]) if id(t) in drives else t for t in traffic]
    return mechanisms + drivers


def _rise(incident: _Incident, mechanism: Family, traffic: Sequence[Family]) -> list[float]:
    """The share of a mechanism's rise that each kind of traffic explains."""
    values = mechanism.values[0, incident.window.ticks]
    rise = values - float(np.median(values[~incident.window.during]))
    window = replace(incident.window, excess=rise)
    if float(rise[window.during].sum()) <= 0:
        return [0.0] * len(traffic)
    return parts([family_term(family, window, incident.lags) for family in traffic], window)


def _ordered(causes: Sequence[Cause], level: float) -> tuple[Cause, ...]:
    """Best tier first, then the least doubt, then the larger share; a driver right behind what it drives."""
    places = [_place(cause, level) for cause in causes]
    standing = {cause.via: place for cause, place in zip(causes, places, strict=True) if cause.role == "mechanism"}
    for i, cause in enumerate(causes):
        if cause.role == "exogenous" and cause.tier != "ruled_out" and cause.via in standing:
            places[i] = (*standing[cause.via], 1.0)
    return tuple(causes[i] for i in sorted(range(len(causes)), key=places.__getitem__))


def _place(cause: Cause, level: float) -> tuple[float, ...]:
    """Doubt is 0 for what followed the signal or is pinned, 1 for what could not be tested, 2 for what failed."""
    alone = cause.evidence.get("p_alone")
    seen = alone is not None and alone <= level or cause.evidence.get("pinned", 0.0) >= PINNED
    doubt = 0.0 if seen else 1.0 if alone is None else 2.0
    return float(_RANK[cause.tier]), doubt, -(cause.share_low + cause.share_high) / 2

"""Why did it happen: causes with their tier and the share that they explain, and what was ruled out by which test.

A wrong confident cause is the worst that this library can do, so ``supported`` must be earned: the candidate moved with
the onset and not so in healthy times, explains a share that an unknown step cannot take over, and, since the onset,
the signal rises and falls with it beyond what traffic explains.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.causes.candidates import Candidate, Event, families, held
from driftwatch.attribution.causes.dose import clipped
from driftwatch.attribution.causes.effect import Effect, aligned, effect_of
from driftwatch.attribution.causes.measure import measured
from driftwatch.attribution.causes.physics import acts
from driftwatch.attribution.causes.screening import LATE_S, Screened, screen, turning_point
from driftwatch.attribution.causes.shares import Share
from driftwatch.attribution.causes.verdict import PINNED, event_cause, ruled_out, verdict
from driftwatch.config import Attribution
from driftwatch.incidents.models import Cause, Tier

Floats = NDArray[np.float64]

EVENT_SLACK_S = 30.0
"""An event this far outside the onset's interval is still beside it."""
EVENTS_S = 900.0
"""Events further from the onset than this are not mentioned."""
COARSE = {"concurrency": "kv_cache_usage"}
"""How many requests run, and what they fill."""
_YOUNG_TICKS = 12
_RANK: dict[Tier, int] = {"supported": 0, "consistent": 1, "ruled_out": 2}


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
    bystanders: Sequence[Floats] = (),
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
    bystanders
        Series of shape (T,) that cannot be a cause, such as those of machines that serve something else: what passes
        must follow the signal better than nine in ten of them (negative controls).

    Returns
    -------
    tuple[Cause, ...]
        Most likely first; a mechanism is followed by what drives it; those ruled out come last. Shares of a chain
        overlap: a driver acts by way of its mechanism. Empty or all ruled out means that the cause is unknown.

    References
    ----------
    .. [1] Pham et al. (2024). BARO: robust root cause analysis for microservices. FSE 2024. The robust screen.
    .. [2] Lipsitch, Tchetgen Tchetgen, Cohen (2010). Negative controls. Epidemiology 21.
    .. [3] Imai, Keele, Tingley (2010). A general approach to causal mediation analysis. Psychol. Methods 15.

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
    healthy = excess[: max(onset - round(LATE_S / tick_s), onset // 2)]  # what is nearer may be of the incident
    if not len(since) or np.isnan(healthy).all():
        return ()
    worse = 1.0 if float(clipped(since).mean()) >= 0 else -1.0
    off = aligned(worse * excess, onset, tick_s)
    onset, onset_interval = onset + off, onset_interval and (onset_interval[0] + off, onset_interval[1] + off)
    effect = effect_of(worse * excess, onset, tick_s, settings, signal, onset_interval)
    rng = np.random.default_rng(seed)
    late = _latest(effect)
    harm = np.maximum(np.nan_to_num(effect.excess[onset:]), 0.0)
    screened = [
        screen(family, onset, tick_s, late, harm, drifts=acts(family, signal))
        for family in families(candidates, onset, worse)
    ]
    passed = _not_said_twice([s for s in screened if not s.out])
    passed = sorted(passed, key=lambda s: (not acts(s.family, signal), -s.shift))
    examined = passed[: settings.max_candidates]  # first what is known to act on this, then what moved most
    near = [event for event in events if _near(event, effect, onset_interval)]
    cases, event_shares = measured(effect, examined, near, screened, rng, bystanders)
    causes = [verdict(case, settings.significance) for case in cases]
    away = _nearest([e for e in events if abs(e.at_tick - onset) * tick_s <= EVENTS_S], near, onset)
    told = [event_cause(e, s, (e.at_tick - onset) * tick_s, True) for e, s in zip(near, event_shares, strict=True)]
    told += [event_cause(e, Share(0.0, 0.0, 0.0), (e.at_tick - onset) * tick_s, False) for e in away]
    out = sorted((s for s in screened if s.out and not s.undecided), key=lambda s: (s.family.exogenous, -abs(s.shift)))
    excluded = [ruled_out(s) for s in out[: settings.max_candidates]]
    return _ordered([*causes, *told, *excluded], settings.significance)


def _not_said_twice(passed: Sequence[Screened]) -> list[Screened]:
    """Without what only says less exactly what another one says, where that may be it."""
    names = {s.family.head.name for s in passed}
    return [s for s in passed if COARSE.get(s.family.head.name) not in names]


def _latest(effect: Effect) -> int | None:
    """The last tick at which a cause may have moved: after the signal itself did, with some slack."""
    if len(effect.excess) - effect.onset < _YOUNG_TICKS:
        return None
    turned = max(turning_point(held(effect.excess)), effect.onset)
    return turned + round((effect.settings.max_lag_s + LATE_S) / effect.tick_s)


def _near(event: Event, effect: Effect, interval: tuple[int, int] | None) -> bool:
    minute = round(LATE_S / effect.tick_s) // 2
    first, last = interval or (effect.onset - minute, effect.onset)
    slack = round(EVENT_SLACK_S / effect.tick_s)
    return first - slack <= event.at_tick <= last + slack


def _nearest(events: Sequence[Event], near: Sequence[Event], onset: int) -> list[Event]:
    """Of what happened several times, the time nearest to the onset, unless that is near."""
    told = {(event.kind, event.text): event for event in sorted(events, key=lambda e: -abs(e.at_tick - onset))}
    known = {(event.kind, event.text) for event in near}
    return [event for key, event in told.items() if key not in known]


def _ordered(causes: Sequence[Cause], level: float) -> tuple[Cause, ...]:
    """Best tier first, then the least doubt, then the larger share; a driver right behind what it drives."""
    places = [_place(cause, level) for cause in causes]
    standing = {cause.via: place for cause, place in zip(causes, places, strict=True) if cause.role == "mechanism"}
    for i, cause in enumerate(causes):
        if cause.role == "exogenous" and cause.tier != "ruled_out" and cause.via in standing:
            behind = (*standing[cause.via], 1.0)
            places[i] = behind if behind[0] <= places[i][0] else places[i]  # unless it is surer than what it drives
    return tuple(causes[i] for i in sorted(range(len(causes)), key=places.__getitem__))


def _place(cause: Cause, level: float) -> tuple[float, ...]:
    """Doubt is 0 for what followed the signal or is pinned, 1 for what could not be tested, 2 for what failed."""
    alone = cause.evidence.get("p_alone")
    followed = alone is not None and alone <= level
    seen = cause.tier == "supported" or followed or cause.evidence.get("pinned", 0.0) >= PINNED
    doubt = 0.0 if seen else 1.0 if alone is None else 2.0
    return float(_RANK[cause.tier]), doubt, -(cause.share_low + cause.share_high) / 2

"""Ticks from a change to the alarm: ours, the oracle's, and the peers' at equal measured run length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from detecting.changes import CORRELATED, EXTRA_TICKS, OTHERS, SETTINGS, SHIFTS, Change, Setting
from detecting.oracle import first_alarms, threshold
from detecting.ours import watch
from detecting.peers import PEERS, Peer, rate
from detecting.scale import Scale, say, seeded
from detecting.streams import normal
from driftwatch.statistics.buckets import Floats, Ints

Case = tuple[str, int, float]
"""A peer, the ticks it learns from, and the autocorrelation of the noise."""
ARLS = (1e4, 2e7)
PLACES = (0, 1_000)  # healthy ticks between the learning and the change
AFTER = 5_000  # ticks that a change is given to be seen
PEER_AFTER = 3_000
PEER_ARL = 1e4


@dataclass(frozen=True, slots=True)
class Delay:
    """Median delays of one change.

    Parameters
    ----------
    baseline, learnt, margin, change, place, arl
        Of what: ``place`` healthy ticks come between the learning and the change.
    oracle, ours
        Median ticks from the change to the alarm, both counted; infinite if half of the runs never alarm.
    allowed
        The most that ours may be; NaN where nothing is asked.
    information
        Of the oracle's information at its alarm, the share that a baseline of ``learnt`` values leaves.
    runs, before
        Our runs, and how many of them alarmed before the change; these are left out.
    promised
        How many were promised to, at most.
    peers
        Median delays, by name; at 1e4 for a change right after the learning.
    """

    baseline: str
    learnt: int
    margin: float
    change: str
    place: int
    arl: float
    oracle: float
    ours: float
    allowed: float
    information: float
    runs: int
    before: int
    promised: float
    peers: dict[str, float]


def delay(scale: Scale, levels: dict[Case, float]) -> Iterator[dict[str, Any]]:
    """All settings, changes and places; ``levels`` are those at which the peers alarm."""
    for setting in SETTINGS:
        for change in setting.changes:
            beside = peers(setting, change, levels, scale)
            for place in PLACES:
                rows = list(measured(setting, change, place, beside, scale))
                shown = ", ".join(f"{r.ours:g} (oracle {r.oracle:g})" for r in rows)
                say(f"delay: {setting.title}, margin {setting.margin:.3g}, {change.title}, after {place}: {shown}")
                yield from map(asdict, rows)


def measured(setting: Setting, change: Change, place: int, beside: dict[str, float], scale: Scale) -> Iterator[Delay]:
    """One change at one place, at all run lengths."""
    at, firsts, oracles = setting.learnt + place, [], []
    for batch, runs in scale.batches(400):
        value = changed(setting, change, at, AFTER, runs, batch)
        seen = watch(value, np.ones_like(value), setting.learnt, setting.margin, ARLS, seed=batch)
        firsts.append(seen.first)
        oracles.append([setting.oracle(change, value, arl) for arl in ARLS])
    ours, known = np.concatenate(firsts), np.concatenate(oracles, axis=2)
    for k, arl in enumerate(ARLS):
        oracle = min(median_delay(alarms, at) for alarms in known[k])
        yield Delay(
            baseline=setting.title,
            learnt=setting.learnt,
            margin=setting.margin,
            change=change.title,
            place=place,
            arl=arl,
            oracle=oracle,
            ours=median_delay(ours[:, k], at),
            allowed=allowed(setting, change, oracle),
            information=information(setting, oracle),
            runs=len(ours),
            before=int(((ours[:, k] >= 0) & (ours[:, k] < at)).sum()),
            promised=len(ours) * place / arl,
            peers=beside if arl == PEER_ARL and place == 0 else {},
        )


def changed(setting: Setting, change: Change, at: int, after: int, runs: int, batch: int) -> Floats:
    """Healthy values, and changed ones from ``at`` on."""
    rng = seeded("delay", setting.learnt, setting.rho, change.title, at, batch)
    value = setting.noise(rng, at + after, runs)
    value[at:] = change.of(rng, value[at:])
    return value


def median_delay(first: Ints, at: int) -> float:
    """From the change to the alarm, both counted, among runs without an alarm before."""
    kept = first[(first < 0) | (first >= at)]
    return float(np.median(np.where(kept < 0, np.inf, kept - at + 1.0))) if len(kept) else np.nan


def allowed(setting: Setting, change: Change, oracle: float) -> float:
    """The most that is asked for."""
    extra = EXTRA_TICKS.get((setting.title, change.title))
    return oracle + extra if extra is not None else setting.targets.get(change.title, np.nan) * oracle


def information(setting: Setting, delay: float) -> float:
    """Two samples of n0 and d values tell as much of a shift as n0 d / (n0 + d) values and a known mean."""
    return setting.learnt / (setting.learnt + delay) if setting.learnt else 1.0


def peers(setting: Setting, change: Change, levels: dict[Case, float], scale: Scale) -> dict[str, float]:
    """Median delay of each peer right after the learning; none where the baseline is known or the margin is not 0."""
    if not setting.learnt or setting.margin:
        return {}
    return {peer.name: _peer(peer, setting, change, levels, scale) for peer in PEERS}


def _peer(peer: Peer, setting: Setting, change: Change, levels: dict[Case, float], scale: Scale) -> float:
    runs = peer.affordable(setting.learnt + PEER_AFTER // 10, scale.part(3.0), 200)
    value = changed(setting, change, setting.learnt, PEER_AFTER, runs, 0)
    first = peer.first(value, setting.learnt, levels[peer.name, setting.learnt, setting.rho])
    return median_delay(first, setting.learnt)


def checked(scale: Scale) -> Iterator[dict[str, Any]]:
    """Run lengths of the oracles in simulation, where their thresholds were computed for 10,000."""
    value = normal(seeded("oracle"), 10_000, scale.of(800))
    for change in dict.fromkeys((*SHIFTS, *CORRELATED, *OTHERS)):
        limits = [threshold(ratio, PEER_ARL) for ratio in change.oracles]
        for ratio, limit in zip(change.oracles, limits, strict=True):
            length = 1.0 / rate(first_alarms(ratio, value, limit), 0, len(value))
            yield {"change": change.title, "threshold": limit, "run_length": length}


def learnt_cases() -> set[tuple[int, float]]:
    """Ticks learnt from and autocorrelation of all settings in which something is learnt."""
    return {(s.learnt, s.rho) for s in SETTINGS if s.learnt}


def calibrated(scale: Scale, cases: set[tuple[int, float]]) -> dict[Case, float]:
    """Levels at which each peer alarms once in 10,000 healthy ticks, for each baseline and noise."""
    found = {}
    for learnt, rho in sorted(cases):
        noise = Setting("", learnt, 0.0, (), {}, rho).noise
        for peer in PEERS:
            runs = peer.affordable(learnt + 5_000, scale.part(1.0 if peer.restarts else 20.0), 200)
            value = noise(seeded("calibration", learnt, rho), learnt + 5_000, runs)
            found[peer.name, learnt, rho] = level = peer.level(value, learnt, PEER_ARL)
            say(f"calibrated: {peer.name}, learnt {learnt}, AR {rho}: level {level:.3g} from {runs} runs")
    return found
